//! Dynamic Client Registration, RFC 7591, and its management, RFC 7592.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use idp::{
    admin::clients,
    config::{ClientConfig, Registration},
    store::clients::Profile,
};
use platform::{on_each_database, secret::ExposeSecret, testing::TestDb};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::{
    fixture::{TestIdp, VERIFIER, answer, location, redirected},
    signer::Key,
};

const URI: &str = "https://late.example/cb";

async fn open(db: TestDb) -> TestIdp {
    TestIdp::with(db, |config| {
        config.registration = Registration::Open;
        config.throttle.per_network = 1000;
    })
    .await
}

fn good() -> Value {
    json!({"redirect_uris": [URI], "client_name": "Late"})
}

/// `good` with some members replaced, or (with null) left out.
fn with(change: &[(&str, Value)]) -> Value {
    let mut metadata = good();
    for (name, value) in change {
        metadata[*name] = value.clone();
    }
    metadata
}

fn register(idp: &TestIdp, metadata: &Value) -> RequestBuilder {
    idp.http.post(idp.at("/register")).json(metadata)
}

async fn registered(idp: &TestIdp, metadata: &Value) -> Value {
    let (status, client) = answer(register(idp, metadata)).await;
    assert_eq!(status, StatusCode::CREATED, "{metadata}: {client}");
    client
}

/// A request to the client's own registration, with its token.
fn manage(idp: &TestIdp, method: Method, client: &Value) -> RequestBuilder {
    let uri = client["registration_client_uri"].as_str().unwrap();
    idp.http.request(method, uri).bearer_auth(client["registration_access_token"].as_str().unwrap())
}

/// Tokens for somebody who logs in and allows it.
async fn tokens(idp: &TestIdp, name: &str, client: &Value) -> (StatusCode, Value) {
    let id = client["client_id"].as_str().unwrap();
    let browser = idp.signed_up(name).await;
    let asked = browser.authorize(id, &[("redirect_uri", URI), ("scope", "openid")]).await;
    let page = browser.get(&location(&asked)).await;
    let allowed = browser.submit(page, &[("decision", "allow")]).await;
    let (_, parameters) = redirected(&allowed);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &parameters["code"]),
        ("redirect_uri", URI),
        ("code_verifier", VERIFIER),
    ];
    let request = idp.http.post(idp.at("/token")).form(&form);
    answer(request.basic_auth(id, client["client_secret"].as_str())).await
}

async fn refused(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'),
        "{description}"
    );
    body["error"].clone()
}

async fn is_unauthorized(request: RequestBuilder) -> bool {
    let response = request.send().await.unwrap();
    response.status() == StatusCode::UNAUTHORIZED
        && response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer ")
}

