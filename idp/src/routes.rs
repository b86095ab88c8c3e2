//! Every route.

use axum::{
    Router,
    handler::Handler,
    http::{Method, StatusCode, header},
    middleware,
    routing::{MethodRouter, get, options, post},
};
use platform::{
    dpop::{DPOP, DPOP_NONCE},
    http::Observed,
    pages,
};
use tower_http::cors::{self, CorsLayer};

use crate::{App, Config, account, config::Registration, oauth2, oidc, refusals};

/// Scripts of any origin may call what is authenticated by what they bring, never by a cookie: apps that run
/// in a browser are public clients.
fn any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(cors::Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, DPOP.clone()])
        .expose_headers([header::WWW_AUTHENTICATE, DPOP_NONCE.clone()])
        .vary([]) // the same for every origin
}

/// What everybody fetches again and again says by itself that scripts of any origin may read it
/// ([`oidc::document`]): the layer would cost a tenth of the whole answer. Preflights are rare.
fn document<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    get(handler).merge(options(async || StatusCode::NO_CONTENT).layer(any_origin()))
}

/// Where apps register themselves, if they may; by other methods than its neighbours know.
fn registration(config: &Config) -> Router<App> {
    use oauth2::register;
    match config.registration {
        Registration::Closed => Router::new(),
        Registration::Token | Registration::Open => Router::new()
            .route("/register", post(register::post))
            .route("/register/{client_id}", get(register::get).put(register::put).delete(register::delete))
            .layer(middleware::map_response(oauth2::error::finish))
            .layer(any_origin().allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])),
    }
}

/// Log-in by a mailed code, if there is one.
fn mailed_codes(config: &Config) -> Router<App> {
    use account::mailed_code;
    if !config.mailed_code_login {
        return Router::new();
    }
    Router::new()
        .route("/login/code", get(mailed_code::get).post(mailed_code::post))
        .route("/login/code/enter", get(mailed_code::enter).post(mailed_code::log_in))
}

/// Mail, as a page: while there is no server for it, and on this machine only.
fn mailbox(config: &Config) -> Router<App> {
    if config.mail.host.is_some() || !config.is_on_this_machine() {
        return Router::new();
    }
    Router::new().route("/dev/mail", get(account::mailbox::get))
}

pub(crate) fn router(app: App) -> Router {
    let documents = Router::new()
        .route("/.well-known/openid-configuration", document(oidc::discovery::get))
        .route("/.well-known/oauth-authorization-server", document(oidc::discovery::get))
        .route("/jwks", document(oidc::jwks::get));
    let machines = Router::new()
        .route("/token", post(oauth2::token::post))
        .route("/par", post(oauth2::par::post))
        .route("/device_authorization", post(oauth2::device::post))
        .route("/revoke", post(oauth2::revoke::post))
        .route("/introspect", post(oauth2::introspect::post))
        .route("/userinfo", get(oidc::userinfo::get).post(oidc::userinfo::post))
        .layer(middleware::map_response(oauth2::error::finish))
        .layer(any_origin());
    let people = Router::new()
        .route("/", get(account::home::landing))
        .route("/authorize", get(oauth2::authorize::get).post(oauth2::authorize::post))
        .route("/authorize/resume", get(oauth2::authorize::resume))
        .route("/authorize/cancel", post(oauth2::authorize::cancel))
        .route("/login", get(account::sign_in::get).post(account::sign_in::post))
        .route("/login/second", get(account::second::get).post(account::second::post))
        .route("/login/setup", get(account::setup::get).post(account::setup::post))
        .route("/login/upstream", get(account::upstream::known))
        .route("/login/upstream/{id}", post(account::upstream::begin))
        .route("/login/upstream/{id}/callback", get(account::upstream::callback))
        .route(
            "/signup/upstream",
            get(account::upstream::sign_up::get).post(account::upstream::sign_up::post),
        )
        .route("/signup", get(account::sign_up::get).post(account::sign_up::post))
        .route("/login/restore", get(account::restore::get).post(account::restore::post))
        .route("/password/strength", post(account::strength::post))
        .route("/signup/sent", get(account::sign_up::sent))
        .route("/signup/confirm", get(account::email_links::open_sign_up).post(account::email_links::sign_up))
        .route("/forgot", get(account::recovery::get).post(account::recovery::post))
        .route("/forgot/sent", get(account::recovery::sent))
        .route("/reset", get(account::recovery::open).post(account::recovery::choose_password))
        .route("/email/unconfirmed", get(account::email_links::unconfirmed))
        .route("/email/confirm", get(account::email_links::open_confirm).post(account::email_links::confirm))
        .route(
            "/email/take-back",
            get(account::email_links::open_take_back).post(account::email_links::take_back),
        )
        .route("/consent", get(account::consent::get).post(account::consent::post))
        .route("/device", get(account::device::get).post(account::device::post))
        .route("/device/confirm", get(account::device::confirm).post(account::device::decide))
        .route("/account", get(account::home::account))
        .route("/account/profile", get(account::profile::get).post(account::profile::post))
        .route("/account/security", get(account::security::get))
        .route("/account/password", get(account::password::get).post(account::password::post))
        .route("/account/sessions", get(account::sessions::get))
        .route("/account/sessions/end", post(account::sessions::end))
        .route("/account/sessions/end-others", post(account::sessions::end_others))
        .route("/account/apps", get(account::apps::get))
        .route("/account/apps/disconnect", post(account::apps::disconnect))
        .route("/account/apps/disconnect-device", post(account::apps::disconnect_device))
        .route("/account/data", get(account::data::get))
        .route("/account/data/export", post(account::data::export))
        .route("/account/data/delete", get(account::data::confirm).post(account::data::delete))
        .route("/account/totp", get(account::totp::get).post(account::totp::post))
        .route("/account/totp/setup", get(account::totp::setup))
        .route("/account/totp/off", post(account::totp::off))
        .route(
            "/account/recovery-codes",
            get(account::recovery_codes::get).post(account::recovery_codes::post),
        )
        .route("/account/activity", get(account::activity::get))
        .route("/account/linked", get(account::linked::get))
        .route("/account/linked/add", post(account::linked::add))
        .route("/account/linked/remove", post(account::linked::remove))
        .route(
            "/account/linked/confirm",
            get(account::upstream::link::get).post(account::upstream::link::post),
        )
        .route("/account/email", get(account::email::get).post(account::email::post))
        .route("/account/email/send", post(account::email::send))
        .route("/account/email/confirm", get(account::email::open).post(account::email::confirm))
        .merge(mailed_codes(&app.config))
        .merge(mailbox(&app.config))
        .route("/logout", get(oidc::logout::get).post(oidc::logout::post))
        .route("/logout/confirm", post(oidc::logout::confirm))
        .merge(account::passkeys::router(&app))
        .fallback(account::not_found)
        .layer(middleware::from_fn_with_state(app.site.clone(), pages::layer));
    let observed = Observed {
        service: "idp",
        https: app.site.https(),
        trusted_proxies: app.config.trusted_proxies.clone().into(),
    };
    let (db, assets) = (app.db.clone(), app.place.router());
    let routes = machines
        .merge(registration(&app.config))
        .merge(people)
        .layer(middleware::from_fn_with_state(app.refusals.clone(), refusals::layer))
        .merge(documents)
        .with_state(app)
        .merge(assets);
    platform::http::finish(routes, observed, db)
}
