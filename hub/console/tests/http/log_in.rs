use super::*;

#[tokio::test]
async fn without_a_session_a_page_leads_to_the_log_in() {
    let hub = Hub::start().await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client.get(hub.url("/tickets?category=open")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/log-in?back=/tickets%3Fcategory%3Dopen");
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_then_slowed_down() {
    let hub = Hub::start().await;
    let client = Client::new();
    let log_in = async |password: &str| {
        let form = [("name", "admin"), ("password", password)];
        let answer = client.post(hub.url("/log-in")).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for _ in 0..5 {
        let (status, text) = log_in("guess").await;
        assert!(status == 401 && text.contains("role=\"alert\""), "{status}: {text}");
    }
    // Even with the right one: a guesser learns nothing.
    let (status, text) = log_in(&hub.password).await;
    assert!(status == 429 && text.contains("role=\"alert\""), "{status}: {text}");
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
    let hub = Hub::start().await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = [
        ("name", "admin"),
        ("password", hub.password.as_str()),
        ("back", "//evil.example"),
    ];
    let answer = client.post(hub.url("/log-in")).form(&form).send().await.unwrap();
    assert_eq!(answer.headers()["location"], "/", "back leads to this server only");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("; HttpOnly; SameSite=Strict;") && cookie.contains("Path=/"),
        "{cookie}"
    );
}

#[tokio::test]
async fn another_sites_page_changes_nothing() {
    let hub = Hub::start().await;
    let browser = hub.browser().await;
    let take = hub.url(&format!("/tickets/{}/take", hub.tickets[2]));
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://evil.example"),
        ("x-none", ""),
    ] {
        let answer = browser.post(&take).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
    }
    let program = hub.program().await;
    assert_eq!(program.json(&hub.ticket(3)).await["ticket"]["assignee"], Value::Null);
    let answer = browser.post(&take).header("origin", &hub.base).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(program.json(&hub.ticket(3)).await["ticket"]["assignee"], "admin");
}