on_each_database! {
    /// RFC 7591 §3.2.1.
    async fn an_app_registers_itself_and_people_can_use_it(db) {
        let idp = open(db).await;
        let response = register(&idp, &with(&[("grant_types", json!(["authorization_code", "refresh_token"]))])).send().await.unwrap();
        assert_eq!((response.status(), &response.headers()["cache-control"]), (StatusCode::CREATED, &"no-store".parse().unwrap()));
        let client: Value = response.json().await.unwrap();
        let names: BTreeSet<&str> = client.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "application_type", "backchannel_logout_session_required", "client_id", "client_id_issued_at", "client_name",
            "client_secret", "client_secret_expires_at", "dpop_bound_access_tokens", "grant_types",
            "id_token_signed_response_alg", "redirect_uris", "registration_access_token", "registration_client_uri",
            "require_pushed_authorization_requests", "require_signed_request_object", "response_types", "scope",
            "subject_type", "token_endpoint_auth_method",
        ];
        assert_eq!(names, BTreeSet::from(expected));
        assert!(client["client_secret"].as_str().unwrap().starts_with("lks_"));
        assert!(client["registration_access_token"].as_str().unwrap().starts_with("lkt_"));
        assert_eq!((&client["client_secret_expires_at"], &client["scope"]), (&json!(0), &json!("email openid profile")));
        assert_eq!((&client["token_endpoint_auth_method"], &client["response_types"]), (&json!("client_secret_basic"), &json!(["code"])));
        assert_eq!(client["client_id_issued_at"], idp.clock.now().timestamp());
        assert_eq!(client["registration_client_uri"], format!("{}/register/{}", idp.url, client["client_id"].as_str().unwrap()));
        let (status, tokens) = tokens(&idp, "alice", &client).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert!(tokens["id_token"].is_string() && tokens.get("refresh_token").is_none(), "not first-party");
        assert_ne!(registered(&idp, &good()).await["client_id"], client["client_id"]);
    }

    async fn all_that_is_registered_is_told_and_what_is_unknown_is_not(db) {
        let idp = open(db).await;
        let jwks = json!({"keys": [Key::generate("ES256").jwk("a")]});
        let all = json!({
            "redirect_uris": [URI, "http://127.0.0.1/cb", "com.example.app:/cb"], "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["authorization_code"], "response_types": ["code"], "client_name": "Sp\u{e4}t",
            "client_uri": "https://late.example/", "logo_uri": "https://late.example/logo.png", "scope": "openid tasks:read",
            "contacts": ["ops@late.example"], "tos_uri": "https://late.example/tos", "policy_uri": "https://late.example/policy",
            "jwks": jwks, "software_id": "late", "software_version": "1.0", "post_logout_redirect_uris": ["https://late.example/bye"],
            "backchannel_logout_uri": "https://late.example/logout", "backchannel_logout_session_required": true,
            "id_token_signed_response_alg": "RS256", "application_type": "native", "subject_type": "public",
            "initiate_login_uri": "https://late.example/login", "require_pushed_authorization_requests": true,
        });
        let mut sent = all.clone();
        for (name, value) in [("client_name#de", json!("x")), ("software_statement", json!("x")), ("first_party", json!(true)), ("audience", json!("https://api.example")), ("tos_uri#de", json!(1)), ("sector_identifier_uri", Value::Null)] {
            sent[name] = value;
        }
        let client = registered(&idp, &sent).await;
        for (name, value) in all.as_object().unwrap() {
            assert_eq!(&client[name], value, "{name}");
        }
        for name in ["client_name#de", "software_statement", "first_party", "audience", "client_secret", "client_secret_expires_at"] {
            assert!(client.get(name).is_none(), "{name}");
        }
        let stored = clients::find(&idp.operator, client["client_id"].as_str().unwrap()).await.unwrap();
        assert!(!stored.first_party && !stored.declared && stored.audience.is_empty());
        assert_eq!(stored.scope, "openid tasks:read");
        assert!(clients::list_registered(&idp.operator).await.unwrap().contains(&stored.id));

        let public = registered(&idp, &with(&[("token_endpoint_auth_method", json!("none")), ("scope", json!("openid admin:everything"))])).await;
        assert!(public.get("client_secret").is_none());
        assert_eq!(public["scope"], "openid", "what there is of it");
        let stored = clients::find(&idp.operator, public["client_id"].as_str().unwrap()).await.unwrap();
        assert_eq!((stored.profile, stored.require_pkce), (Profile::Oauth21, true));
    }

    /// RFC 6749 §3.1.2: a redirect URI may have a query, which stays as it is.
    async fn a_redirect_uri_with_a_query_is_registered_as_it_is(db) {
        let idp = open(db).await;
        let uri = "https://late.example/cb?a=b%20c&d";
        let client = registered(&idp, &with(&[("redirect_uris", json!([uri]))])).await;
        assert_eq!(client["redirect_uris"], json!([uri]));
        let alice = idp.signed_up("alice").await;
        let parameters = [("redirect_uri", uri), ("scope", "openid"), ("prompt", "none")];
        let answer = alice.authorize(client["client_id"].as_str().unwrap(), &parameters).await;
        assert!(location(&answer).starts_with(&format!("{uri}&error=consent_required&")));
    }

    /// RFC 7591 §3.2.2.
    async fn what_cannot_be_registered_is_refused_by_name(db) {
        let idp = open(db).await;
        for uris in [
            json!([]), Value::Null, json!(["http://late.example/cb"]), json!(["javascript:alert(1)"]), json!(["https://late.example/#x"]),
            json!(["https://u:p@late.example/"]), json!(["/cb"]), json!([URI, "https://late.example/\u{e9}"]), json!(["https://late.example/\u{0}"]),
        ] {
            assert_eq!(refused(register(&idp, &with(&[("redirect_uris", uris.clone())]))).await, "invalid_redirect_uri", "{uris}");
        }
        let private = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]});
        let keys = json!({"keys": [Key::generate("ES256").jwk("a")]});
        for (name, value) in [
            ("redirect_uris", json!(URI)), ("redirect_uris", json!([1])), ("token_endpoint_auth_method", json!("client_secret_jwt")),
            ("token_endpoint_auth_method", json!("private_key_jwt")), ("grant_types", json!(["implicit"])), ("grant_types", json!(["password"])),
            ("grant_types", json!(["authorization_code", "client_credentials"])), ("grant_types", json!("authorization_code")),
            ("response_types", json!(["token"])), ("response_types", json!(["code", "id_token"])), ("response_types", json!([])),
            ("client_name", json!("")), ("client_name", json!(" ")), ("client_name", json!("a\u{0}b")), ("client_name", json!("a\nb")),
            ("client_name", json!("evil\u{202e}elpmaxe")), ("client_name", json!("a\u{200b}")), ("client_name", json!("x".repeat(101))), ("client_name", json!(1)),
            ("client_uri", json!("javascript:alert(1)")), ("logo_uri", json!("data:image/svg+xml,x")), ("tos_uri", json!("x")),
            ("policy_uri", json!("http://late.example/")), ("initiate_login_uri", json!("http://late.example/")), ("contacts", json!(["\u{0}"])),
            ("scope", json!("admin:everything")), ("scope", json!("\"")), ("scope", json!("")), ("scope", json!(["openid"])),
            ("jwks", private), ("jwks_uri", json!("http://late.example/keys")), ("software_id", json!("\u{7f}")),
            ("post_logout_redirect_uris", json!(["http://late.example/"])), ("backchannel_logout_uri", json!("http://late.example/")),
            ("backchannel_logout_uri", json!("https://late.example/#x")), ("backchannel_logout_session_required", json!("yes")),
            ("id_token_signed_response_alg", json!("none")), ("id_token_signed_response_alg", json!("HS256")), ("subject_type", json!("pairwise")),
            ("application_type", json!("toaster")), ("id_token_encrypted_response_alg", json!("RSA-OAEP")), ("userinfo_signed_response_alg", json!("RS256")),
            ("client_secret_expires_at", json!(0)), ("registration_access_token", json!("x")),
        ] {
            assert_eq!(refused(register(&idp, &with(&[(name, value.clone())]))).await, "invalid_client_metadata", "{name}: {value}");
        }
        let both = with(&[("token_endpoint_auth_method", json!("private_key_jwt")), ("jwks", keys), ("jwks_uri", json!("https://late.example/keys"))]);
        assert_eq!(refused(register(&idp, &both)).await, "invalid_client_metadata");
        for (kind, body) in [("application/json", "{"), ("application/json", "[]"), ("application/json", ""), ("text/plain", "{}"), ("application/json", "\"x\"")] {
            let request = idp.http.post(idp.at("/register")).header("content-type", kind).body(body);
            assert_eq!(refused(request).await, "invalid_client_metadata", "{kind} {body}");
        }
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let request = idp.http.post(idp.at("/register")).header("content-type", "application/json").body(format!("{{\"x\":{deep}}}"));
        assert_eq!(refused(request).await, "invalid_client_metadata");
        assert!(clients::list_registered(&idp.operator).await.unwrap().is_empty());
    }

    /// RFC 7591 §3: the operator's token, as often as they said and as long.
    async fn by_default_an_operators_token_is_needed(db) {
        let idp = TestIdp::new(db).await;
        let token = async |uses, lifetime| {
            let expires_at = idp.clock.now() + TimeDelta::minutes(lifetime);
            clients::allow_registration(&idp.operator, uses, expires_at, idp.clock.now()).await.unwrap().expose_secret().to_owned()
        };
        let once = token(1, 5).await;
        assert!(once.starts_with("lki_"));
        assert!(is_unauthorized(register(&idp, &good())).await);
        for wrong in ["lki_wrong", "", "%00"] {
            assert!(is_unauthorized(register(&idp, &good()).header("authorization", format!("Bearer {wrong}").trim())).await);
        }
        let basic = register(&idp, &good()).basic_auth(&once, Some(&once));
        assert!(is_unauthorized(basic).await);
        // A mistake uses nothing up.
        assert_eq!(refused(register(&idp, &json!({})).bearer_auth(&once)).await, "invalid_redirect_uri");
        let machine = json!({"grant_types": ["client_credentials"], "scope": "tasks:read"});
        let (status, client) = answer(register(&idp, &machine).bearer_auth(&once)).await;
        assert_eq!(status, StatusCode::CREATED, "{client}");
        assert_eq!(client["response_types"], json!([]));
        assert!(is_unauthorized(register(&idp, &good()).bearer_auth(&once)).await);
        assert!(is_unauthorized(register(&idp, &good()).bearer_auth(client["registration_access_token"].as_str().unwrap())).await);
        let form = [("grant_type", "client_credentials")];
        let request = idp.http.post(idp.at("/token")).form(&form);
        let (status, _) = answer(request.basic_auth(client["client_id"].as_str().unwrap(), client["client_secret"].as_str())).await;
        assert_eq!(status, StatusCode::OK);

        let thrice = token(3, 5).await;
        let metadata = good();
        let answers = futures_util::future::join_all((0..50).map(|_| answer(register(&idp, &metadata).bearer_auth(&thrice)))).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count(), 3);
        let late = token(3, 5).await;
        idp.clock.advance(TimeDelta::minutes(5));
        assert!(is_unauthorized(register(&idp, &good()).bearer_auth(&late)).await);
    }

    /// RFC 7592 §2.1.
    async fn a_client_reads_its_registration(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        let (status, read) = answer(manage(&idp, Method::GET, &client)).await;
        assert_eq!(status, StatusCode::OK);
        let mut expected = client.clone();
        // Only its hash is known.
        expected.as_object_mut().unwrap().remove("client_secret");
        assert_eq!(read, expected);
    }

    /// RFC 7592 §2.2.
    async fn a_client_replaces_its_registration(db) {
        let idp = open(db).await;
        let client = registered(&idp, &with(&[("client_uri", json!("https://late.example/")), ("scope", json!("openid email"))])).await;
        let id = &client["client_id"];
        assert_eq!(tokens(&idp, "alice", &client).await.0, StatusCode::OK);
        let change = |more: &[(&str, Value)]| {
            let metadata = with(&[&[("client_id", id.clone())], more].concat());
            answer(manage(&idp, Method::PUT, &client).json(&metadata))
        };
        let (status, changed) = change(&[("client_name", json!("Later")), ("client_secret", client["client_secret"].clone())]).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        assert_eq!((&changed["client_name"], &changed["scope"]), (&json!("Later"), &json!("email openid profile")));
        assert!(changed.get("client_uri").is_none(), "what is left out is gone");
        assert!(changed.get("client_secret").is_none(), "it stays");
        assert_eq!(changed["registration_access_token"], client["registration_access_token"]);
        assert_eq!(changed["client_id_issued_at"], client["client_id_issued_at"]);
        let (_, read) = answer(manage(&idp, Method::GET, &client)).await;
        assert_eq!(read, changed);
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        assert_eq!(tokens(&idp, "bob", &client).await.0, StatusCode::OK, "with the same secret");

        for (name, value) in [
            ("client_id", Value::Null), ("client_id", json!("web")), ("client_secret", json!("lks_my-own-choice-0123456789-0123456789")),
            ("registration_access_token", client["registration_access_token"].clone()), ("client_id_issued_at", json!(1)), ("grant_types", json!(["implicit"])),
        ] {
            assert_eq!(change(&[(name, value)]).await.0, StatusCode::BAD_REQUEST, "{name}");
        }
        let (status, public) = change(&[("token_endpoint_auth_method", json!("none"))]).await;
        assert_eq!((status, public.get("client_secret_expires_at")), (StatusCode::OK, None));
        let (_, again) = change(&[]).await;
        assert!(again["client_secret"].is_string() && again["client_secret"] != client["client_secret"], "a new one");
    }

    /// People allowed what they were shown, not what it has become.
    async fn who_has_allowed_a_client_is_asked_again_when_it_calls_itself_something_else(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        let id = client["client_id"].as_str().unwrap();
        let alice = idp.signed_up("alice").await;
        let parameters = [("redirect_uri", URI), ("scope", "openid")];
        let page = alice.get(&location(&alice.authorize(id, &parameters).await)).await;
        alice.submit(page, &[("decision", "allow")]).await;
        assert!(location(&alice.authorize(id, &parameters).await).starts_with(URI));
        for (change, asked) in [(("policy_uri", json!("https://late.example/")), false), (("client_name", json!("The Bank")), true)] {
            let metadata = with(&[("client_id", client["client_id"].clone()), change]);
            assert_eq!(answer(manage(&idp, Method::PUT, &client).json(&metadata)).await.0, StatusCode::OK);
            let answer = alice.authorize(id, &parameters).await;
            assert_eq!(location(&answer).starts_with("/consent"), asked);
        }
    }

    /// Anybody could register, for people only; now an operator's token is needed, which this client never had.
    async fn what_a_registration_was_made_for_stays_when_others_may_register(db) {
        let idp = open(db).await;
        let machine = |client: &Value| with(&[
            ("client_id", client["client_id"].clone()), ("grant_types", json!(["authorization_code", "client_credentials"])),
        ]);
        let for_people = registered(&idp, &good()).await;
        assert_eq!(refused(manage(&idp, Method::PUT, &for_people).json(&machine(&for_people))).await, "invalid_client_metadata");
        let idp = idp.restarted(|config| config.registration = Registration::Token).await;
        let mut moved = for_people.clone();
        moved["registration_client_uri"] = idp.at(&format!("/register/{}", for_people["client_id"].as_str().unwrap())).into();
        assert_eq!(refused(manage(&idp, Method::PUT, &moved).json(&machine(&moved))).await, "invalid_client_metadata");
        assert_eq!(answer(manage(&idp, Method::PUT, &moved).json(&with(&[("client_id", moved["client_id"].clone())]))).await.0, StatusCode::OK);
        assert!(!clients::find(&idp.operator, for_people["client_id"].as_str().unwrap()).await.unwrap().grant_types.has("client_credentials"));
        let token = clients::allow_registration(&idp.operator, 1, idp.clock.now() + TimeDelta::hours(1), idp.clock.now()).await.unwrap();
        let (_, for_itself) = answer(register(&idp, &good()).bearer_auth(token.expose_secret())).await;
        assert_eq!(answer(manage(&idp, Method::PUT, &for_itself).json(&machine(&for_itself))).await.0, StatusCode::OK);
    }

    async fn a_body_that_is_too_large_is_said_to_be(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        let huge = with(&[("client_id", client["client_id"].clone()), ("client_uri", json!("x".repeat(70_000)))]);
        for request in [register(&idp, &huge), manage(&idp, Method::PUT, &client).json(&huge)] {
            let response = request.send().await.unwrap();
            assert_eq!((response.status(), &response.headers()["cache-control"]), (StatusCode::PAYLOAD_TOO_LARGE, &"no-store".parse().unwrap()));
            assert_eq!(response.headers()["connection"], "close");
            assert_eq!(response.json::<Value>().await.unwrap(), json!({"error": "invalid_request"}));
        }
    }

    async fn scripts_of_other_origins_may_manage_their_registration(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let preflight = manage(&idp, Method::OPTIONS, &client)
                .header("origin", "https://spa.example")
                .header("access-control-request-method", method.as_str())
                .header("access-control-request-headers", "authorization,content-type");
            let response = preflight.send().await.unwrap();
            let allowed = response.headers()["access-control-allow-methods"].to_str().unwrap();
            assert!(allowed.split(',').any(|allowed| allowed == method.as_str()), "{method}: {allowed}");
        }
        let read = manage(&idp, Method::GET, &client).header("origin", "https://spa.example").send().await.unwrap();
        assert_eq!((&read.headers()["access-control-allow-origin"], &read.headers()["pragma"]), (&"*".parse().unwrap(), &"no-cache".parse().unwrap()));
    }

    /// RFC 7592 §2.3.
    async fn a_client_removes_itself_with_all_it_was_given(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        let (_, tokens) = tokens(&idp, "alice", &client).await;
        let response = manage(&idp, Method::DELETE, &client).send().await.unwrap();
        assert_eq!((response.status(), response.text().await.unwrap()), (StatusCode::NO_CONTENT, String::new()));
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        for method in [Method::GET, Method::DELETE] {
            assert!(is_unauthorized(manage(&idp, method, &client)).await);
        }
        assert!(is_unauthorized(manage(&idp, Method::PUT, &client).json(&with(&[("client_id", client["client_id"].clone())]))).await);
    }

    async fn a_client_that_the_operator_has_declared_is_not_its_own_any_more(db) {
        let idp = open(db).await;
        let client = registered(&idp, &good()).await;
        let id = client["client_id"].as_str().unwrap();
        let ours = ClientConfig {
            client_id: id.to_owned(),
            name: "Ours".to_owned(),
            redirect_uris: vec![URI.to_owned()],
            ..ClientConfig::default()
        };
        let now = idp.clock.now();
        clients::declare(&idp.operator, &[crate::fixture::clients(), vec![ours]].concat(), now).await.unwrap();
        let change = || manage(&idp, Method::PUT, &client).json(&with(&[("client_id", client["client_id"].clone())]));
        assert!(is_unauthorized(manage(&idp, Method::GET, &client)).await);
        assert!(is_unauthorized(change()).await);
        assert!(is_unauthorized(manage(&idp, Method::DELETE, &client)).await);
        let stored = clients::find(&idp.operator, id).await.unwrap();
        assert!(stored.declared && stored.name == "Ours");
        assert!(clients::list_registered(&idp.operator).await.unwrap().is_empty());

        // Nor does the token come back to life when the client is declared no more.
        clients::declare(&idp.operator, &crate::fixture::clients(), now).await.unwrap();
        assert!(is_unauthorized(change()).await);
    }

    /// Changing or removing itself while it is being declared: what the configuration says is what is left.
    async fn a_client_cannot_race_the_configuration(db) {
        let idp = open(db).await;
        let now = idp.clock.now();
        for method in [Method::PUT, Method::DELETE] {
            let client = registered(&idp, &good()).await;
            let id = client["client_id"].as_str().unwrap();
            let ours = ClientConfig { client_id: id.to_owned(), name: "Ours".to_owned(), redirect_uris: vec![URI.to_owned()], ..ClientConfig::default() };
            let configured = [crate::fixture::clients(), vec![ours]].concat();
            let metadata = with(&[("client_id", client["client_id"].clone())]);
            let changes = futures_util::future::join_all((0..50).map(|_| answer(manage(&idp, method.clone(), &client).json(&metadata))));
            let (answers, declared) = tokio::join!(changes, clients::declare(&idp.operator, &configured, now));
            declared.unwrap();
            assert!(answers.iter().all(|(status, _)| !status.is_server_error()), "{method} {answers:?}");
            let stored = clients::find(&idp.operator, id).await.unwrap();
            assert!(stored.declared && stored.name == "Ours", "{method}");
        }
    }

    /// RFC 7592 §2: nobody learns which clients there are.
    async fn a_registration_is_its_own_clients_alone(db) {
        let idp = open(db).await;
        let (mine, other) = (registered(&idp, &good()).await, registered(&idp, &good()).await);
        let token = mine["registration_access_token"].as_str().unwrap();
        for id in [other["client_id"].as_str().unwrap(), "web", "spa", "unknown", "%00", "%ff", "%E2%82%AC", "a%2Fb"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let request = || idp.http.request(method.clone(), idp.at(&format!("/register/{id}"))).json(&with(&[("client_id", json!(id))]));
                let with_mine = request().bearer_auth(token).send().await.unwrap().status();
                assert_eq!(with_mine, StatusCode::UNAUTHORIZED, "{method} {id}");
                assert_ne!(request().send().await.unwrap().status(), StatusCode::OK, "{method} {id}");
            }
        }
        let secret = mine["client_secret"].as_str().unwrap();
        let id = mine["client_id"].as_str().unwrap();
        for wrong in [secret, "lkt_wrong", other["registration_access_token"].as_str().unwrap()] {
            assert!(is_unauthorized(idp.http.get(idp.at(&format!("/register/{id}"))).bearer_auth(wrong)).await);
        }
        assert!(is_unauthorized(idp.http.get(idp.at(&format!("/register/{id}"))).basic_auth(id, Some(secret))).await);
        clients::remove(&idp.operator, id, idp.clock.now()).await.unwrap();
        assert!(is_unauthorized(manage(&idp, Method::GET, &mine)).await);
    }

    async fn when_it_is_closed_there_is_no_such_place(db) {
        let idp = TestIdp::with(db, |config| config.registration = Registration::Closed).await;
        let expires_at = idp.clock.now() + TimeDelta::hours(1);
        let token = clients::allow_registration(&idp.operator, 1, expires_at, idp.clock.now()).await.unwrap();
        let request = register(&idp, &good()).bearer_auth(token.expose_secret());
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        assert_eq!(idp.http.get(idp.at("/register/web")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let (_, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert!(metadata.get("registration_endpoint").is_none());
        let other = TestIdp::new(platform::testing::sqlite()).await;
        let (_, metadata) = answer(other.http.get(other.at("/.well-known/openid-configuration"))).await;
        assert_eq!(metadata["registration_endpoint"], other.at("/register"));
    }

    async fn where_anybody_may_register_one_network_cannot_do_so_without_end(db) {
        let idp = TestIdp::with(db, |config| {
            config.registration = Registration::Open;
            config.throttle.per_network = 3;
        }).await;
        for _ in 0..3 {
            registered(&idp, &good()).await;
        }
        let response = register(&idp, &good()).send().await.unwrap();
        assert_eq!((response.status(), &response.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap()));
        idp.clock.advance(TimeDelta::seconds(1));
        registered(&idp, &good()).await;
    }

    async fn registered_clients_are_held_to_the_profile_that_the_operator_says(db) {
        let idp = TestIdp::with(db, |config| {
            config.registration = Registration::Open;
            config.registration_profile = Some(Profile::Oauth21);
        }).await;
        let client = registered(&idp, &good()).await;
        let stored = clients::find(&idp.operator, client["client_id"].as_str().unwrap()).await.unwrap();
        assert_eq!((stored.profile, stored.require_pkce), (Profile::Oauth21, true));
    }
}
