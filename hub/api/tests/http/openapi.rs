use super::*;
use expect_test::expect_file;
use reqwest::Method;

/// The committed document is what the code says. `UPDATE_EXPECT=1` writes it again.
#[test]
fn the_committed_document_is_current() {
    expect_file!["../../../../docs/openapi.json"].assert_eq(hub_api::openapi_json());
}

fn document() -> Value {
    serde_json::from_str(hub_api::openapi_json()).unwrap()
}

/// Every documented operation: its method, an address of it, and what is said of it.
fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let id = match path.contains("appliances") {
            true => "1",
            false => "00000000-0000-0000-0000-000000000001",
        };
        let path = path.replace("{id}", id).replace("{request}", "r-1");
        for (method, operation) in item.as_object().unwrap() {
            if ["get", "post", "put", "delete"].contains(&method.as_str()) {
                let method = method.to_uppercase().parse().unwrap();
                found.push((method, path.clone(), operation));
            }
        }
    }
    found
}

fn needs_log_in(operation: &Value) -> bool {
    operation["security"] != json!([]) && operation["security"] != json!([{}])
}

/// Every documented operation is answered by a handler, and never without a session.
#[tokio::test]
async fn every_documented_path_exists() {
    let hub = Hub::start().await;
    let client = Client::new();
    let served: Value = client
        .get(hub.url("/api/v1/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(served, document());
    assert_eq!(served["openapi"], "3.1.0");
    let mut asked = 0;
    for (method, path, operation) in operations(&served) {
        if needs_log_in(operation) {
            let answer = client.request(method, hub.url(&path)).send().await.unwrap();
            problem(answer, 401, "not-logged-in").await;
            asked += 1;
        }
    }
    assert!(asked >= 21, "{asked}");
}

/// What is answered in front of every handler is in the document of every operation.
#[tokio::test]
async fn answers_that_all_operations_give_are_documented() {
    let hub = Hub::start().await;
    let client = Client::new();
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (status, query, host) in [
            (400_u16, "?nothing=1", "localhost"),
            (422, "?nothing=%00", "localhost"),
            (421, "", "evil.example"),
        ] {
            let request = client.request(method.clone(), hub.url(&format!("{path}{query}")));
            let answer = request.header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), status, "{method} {path}{query} {host}");
        }
        let mut all = vec!["400", "413", "421", "422", "500", "503", "504"];
        if method != Method::GET {
            all.extend(["403", "409"]);
        }
        if needs_log_in(operation) {
            all.extend(["401", "404"]);
        }
        for status in all {
            let answer = &operation["responses"][status];
            let answer = match answer["$ref"].as_str() {
                Some(name) => {
                    let name = name.strip_prefix("#/components/responses/").unwrap();
                    &document["components"]["responses"][name]
                }
                None => answer,
            };
            let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
        }
    }
}

/// A text that the hub refuses for its characters or its length is no text by the document.
#[test]
fn texts_have_their_bounds_in_the_document() {
    let document = document();
    for (_, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = &parameter["schema"];
            let is_text = schema["type"] == "string" || schema["type"] == json!(["string", "null"]);
            let is_bounded = ["pattern", "enum", "format"]
                .iter()
                .any(|bound| !schema[*bound].is_null());
            assert!(!is_text || is_bounded, "{path} {parameter}");
        }
    }
    let claim = &document["components"]["schemas"]["Claim"]["properties"];
    assert!(
        claim["zone"]["pattern"].as_str().unwrap().contains("\\u0000"),
        "{claim}"
    );
    assert_eq!(claim["code"]["maxLength"], 128);
}
