use super::*;
use hub_core::ticket::TicketEvent;
use hub_store::ticket::TicketStore;

#[tokio::test]
async fn a_person_takes_books_and_closes() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let taken = program
        .post(&format!("{}/take", hub.ticket(2)), "k1", &json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(taken.json::<Value>().await.unwrap()["assignee"], "admin");

    let book = format!("{}/book", hub.ticket(2));
    let wrong = json!({ "start": "2026-11-25T01:00:00Z" });
    problem(
        program.post(&book, "k2", &wrong).send().await.unwrap(),
        409,
        "slot-taken",
    )
    .await;
    let start = program.json(&hub.ticket(2)).await["next_slot"]["start"].clone();
    let booked = program
        .post(&book, "k3", &json!({ "start": start }))
        .send()
        .await
        .unwrap();
    assert_eq!(booked.json::<Value>().await.unwrap()["status"]["category"], "paused");

    let close = format!("{}/close", hub.ticket(2));
    let contradiction = json!({ "resolution": "confirmed_fixed", "verdict": "wrong" });
    let refused = problem(
        program.post(&close, "k4", &contradiction).send().await.unwrap(),
        409,
        "outcome-contradiction",
    )
    .await;
    assert!(refused["detail"].as_str().unwrap().contains("contradicts"));
    let put_off = json!({ "resolution": "confirmed_deferred", "verdict": "right", "part": "seal" });
    let refused = program.post(&close, "k4b", &put_off).send().await.unwrap();
    problem(refused, 409, "part-without-repair").await;
    let outcome =
        json!({ "resolution": "confirmed_fixed", "verdict": "right", "note": "seal changed", "part": " seal 7 " });
    let closed = program.post(&close, "k5", &outcome).send().await.unwrap();
    let closed = closed.json::<Value>().await.unwrap();
    assert_eq!(closed["outcome"]["note"], "seal changed");
    assert_eq!(closed["outcome"]["part"], "seal 7");
    problem(
        program
            .post(&format!("{}/call", hub.ticket(2)), "k6", &json!({}))
            .send()
            .await
            .unwrap(),
        409,
        "ticket-closed",
    )
    .await;

    let detail = program.json(&hub.ticket(2)).await;
    let events: Vec<&str> = detail["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["opened", "held", "taken", "booked", "closed", "visit"]);
}

#[tokio::test]
async fn what_is_ready_to_ring_is_refused_with_a_reason_or_approved() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let post = async |act: &str, key: &str, body: Value| {
        let path = format!("{}/call/{act}", hub.ticket(3));
        program.post(&path, key, &body).send().await.unwrap()
    };
    let ready = async || {
        let page = program.json("/api/v1/tickets?ready_to_ring=true").await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(ready().await, 1);
    let detail = program.json(&hub.ticket(3)).await;
    assert_eq!(detail["ticket"]["contact"]["reason"], "below_gate");
    let release = &detail["release"];
    assert_eq!(release["model"], "washing-machine/1");
    assert_eq!(
        (&release["evidence"], &release["withheld"], &release["released"]),
        (&json!("simulated"), &json!("no_named_fault"), &json!(false))
    );
    problem(post("refuse", "k1", json!({})).await, 400, "bad-request").await;
    problem(post("refuse", "k2", json!({ "reason": " " })).await, 409, "ticket-text").await;
    let refused = post("refuse", "k3", json!({ "reason": "a filter was cleaned" })).await;
    let refused = refused.json::<Value>().await.unwrap();
    assert_eq!(refused["contact"]["reason"], "call_refused");
    assert_eq!(
        (refused["status"]["category"].as_str(), ready().await),
        (Some("open"), 0)
    );
    let approved = post("approve", "k4", json!({})).await.json::<Value>().await.unwrap();
    assert_eq!(approved["contact"]["phase"], "planned");
    assert_eq!(approved["contact"]["approved_by"], "admin");
    problem(post("approve", "k5", json!({})).await, 409, "not-ready-to-ring").await;
    let detail = program.json(&hub.ticket(3)).await;
    let release = &detail["release"];
    assert_eq!((&release["approved"], &release["refused"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_wrong_label_is_taken_back_with_a_reason() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let close = format!("{}/close", hub.ticket(3));
    let correct = format!("{}/correction", hub.ticket(3));
    let post = async |path: &str, key: &str, body: Value| program.post(path, key, &body).send().await.unwrap();
    let fixed =
        |verdict: Value, reason: &str| json!({ "resolution": "confirmed_fixed", "verdict": verdict, "reason": reason });
    let unsaid = post(&close, "k1", json!({ "resolution": "confirmed_fixed" })).await;
    problem(unsaid, 400, "verdict-missing").await;
    let early = post(&correct, "k2", fixed(json!("right"), "too early")).await;
    problem(early, 409, "ticket-not-closed").await;
    let closed = post(&close, "k3", json!({ "resolution": "unreachable" })).await;
    let closed = closed.json::<Value>().await.unwrap();
    assert_eq!(closed["outcome"]["verdict"], "not_checked", "the resolution says it");
    assert_eq!(closed["correction"], Value::Null);

    let bare = post(&correct, "k4", fixed(json!("right"), " ")).await;
    problem(bare, 409, "ticket-text").await;
    let unsaid = post(&correct, "k5", fixed(Value::Null, "she was there")).await;
    problem(unsaid, 400, "verdict-missing").await;
    let corrected = post(&correct, "k6", fixed(json!("other_fault"), "she was there")).await;
    let corrected = corrected.json::<Value>().await.unwrap();
    assert_eq!(corrected["outcome"]["verdict"], "other_fault");
    assert_eq!(corrected["correction"]["by"], "admin");
    assert_eq!(corrected["correction"]["reason"], "she was there");
    assert_eq!(corrected["closed_at"], closed["closed_at"]);
    let again = post(&correct, "k7", fixed(json!("other_fault"), "once more")).await;
    problem(again, 409, "nothing-corrected").await;
    let detail = program.json(&hub.ticket(3)).await;
    let last = detail["timeline"].as_array().unwrap().last().unwrap();
    assert_eq!(last["event"]["event"], "corrected");
    assert_eq!(last["event"]["outcome"]["resolution"], "confirmed_fixed");
}

#[tokio::test]
async fn of_two_promises_the_one_that_is_named_is_kept() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let post = async |act: &str, key: &str, body: Value| {
        let path = format!("{}/{act}", hub.ticket(3));
        program.post(&path, key, &body).send().await.unwrap()
    };
    let part = json!({ "what": "a part", "to": "Wang Lei", "by": "2026-11-22T13:00:00Z" });
    assert_eq!(post("promise", "k1", part).await.status(), 200);
    let rings_by = "2026-11-22T11:00:00Z".parse().unwrap();
    let named = TicketEvent::NamedByCaller { rings_by };
    let (actor, at) = (scene::hub(), support::sample::at("09:05"));
    let told = hub.store.apply_ticket(&actor, hub.tickets[2], &named, at);
    told.await.unwrap();
    let ticket = program.json(&hub.ticket(3)).await["ticket"].clone();
    assert_eq!(ticket["promise"]["what"], "person_rings");
    assert_eq!(ticket["next_promise"]["what"], "a part");

    // That of a call is for another time.
    let wrong = post("promise-kept?by=2026-11-22T13:00:00Z&of_call=true", "k0", Value::Null).await;
    problem(wrong, 409, "no-promise").await;
    let kept = post("promise-kept?by=2026-11-22T13:00:00Z", "k2", Value::Null).await;
    let kept = kept.json::<Value>().await.unwrap();
    assert_eq!(kept["promise"]["what"], "person_rings");
    assert_eq!(kept["next_promise"], Value::Null);
    // Another promise is another request.
    let other = post("promise-kept?by=2026-11-22T11:00:00Z", "k2", Value::Null).await;
    assert_eq!(other.status(), 422);
    let over = post("promise-kept?by=2026-11-22T13:00:00Z", "k3", Value::Null).await;
    problem(over, 409, "no-promise").await;
    let by = json!({ "reason": "spoken with", "by": "2026-11-22T13:00:00Z" });
    problem(post("promise-released", "k4", by).await, 409, "no-promise").await;
    let released = post("promise-released", "k5", json!({ "reason": "spoken with" })).await;
    assert_eq!(released.json::<Value>().await.unwrap()["promise"], Value::Null);
}

#[tokio::test]
async fn an_act_with_the_same_key_happens_once() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let path = format!("{}/false-alarm", hub.ticket(3));
    let body = json!({ "note": "seen on site" });
    let first = program.post(&path, "same", &body).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let first = first.text().await.unwrap();
    let again = program.post(&path, "same", &body).send().await.unwrap();
    assert_eq!(
        again.status(),
        200,
        "a second false alarm would be refused: the ticket is closed"
    );
    assert_eq!(again.headers()["idempotent-replay"], "true");
    assert_eq!(again.text().await.unwrap(), first);
    let other = program
        .post(&path, "same", &json!({ "note": "other" }))
        .send()
        .await
        .unwrap();
    problem(other, 422, "idempotency-key-reused").await;
    let without = program
        .client
        .post(hub.url(&path))
        .bearer_auth(&program.token)
        .json(&body)
        .send()
        .await
        .unwrap();
    problem(without, 400, "idempotency-key-missing").await;
    assert_eq!(
        program.json(&hub.ticket(3)).await["timeline"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn what_cannot_be_read_says_what_is_wrong() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let close = format!("{}/close", hub.ticket(3));
    let unknown = program
        .post(&close, "a", &json!({ "resolution": "magic", "verdict": "right" }))
        .send()
        .await
        .unwrap();
    let body = problem(unknown, 400, "bad-request").await;
    assert!(body["detail"].as_str().unwrap().contains("confirmed_fixed"), "{body}");
    problem(
        program.get("/api/v1/tickets?limit=0").send().await.unwrap(),
        400,
        "bad-request",
    )
    .await;
    problem(
        program.get("/api/v1/tickets?category=lost").send().await.unwrap(),
        400,
        "bad-request",
    )
    .await;
    problem(
        program
            .get("/api/v1/tickets/00000000-0000-0000-0000-000000000099")
            .send()
            .await
            .unwrap(),
        404,
        "not-found",
    )
    .await;
    problem(
        program.get("/api/v1/nothing").send().await.unwrap(),
        404,
        "no-such-address",
    )
    .await;
}

#[tokio::test]
async fn lists_are_paged_and_filtered_and_hold_no_number() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let first = program.json("/api/v1/tickets?limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = program.json(&format!("/api/v1/tickets?limit=2&after={next}")).await;
    assert_eq!(second["items"][0]["ticket"]["number"], 1, "the oldest is the last");
    assert_eq!(second["next"], Value::Null);
    let paused = program.json("/api/v1/tickets?category=paused").await;
    assert_eq!(paused["items"].as_array().unwrap().len(), 1);
    for path in [
        "/api/v1/tickets",
        "/api/v1/findings",
        "/api/v1/contacts",
        "/api/v1/appliances",
        &hub.ticket(1),
        &hub.ticket(2),
    ] {
        let text = program.get(path).send().await.unwrap().text().await.unwrap();
        assert!(text.len() > 100, "{path}");
        assert!(NUMBERS.iter().all(|clear| !text.contains(&clear[1..])), "{path}");
    }
    assert_eq!(program.json(&hub.ticket(1)).await["owner"]["phone"], "+86*******5678");
}

#[tokio::test]
async fn a_tenants_person_sees_only_that_tenant() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    hub.set_tenant(Some("other")).await;
    assert_eq!(program.json("/api/v1/tickets").await["items"], json!([]));
    problem(program.get(&hub.ticket(1)).send().await.unwrap(), 404, "not-found").await;
    let act = program
        .post(&format!("{}/take", hub.ticket(1)), "k", &json!({}))
        .send()
        .await
        .unwrap();
    problem(act, 404, "not-found").await;
}
