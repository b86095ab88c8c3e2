//! Claims about people, OpenID Connect Core §5.1: which there are, what they may be, and those of somebody.

use openidconnect::{
    AddressClaim, AddressCountry, AddressLocality, AddressPostalCode, AddressRegion, EndUserBirthday,
    EndUserEmail, EndUserFamilyName, EndUserGivenName, EndUserMiddleName, EndUserName, EndUserNickname,
    EndUserPhoneNumber, EndUserPictureUrl, EndUserProfileUrl, EndUserTimezone, EndUserUsername,
    EndUserWebsiteUrl, FormattedAddress, LanguageTag, LocalizedClaim, StandardClaims, StreetAddress,
    SubjectIdentifier, core::CoreGenderClaim,
};
use serde_json::Value;

use crate::store::users::{PersonClaims, User};

/// Every claim that there can be, and the scope that asks for it (§5.4).
pub const ABOUT_PEOPLE: [(&str, &str); 19] = [
    ("name", "profile"),
    ("given_name", "profile"),
    ("family_name", "profile"),
    ("middle_name", "profile"),
    ("nickname", "profile"),
    ("preferred_username", "profile"),
    ("profile", "profile"),
    ("picture", "profile"),
    ("website", "profile"),
    ("gender", "profile"),
    ("birthdate", "profile"),
    ("zoneinfo", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("phone_number", "phone"),
    ("phone_number_verified", "phone"),
    ("address", "address"),
];

/// The members of `address` (§5.1.1).
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];
/// Bytes of a value.
const LONGEST: usize = 1024;

/// Changes what is known of somebody; no `text` removes it. `name` may be a member of the address:
/// `address.locality`. `Err` says why it cannot be.
pub fn set(claims: &mut PersonClaims, name: &str, text: Option<&str>) -> Result<(), &'static str> {
    if let Some(member) = name.strip_prefix("address.") {
        if !ADDRESS.contains(&member) {
            return Err("is no member of an address");
        }
        let mut address = claims.0.get("address").and_then(Value::as_object).cloned().unwrap_or_default();
        match text {
            // Lines belong to an address as a whole, and to a street.
            Some(text) if text.contains('\n') && !["formatted", "street_address"].contains(&member) => {
                return Err("has one line");
            }
            Some(text) => {
                let text = plain(&text.replace('\n', " ")).map(|_| text)?;
                address.insert(member.to_owned(), text.into());
            }
            None => drop(address.remove(member)),
        }
        if address.is_empty() {
            claims.0.remove("address");
        } else {
            claims.0.insert("address".to_owned(), address.into());
        }
        return Ok(());
    }
    let known = ABOUT_PEOPLE.iter().any(|(claim, _)| *claim == name);
    if !known || ["name", "email", "email_verified", "updated_at", "address"].contains(&name) {
        return Err("is not a claim that can be set");
    }
    match text {
        Some(text) => drop(claims.0.insert(name.to_owned(), value(name, text)?)),
        None => drop(claims.0.remove(name)),
    }
    // A number that has changed has been verified by nobody.
    if name == "phone_number" {
        claims.0.remove("phone_number_verified");
    }
    Ok(())
}

