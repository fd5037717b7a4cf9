//! What is refused before a page is made, as a person reads it.

use super::*;

#[tokio::test]
async fn a_parameter_that_is_not_known_is_left_alone() {
    let hub = Hub::start().await;
    // Pages are opened from mails and bookmarks, which add what they like.
    let page = hub.browser().await.get(hub.url("/tickets?from=mail"));
    assert_eq!(page.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_told() {
    let hub = Hub::start().await;
    let page = hub
        .browser()
        .await
        .delete(hub.url("/tickets"))
        .header("origin", &hub.base);
    let page = page.send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["allow"].to_str().unwrap()),
        (405, "GET,HEAD")
    );
    assert!(page.text().await.unwrap().contains("role=\"alert\""));
}

#[tokio::test]
async fn a_form_that_is_too_long_is_told() {
    let hub = Hub::start().await;
    let form = "POST /log-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 70000\r\n\r\n";
    let told = said(&hub, form).await;
    assert!(
        told.starts_with("HTTP/1.1 413 ") && told.contains("role=\"alert\""),
        "{told}"
    );
}

#[tokio::test]
async fn control_characters_in_a_form_are_refused() {
    let hub = Hub::start().await;
    let form = [("name", "admin\0"), ("password", "p")];
    let page = Client::new().post(hub.url("/log-in")).form(&form).send().await.unwrap();
    assert_eq!(page.status(), 422);
    assert!(page.text().await.unwrap().contains("role=\"alert\""));
}
