use super::*;
use expect_test::expect_file;

/// The committed document is what the code says. `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_committed_document_is_current() {
    expect_file!["../../../../docs/openapi.json"].assert_eq(hub_api::openapi_json());
}

/// Every documented operation is answered by a handler, and never without a session.
#[tokio::test]
async fn every_documented_path_exists() {
    let hub = Hub::start().await;
    let client = Client::new();
    let document: Value = client
        .get(hub.url("/api/v1/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "delete"].contains(&key.as_str()))
        {
            if item[method]["security"] == json!([]) || item[method]["security"] == json!([{}]) {
                continue;
            }
            let path = path.replace(
                "{id}",
                if path.contains("appliances") {
                    "1"
                } else {
                    "00000000-0000-0000-0000-000000000001"
                },
            );
            let path = path.replace("{request}", "r-1");
            let method = method.to_uppercase().parse().unwrap();
            let answer = client.request(method, hub.url(&path)).send().await.unwrap();
            problem(answer, 401, "not-logged-in").await;
            operations += 1;
        }
    }
    assert!(operations >= 21, "{operations}");
}
