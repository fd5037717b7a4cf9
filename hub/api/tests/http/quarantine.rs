//! Quarantine over HTTP.

use super::*;

const LIST: &str = "/api/v1/quarantine";
const REPLAY: &str = "/api/v1/quarantine/replay";

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn it_can_be_searched_and_paged() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let all = program.json(LIST).await;
    let [first, second, third, fourth] = hub.held[..] else {
        panic!("{:?}", hub.held);
    };
    assert_eq!(ids(&all), [fourth, third, second, first]);
    let cut: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["cut"] == true)
        .collect();
    assert_eq!(cut, [true, false, false, false]);
    let door = &program.json(&format!("{LIST}?reason=DOOR")).await["items"][0];
    assert_eq!(
        (&door["readable"], &door["payload"]),
        (&json!("{\"door\": \"open\"}"), &json!("eyJkb29yIjogIm9wZW4ifQ=="))
    );
    let bytes = program.json(&format!("{LIST}?appliance=2")).await;
    assert_eq!(
        (ids(&bytes), &bytes["items"][1]["readable"]),
        (vec![fourth, third], &json!("83 01 ff"))
    );
    let page = program.json(&format!("{LIST}?limit=3")).await;
    let next = page["next"].as_str().unwrap();
    assert_eq!(
        ids(&program.json(&format!("{LIST}?limit=3&after={next}")).await),
        [first]
    );
    for query in ["limit=0", "limit=201", "appliance=x"] {
        let answer = program.get(&format!("{LIST}?{query}")).send().await.unwrap();
        problem(answer, 400, "bad-request").await;
    }
}

#[tokio::test]
async fn what_can_be_read_leaves_once_and_what_cannot_stays_with_the_new_reason() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let replay = async |key: &str, body: Value| -> Value {
        let answer = program.post(REPLAY, key, &body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    };
    let done = replay("a", json!({ "filter": {} })).await;
    assert_eq!((&done["stored"], &done["repeated"]), (&json!(1), &json!(0)));
    let refused: Vec<_> = done["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].clone())
        .collect();
    let still_held = [hub.held[0], hub.held[2], hub.held[3]];
    assert_eq!(refused, still_held, "oldest first");
    assert!(
        done["refused"][2]["reason"].as_str().unwrap().contains("longer than"),
        "{done}"
    );
    assert_eq!(hub.in_quarantine().await, still_held);
    let held = program.json(LIST).await;
    assert!(held["items"][2]["reason"].as_str().unwrap().contains("EOF"), "{held}");
    assert_eq!(
        program.json("/api/v1/appliances/1/attributes").await["client"]["door"],
        "open"
    );
    assert_eq!(
        replay("a", json!({ "filter": {} })).await,
        done,
        "the same key answers the same"
    );
    assert_eq!(
        replay("b", json!({ "ids": [hub.held[1]] })).await["stored"],
        0,
        "it has left"
    );
}

#[tokio::test]
async fn a_replay_names_what_it_is_for() {
    let hub = Hub::start().await;
    let program = hub.program().await;
    let too_many: Vec<i64> = (0..201).collect();
    for (key, body) in [
        ("a", json!({})),
        ("b", json!({ "ids": [1], "filter": {} })),
        ("c", json!({ "ids": too_many })),
        ("d", json!({ "filter": { "topic": "x" } })),
    ] {
        let answer = program.post(REPLAY, key, &body).send().await.unwrap();
        problem(answer, 400, "bad-request").await;
    }
}
