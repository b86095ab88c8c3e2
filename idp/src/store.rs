//! One module per table; the only place with SQL. Knows no HTTP.

pub mod audit_events;
pub mod authorization_codes;
pub mod authorization_requests;
pub mod client_assertions;
pub mod client_metadata_documents;
pub mod client_registrations;
pub mod clients;
pub mod consents;
pub mod device_authorizations;
pub mod factors;
pub mod grants;
pub mod ids;
pub mod initial_access_tokens;
pub mod logout_deliveries;
pub mod mail_links;
pub mod mailed_codes;
pub mod outbox;
pub mod passkey_ceremonies;
pub mod passkeys;
pub mod personal_data;
pub mod pushed_authorization_requests;
pub mod recovery_codes;
pub mod refresh_tokens;
pub mod refusals;
pub mod restorations;
pub mod revoked_access_tokens;
pub mod sessions;
pub mod sign_ins;
pub mod sign_ups;
mod sweep;
pub mod throttles;
pub mod totp_secrets;
pub mod totp_setups;
pub mod upstream_arrivals;
pub mod upstream_identities;
pub mod upstream_sign_ins;
pub mod users;

use platform::db::Migrations;

pub use ids::{ClientId, GrantId, MailId, PasskeyId, SessionId, SignUpId, UserId, Words};
pub use platform::db::{Conn, Error, Tx};
pub use sweep::sweep;

/// The tables of the identity provider.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../migrations/idp/sqlite"),
    postgres: sqlx::migrate!("../migrations/idp/postgres"),
};