/// As §5.1 says of each.
fn value(name: &str, text: &str) -> Result<Value, &'static str> {
    let text = plain(text)?;
    match name {
        "phone_number_verified" => text.parse::<bool>().map(Value::Bool).map_err(|_| "must be true or false"),
        "profile" | "picture" | "website" => {
            let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
            let url = url::Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            if visible && url.is_some() { Ok(text.into()) } else { Err("must be an http or https URL") }
        }
        "birthdate" => {
            let shape = |text: &str| {
                text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect::<Vec<_>>()
            };
            let whole = text.replacen("0000-", "2000-", 1); // the year may be kept back
            let date =
                shape(text) == b"0000-00-00" && chrono::NaiveDate::parse_from_str(&whole, "%Y-%m-%d").is_ok();
            if date || shape(text) == b"0000" {
                Ok(text.into())
            } else {
                Err("must be YYYY-MM-DD, 0000-MM-DD or YYYY")
            }
        }
        "locale" => {
            let tag = text.split('-').all(|part| {
                (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
            if tag { Ok(text.into()) } else { Err("must be a language tag such as de-CH (BCP 47)") }
        }
        "zoneinfo" => {
            let name = text.contains('/') || text == "UTC";
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
            if name && text.bytes().all(allowed) {
                Ok(text.into())
            } else {
                Err("must be a time zone such as Europe/Zurich")
            }
        }
        "phone_number" => {
            // E.164, spaced as people like it, with an extension as RFC 3966 writes it.
            let (number, extension) = text.split_once(";ext=").unwrap_or((text, "0"));
            let spaced = |byte: u8| byte.is_ascii_digit() || b" ().-".contains(&byte);
            let digits = number.bytes().filter(u8::is_ascii_digit).count();
            let good = number.strip_prefix('+').is_some_and(|rest| rest.bytes().all(spaced))
                && (4..=15).contains(&digits)
                && !extension.is_empty()
                && extension.bytes().all(|byte| byte.is_ascii_digit());
            if good { Ok(text.into()) } else { Err("must be a number in international form (E.164), with +") }
        }
        _ => Ok(text.into()),
    }
}

/// What any text about somebody has to be.
pub fn plain(text: &str) -> Result<&str, &'static str> {
    if text.trim().is_empty() || text.len() > LONGEST || text.contains(char::is_control) {
        return Err("must have 1 to 1024 bytes, without control characters");
    }
    Ok(text)
}

/// What is known of somebody, of those claims that are `wanted`; and always `sub`. What is not known is left out.
pub fn about(user: &User, wanted: impl Fn(&str) -> bool) -> StandardClaims<CoreGenderClaim> {
    let text = |claim: &str| {
        let known = user.claims.0.get(claim).filter(|_| wanted(claim));
        known.and_then(Value::as_str).map(str::to_owned)
    };
    let flag = |claim: &str| user.claims.0.get(claim).filter(|_| wanted(claim)).and_then(Value::as_bool);
    let name = wanted("name").then(|| EndUserName::new(user.name.clone()));
    StandardClaims::new(SubjectIdentifier::new(user.id.to_string()))
        .set_name(name.map(localized))
        .set_given_name(text("given_name").map(EndUserGivenName::new).map(localized))
        .set_family_name(text("family_name").map(EndUserFamilyName::new).map(localized))
        .set_middle_name(text("middle_name").map(EndUserMiddleName::new).map(localized))
        .set_nickname(text("nickname").map(EndUserNickname::new).map(localized))
        .set_preferred_username(text("preferred_username").map(EndUserUsername::new))
        .set_profile(text("profile").map(EndUserProfileUrl::new).map(localized))
        .set_picture(text("picture").map(EndUserPictureUrl::new).map(localized))
        .set_website(text("website").map(EndUserWebsiteUrl::new).map(localized))
        .set_gender(text("gender").map(CoreGenderClaim::new))
        .set_birthdate(text("birthdate").map(EndUserBirthday::new))
        .set_zoneinfo(text("zoneinfo").map(EndUserTimezone::new))
        .set_locale(text("locale").map(LanguageTag::new))
        .set_updated_at(wanted("updated_at").then_some(user.updated_at))
        .set_email(wanted("email").then(|| EndUserEmail::new(user.email.clone())))
        .set_email_verified(wanted("email_verified").then_some(user.email_verified))
        .set_phone_number(text("phone_number").map(EndUserPhoneNumber::new))
        .set_phone_number_verified(flag("phone_number_verified"))
        .set_address(user.claims.0.get("address").filter(|_| wanted("address")).map(address))
}

fn localized<T>(value: T) -> LocalizedClaim<T> {
    let mut claim = LocalizedClaim::new();
    claim.insert(None, value);
    claim
}

fn address(stored: &Value) -> AddressClaim {
    let text = |member: &str| stored.get(member).and_then(Value::as_str).map(str::to_owned);
    AddressClaim {
        formatted: text("formatted").map(FormattedAddress::new),
        street_address: text("street_address").map(StreetAddress::new),
        locality: text("locality").map(AddressLocality::new),
        region: text("region").map(AddressRegion::new),
        postal_code: text("postal_code").map(AddressPostalCode::new),
        country: text("country").map(AddressCountry::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_claim_may_be_is_stored() {
        let good = [
            ("given_name", "Ada"),
            ("website", "https://ada.example/"),
            ("birthdate", "1815-12-10"),
            ("birthdate", "0000-02-29"),
            ("birthdate", "1815"),
            ("locale", "en-GB"),
            ("zoneinfo", "Europe/London"),
            ("phone_number", "+1 (604) 555-1234;ext=5678"),
            ("phone_number_verified", "true"),
            ("address.formatted", "St. James's Square\nLondon"),
        ];
        for (name, text) in good {
            assert_eq!(set(&mut PersonClaims::default(), name, Some(text)), Ok(()), "{name} {text}");
        }
        let bad = [
            ("sub", "x"),
            ("email", "a@b.example"),
            ("address", "x"),
            ("address.planet", "x"),
            ("shoe_size", "38"),
            ("given_name", " "),
            ("given_name", "a\u{7}"),
            ("website", "javascript:alert(1)"),
            ("birthdate", "10.12.1815"),
            ("birthdate", "1815-13-10"),
            ("birthdate", "+123-12-10"),
            ("birthdate", "1815- 2-10"),
            ("website", "https://exa\nmple.com"),
            ("website", "http:\\\\e"),
            ("phone_number", "+"),
            ("phone_number", "+ext"),
            ("zoneinfo", "Mars"),
            ("nickname", "a\nb"),
            ("address.country", "a\nb"),
            ("address.formatted", "a\u{7}b"),
            ("locale", "en_GB!"),
            ("phone_number", "555"),
            ("phone_number_verified", "yes"),
        ];
        for (name, text) in bad {
            assert!(set(&mut PersonClaims::default(), name, Some(text)).is_err(), "{name} {text}");
        }
    }

    #[test]
    fn a_new_number_is_not_verified_and_an_empty_address_is_none() {
        let mut claims = PersonClaims::default();
        set(&mut claims, "phone_number", Some("+1 555 0100")).unwrap();
        set(&mut claims, "phone_number_verified", Some("true")).unwrap();
        set(&mut claims, "phone_number", Some("+1 555 0101")).unwrap();
        assert!(!claims.0.contains_key("phone_number_verified"));
        set(&mut claims, "address.country", Some("UK")).unwrap();
        set(&mut claims, "address.country", None).unwrap();
        assert!(!claims.0.contains_key("address"));
    }
}
