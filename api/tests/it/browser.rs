//! What browsers and programs that come across the API see: CORS, metadata, documentation.

use platform::on_each_database;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{TestApi, header};

const APP: &str = "http://localhost:3000";

impl TestApi {
    async fn preflight(&self, origin: &str, method: &str) -> Response {
        self.http
            .request(Method::OPTIONS, format!("{}/api/me/tasks", self.url))
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type")
            .send()
            .await
            .unwrap()
    }
}

on_each_database! {
    async fn scripts_of_the_configured_origins_may_call_the_api(db) {
        let api = TestApi::new(db).await;
        let preflight = api.preflight(APP, "PATCH").await;
        assert_eq!(preflight.status(), 200);
        assert_eq!(header(&preflight, "access-control-allow-origin"), APP);
        assert!(header(&preflight, "vary").contains("origin"), "{}", header(&preflight, "vary"));
        let allowed = header(&preflight, "access-control-allow-headers");
        for name in ["authorization", "content-type", "if-match", "idempotency-key"] {
            assert!(allowed.contains(name), "{name}: {allowed}");
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            assert!(header(&preflight, "access-control-allow-methods").contains(method), "{method}");
        }
        assert!(!preflight.headers().contains_key("access-control-allow-credentials"));

        // Refusals too, or a script could not read them.
        let without_token = api.http.get(format!("{}/api/me/tasks", api.url)).header("origin", APP);
        let unknown = api.request(Method::GET, "/nothing").header("origin", APP);
        let method = api.request(Method::PUT, "/api/me/tasks").header("origin", APP);
        let good = api.request(Method::GET, "/api/me/tasks").header("origin", APP);
        for (request, status) in [(without_token, 401), (unknown, 404), (method, 405), (good, 200)] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "access-control-allow-origin"), APP, "{status}");
            let exposed = header(&response, "access-control-expose-headers");
            for name in ["etag", "link", "location", "www-authenticate", "x-request-id"] {
                assert!(exposed.contains(name), "{name}: {exposed}");
            }
        }
    }

    async fn scripts_of_other_origins_may_not(db) {
        let api = TestApi::new(db).await;
        let others =
            ["null", "https://localhost:3000", "http://localhost:3001", "http://localhost:3000.evil.example", "http://evil.example"];
        for origin in others {
            let preflight = api.preflight(origin, "GET").await;
            assert_eq!(header(&preflight, "access-control-allow-origin"), "", "{origin}");
            let request = api.request(Method::GET, "/api/me/tasks").header("origin", origin);
            assert_eq!(header(&request.send().await.unwrap(), "access-control-allow-origin"), "", "{origin}");
        }
    }

    /// RFC 9728 §2, §3
    async fn a_client_finds_out_who_issues_tokens(db) {
        let api = TestApi::new(db).await;
        let response = api.http.get(format!("{}/.well-known/oauth-protected-resource", api.url)).send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "application/json");
        let metadata: Value = response.json().await.unwrap();
        assert_eq!(metadata["resource"], api.url);
        assert_eq!(metadata["authorization_servers"], json!([api.issuer.url]));
        assert_eq!(metadata["scopes_supported"], json!(["tasks:read", "tasks:write"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }

    /// §3.1: a resource with a path has its metadata below a path of their own.
    async fn the_metadata_of_an_api_below_a_path_are_where_the_challenge_says(db) {
        let api = TestApi::with(db, crate::issuer::Issuer::start(), |config| config.public_url += "/v1").await;
        let response = api.http.get(format!("{}/api/me/tasks", api.url)).send().await.unwrap();
        let challenge = header(&response, "www-authenticate");
        let url = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"').to_owned();
        assert_eq!(url, format!("{}/.well-known/oauth-protected-resource/v1", api.url));
        let metadata: Value = api.http.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["resource"], format!("{}/v1", api.url));
    }

    async fn the_openapi_document_describes_every_endpoint(db) {
        let api = TestApi::new(db).await;
        let document: Value = api.http.get(format!("{}/openapi.json", api.url)).send().await.unwrap().json().await.unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        assert_eq!(document["servers"][0]["url"], api.url);
        let one = "/api/{user_id}/tasks/{id}";
        let endpoints = [
            ("/api/{user_id}/tasks", "get", "200", "tasks:read"),
            ("/api/{user_id}/tasks", "post", "201", "tasks:write"),
            (one, "get", "200", "tasks:read"),
            (one, "put", "200", "tasks:write"),
            (one, "patch", "200", "tasks:write"),
            (one, "delete", "204", "tasks:write"),
            ("/api/{user_id}/tasks/{id}/complete", "patch", "200", "tasks:write"),
        ];
        for (path, method, status, scope) in endpoints {
            let operation = &document["paths"][path][method];
            assert_eq!(operation["security"], json!([{"openid": [scope]}]), "{method} {path}");
            let mut expected = vec![status, "400", "401", "403", "500", "503"];
            if path != "/api/{user_id}/tasks" {
                expected.push("404");
            }
            for status in expected {
                let answer = &operation["responses"][status];
                assert!(answer["description"].is_string(), "{method} {path} {status}");
                if status >= "400" {
                    let schema = &answer["content"]["application/problem+json"]["schema"];
                    assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
        // Every reference leads somewhere.
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let task = &document["components"]["schemas"]["Task"];
        assert_eq!(task["properties"].as_object().unwrap().len(), 7);
        assert_eq!(task["required"].as_array().unwrap().len(), 7);
    }

    async fn the_documentation_is_one_page_without_scripts(db) {
        let api = TestApi::new(db).await;
        let response = api.http.get(format!("{}/docs", api.url)).send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        let policy = header(&response, "content-security-policy");
        assert!(!policy.contains("unsafe") && policy.contains("default-src 'none'"), "{policy}");
        let page = response.text().await.unwrap();
        for text in ["Add a task", "/api/{user_id}/tasks/{id}/complete", "tasks:write", "docs.css"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<script") && !page.contains(" style="));
        let styles = api.http.get(format!("{}/docs.css", api.url)).send().await.unwrap();
        assert_eq!(header(&styles, "content-type"), "text/css; charset=utf-8");
    }
}
