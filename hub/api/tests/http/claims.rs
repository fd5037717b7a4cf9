//! Owners who take an appliance into their name.

use super::*;

fn claim(device: &str, code: &str) -> Value {
    json!({
        "tenant": "acme", "device": device, "code": code, "name": "Lin Fang", "phone": "+86 138-0000-5678",
        "language": "zh-CN", "zone": "Asia/Shanghai", "consent": true,
    })
}

async fn send(hub: &Hub, body: &Value) -> Response {
    Client::new()
        .post(hub.url("/api/v1/claims"))
        .json(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_code_on_the_machine_is_enough() {
    let hub = Hub::start().await;
    let code = claim_code(&hub).await;
    let claimed = send(&hub, &claim("WM-2207-00417", &code)).await;
    assert_eq!(claimed.status(), 200);
    assert_eq!(
        claimed.json::<Value>().await.unwrap(),
        json!({ "consent": "given", "phone": "+86*******5678" })
    );
}

#[tokio::test]
async fn a_wrong_code_and_a_device_that_does_not_exist_are_answered_alike_and_slowed_down() {
    let hub = Hub::start().await;
    claim_code(&hub).await;
    let wrong = problem(send(&hub, &claim("WM-2207-00417", "wrong")).await, 403, "claim-refused").await;
    let unknown = problem(send(&hub, &claim("nobody", "wrong")).await, 403, "claim-refused").await;
    assert_eq!(wrong, unknown);
    for _ in 0..3 {
        problem(send(&hub, &claim("a b/c", "wrong")).await, 403, "claim-refused").await;
    }
    let slowed = send(&hub, &claim("WM-2207-00417", "wrong")).await;
    assert!(slowed.headers().contains_key("retry-after"));
    problem(slowed, 429, "throttled").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_said_without_the_number() {
    let hub = Hub::start().await;
    for (member, value) in [
        ("phone", json!("13800004321")),
        ("zone", json!("Moon/Tranquility")),
        ("name", json!(" ")),
        ("name", json!("x".repeat(101))),
        ("language", json!("tlh")),
        ("code", json!("x".repeat(129))),
        ("consent", json!("yes")),
        ("other", json!(1)),
    ] {
        let mut body = claim("WM-2207-00417", "c");
        body[member] = value;
        let kind = if member == "phone" { "bad-phone" } else { "bad-request" };
        let refused = problem(send(&hub, &body).await, 400, kind).await;
        assert!(!refused.to_string().contains("4321"), "{refused}");
    }
    let program = hub.program().await;
    for seconds in [0, 59, 315_360_001_u64] {
        let body = json!({ "expires_in_s": seconds });
        let asked = program.post("/api/v1/appliances/1/claim-code", "k", &body);
        problem(asked.send().await.unwrap(), 400, "bad-request").await;
    }
}

/// What was pressed or said under one spelling holds for the number, however it is written.
#[tokio::test]
async fn a_number_may_be_written_as_it_is_dialled_at_home() {
    let hub = Hub::start().await;
    let code = claim_code(&hub).await;
    let mut body = claim("WM-2207-00417", &code);
    body["phone"] = json!("138 0000 6789");
    problem(send(&hub, &body).await, 400, "bad-phone").await;
    scene::give_number_plan(&hub.store).await;
    for (wrong, why) in [
        ("138 0000 678", "as it is dialled from anywhere"),
        ("5550 6789", "as it is dialled from anywhere"),
        ("138 0000 678O", "U+004F"),
        ("138 0000 6789 转 1", "no extension"),
    ] {
        body["phone"] = json!(wrong);
        let refused = problem(send(&hub, &body).await, 400, "bad-phone").await.to_string();
        assert!(refused.contains(why) && !refused.contains("678"), "{refused}");
    }
    body["phone"] = json!("138 0000 6789");
    let claimed = send(&hub, &body).await;
    assert_eq!(claimed.status(), 200);
    // Its owner, who is known by the number with its country code, took their consent back: a claim does not undo that.
    assert_eq!(
        claimed.json::<Value>().await.unwrap(),
        json!({ "consent": "withdrawn", "phone": "+86*******6789" })
    );
}

/// Who lives elsewhere dials other numbers: what they type is not made a stranger's. And nobody learns by it whose trunk has a plan.
#[tokio::test]
async fn a_national_number_is_read_in_zones_that_the_maker_serves_and_refused_alike_elsewhere() {
    let hub = Hub::start().await;
    scene::give_number_plan(&hub.store).await;
    let code = claim_code(&hub).await;
    let berlin = |tenant: &str, phone: &str| {
        let mut body = claim("WM-2207-00417", &code);
        (body["tenant"], body["zone"], body["phone"]) = (json!(tenant), json!("Europe/Berlin"), json!(phone));
        body
    };
    let refused = problem(send(&hub, &berlin("acme", "0151 12345678")).await, 400, "bad-phone").await;
    for tenant in ["other", "nobody"] {
        let told = problem(send(&hub, &berlin(tenant, "0151 12345678")).await, 400, "bad-phone").await;
        assert_eq!(told, refused);
    }
    assert!(
        refused.to_string().contains("write '+' and the country code"),
        "{refused}"
    );
    let claimed = send(&hub, &berlin("acme", "+49 151 12345678")).await;
    assert_eq!(claimed.status(), 200);
    assert_eq!(claimed.json::<Value>().await.unwrap()["phone"], "+49*******5678");
}

/// The store is not asked before it is known whether anybody may try.
#[tokio::test]
async fn a_national_number_is_read_behind_the_throttle() {
    let hub = Hub::start().await;
    let mut body = claim("WM-2207-00417", "wrong");
    body["phone"] = json!("138 0000 6789");
    for _ in 0..5 {
        problem(send(&hub, &body).await, 400, "bad-phone").await;
    }
    problem(send(&hub, &body).await, 429, "throttled").await;
    // What can be said without the store is said to everybody.
    body["phone"] = json!("138 0000 678O");
    problem(send(&hub, &body).await, 400, "bad-phone").await;
}
