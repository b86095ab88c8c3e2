//! The token endpoint apart from codes and refresh tokens: client credentials, and requests that are none.

use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{API, SECRET, TestIdp, answer, claims, refused};

on_each_database! {
    /// RFC 6749 §4.4 and RFC 9068 §2.2: the client is the subject; no refresh token, no ID token.
    async fn a_client_acts_as_itself(db) {
        let idp = TestIdp::new(db).await;
        let (status, tokens) = idp.token("robot", &[("grant_type", "client_credentials")]).await;
        assert_eq!(status, StatusCode::OK);
        let access = claims(&tokens["access_token"]);
        assert_eq!((&access["sub"], &access["client_id"], &access["aud"]), (&"robot".into(), &"robot".into(), &API.into()));
        assert_eq!(access["scope"], "tasks:read tasks:write", "nothing that is about people");
        assert!(access.get("sid").is_none());
        assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
        assert!(idp.is_active("robot", &tokens["access_token"]).await);
    }

    async fn a_client_gets_no_more_than_it_is_registered_for(db) {
        let idp = TestIdp::new(db).await;
        let grant = ("grant_type", "client_credentials");
        let (_, tokens) = idp.token("robot", &[grant, ("scope", "tasks:read"), ("resource", "https://files.example")]).await;
        assert_eq!(claims(&tokens["access_token"])["scope"], "tasks:read");
        let access = claims(&tokens["access_token"]);
        assert_eq!(access["aud"], "https://files.example");
        let lifetime = access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap();
        assert_eq!((lifetime, &tokens["expires_in"]), (120, &120.into()), "this API has a lifetime of its own");
        for scope in ["openid", "tasks:read admin", "tasks:read openid", "\"", "\u{e9}"] {
            assert_eq!(idp.token("robot", &[grant, ("scope", scope)]).await, refused("invalid_scope"), "{scope}");
        }
        for resource in ["https://elsewhere.example", "nonsense"] {
            let asked = [grant, ("resource", resource)];
            assert_eq!(idp.token("robot", &asked).await, refused("invalid_target"), "{resource}");
        }
        for client in ["web", "spa", "poster"] {
            assert_eq!(idp.token(client, &[grant]).await, refused("unauthorized_client"), "{client}");
        }
    }

    async fn what_is_no_token_request_gets_its_error(db) {
        let idp = TestIdp::new(db).await;
        let post = || idp.http.post(idp.at("/token")).basic_auth("robot", Some(SECRET));
        let form = |body: &str| {
            post().header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
        };
        let wrong = [
            (post().json(&serde_json::json!({"grant_type": "client_credentials"})), "invalid_request"),
            (post().body("grant_type=client_credentials"), "invalid_request"),
            (form(""), "invalid_request"),
            (form("grant_type="), "invalid_request"),
            (form("grant_type=client_credentials&grant_type=client_credentials"), "invalid_request"),
            (form("grant_type=client_credentials&scope=tasks:read&scope=tasks:write"), "invalid_request"),
            (form("grant_type=implicit"), "unsupported_grant_type"),
            (form("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer"), "unsupported_grant_type"),
            (form("grant_type=%FF%FE"), "invalid_request"),
            (form("grant_type=authorization_code&code=x"), "unauthorized_client"),
        ];
        for (index, (request, error)) in wrong.into_iter().enumerate() {
            assert_eq!(answer(request).await, refused(error), "case {index}");
        }
        let huge = "a=".repeat(100_000);
        let answer = form(&huge).send().await.unwrap();
        assert_eq!((answer.status(), &answer.headers()["cache-control"]), (StatusCode::PAYLOAD_TOO_LARGE, &"no-store".parse().unwrap()));
        assert_eq!(answer.headers()["connection"], "close", "nobody reads the rest");
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), serde_json::json!({"error": "invalid_request"}));
        for (bytes, status) in [(31_000, StatusCode::OK), (33_000, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
            let large = idp.http.get(idp.at("/jwks")).header("x-large", "x".repeat(bytes)).send().await.unwrap();
            assert_eq!(large.status(), status, "{bytes} bytes of headers");
        }
        let get = idp.http.get(idp.at("/token?grant_type=client_credentials")).basic_auth("robot", Some(SECRET));
        assert_eq!(get.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    /// RFC 6749 §5.1: the answers that hold tokens or claims, and those that refuse them.
    async fn no_answer_to_a_client_is_kept_by_anybody(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let token = tokens["access_token"].as_str().unwrap();
        let form = |path, fields: &[(&str, &str)]| idp.authenticated(path, "web", fields);
        let challenge = crate::fixture::code_challenge(crate::fixture::VERIFIER);
        let redirect_uri = crate::fixture::redirect_uri("web");
        let pushed = [("response_type", "code"), ("redirect_uri", redirect_uri.as_str()), ("code_challenge", &challenge), ("code_challenge_method", "S256")];
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        let requests = [
            (form("/token", &refresh), StatusCode::OK),
            (form("/token", &[]), StatusCode::BAD_REQUEST),
            (form("/par", &pushed), StatusCode::CREATED),
            (form("/par", &[]), StatusCode::BAD_REQUEST),
            (form("/introspect", &[("token", token)]), StatusCode::OK),
            (form("/introspect", &[]), StatusCode::BAD_REQUEST),
            (idp.http.get(idp.at("/userinfo")).bearer_auth(token), StatusCode::OK),
            (idp.http.get(idp.at("/userinfo")), StatusCode::UNAUTHORIZED),
            (idp.http.post(idp.at("/register")), StatusCode::UNAUTHORIZED),
            (form("/device_authorization", &[]), StatusCode::BAD_REQUEST),
            (form("/revoke", &[("token", token)]), StatusCode::OK),
            (idp.http.get(idp.at("/token")), StatusCode::METHOD_NOT_ALLOWED),
        ];
        for (request, status) in requests {
            let answer = request.send().await.unwrap();
            let path = answer.url().path().to_owned();
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.headers()["cache-control"], "no-store", "{path} {status}");
            assert_eq!(answer.headers()["pragma"], "no-cache", "{path} {status}");
        }
    }

    /// Browser-based public clients call these endpoints themselves; no cookie is ever involved.
    async fn scripts_of_other_origins_may_call_what_needs_no_cookie(db) {
        let idp = TestIdp::new(db).await;
        for path in ["/token", "/userinfo", "/revoke", "/jwks", "/.well-known/openid-configuration"] {
            let preflight = idp.http.request(reqwest::Method::OPTIONS, idp.at(path))
                .header("origin", "https://spa.example")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type");
            let response = preflight.send().await.unwrap();
            assert_eq!(response.headers()["access-control-allow-origin"], "*", "{path}");
            assert!(response.headers().get("access-control-allow-credentials").is_none(), "{path}");
        }
        for path in ["/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
            let document = idp.http.get(idp.at(path)).header("origin", "https://spa.example").send().await.unwrap();
            assert_eq!(document.headers()["access-control-allow-origin"], "*", "{path}");
        }
        let page = idp.http.get(idp.at("/login")).header("origin", "https://spa.example").send().await.unwrap();
        assert!(page.headers().get("access-control-allow-origin").is_none());
    }
}
