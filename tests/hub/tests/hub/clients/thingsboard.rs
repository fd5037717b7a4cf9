//! Device code written for ThingsBoard comes in with another host, port and token, and nothing else changed.

use super::front::{Front, PATIENCE};
use serde_json::{Value, json};
use tests_hub::clients::Client;
use tests_hub::eventually;
use tests_hub::fleet::recent;

#[tokio::test(flavor = "multi_thread")]
async fn thingsboards_own_client_needs_only_host_and_token() {
    let front = Front::open(&["tb"]).await;
    let said = front
        .lab
        .run(&["device", "rotate-secret", "--tenant", "acme", "--device", "tb"])
        .await
        .unwrap();
    let mut words = said.split_whitespace().skip_while(|word| *word != "password");
    let token = words.nth(1).unwrap().to_owned();

    let mut client = Client::thingsboard().unwrap();
    let connect = json!({ "do": "connect", "host": "127.0.0.1", "port": front.lab.mqtt.port(), "token": token });
    client.act(connect, &["connected"]).await.unwrap();
    // What it asks the server for by itself, as a client RPC.
    client.act(json!({ "do": "limits" }), &["limits"]).await.unwrap();

    telemetry(&front, &mut client).await;
    attributes(&front, &mut client).await;
    rpc(&front, &mut client).await;

    client
        .act(json!({ "do": "disconnect" }), &["disconnected"])
        .await
        .unwrap();
    eventually("it is away", PATIENCE, async || {
        (front.appliance("tb").await["online"] == false).then_some(())
    })
    .await;
    front.close().await;
}

async fn telemetry(front: &Front, client: &mut Client) {
    let now = recent().as_millisecond();
    let said = [
        json!({ "motor_current_a": 1.5 }),
        json!({ "ts": now - 5_000, "values": { "motor_current_a": 1.25, "phase": 2 } }),
        json!([{ "ts": now - 4_000, "values": { "phase": 3 } }, { "ts": now - 3_000, "values": { "phase": 4 } }]),
    ];
    for values in said {
        let sent = client
            .act(json!({ "do": "telemetry", "values": values }), &["sent"])
            .await
            .unwrap();
        assert_eq!(sent["ok"], true, "{sent}");
    }
    front.stored("tb", 4).await;
}

async fn attributes(front: &Front, client: &mut Client) {
    let path = front.path("tb", "attributes").await;
    let told = json!({ "firmware": "1.2", "slots": [1, 2], "on": true });
    let sent = client
        .act(json!({ "do": "attributes", "values": told }), &["sent"])
        .await
        .unwrap();
    assert_eq!(sent["ok"], true, "{sent}");
    eventually("what the device tells of itself is stored", PATIENCE, async || {
        let stored = front.console.get(&path).await.unwrap();
        (stored["client"] == told).then_some(())
    })
    .await;

    client
        .act(json!({ "do": "listen", "name": "target" }), &["listening"])
        .await
        .unwrap();
    front
        .console
        .put(&path, &json!({ "target": 21, "other": "x" }))
        .await
        .unwrap();
    let changed = client.wait(&["changed"]).await.unwrap();
    assert_eq!(changed["values"]["target"], 21, "{changed}");

    let ask = json!({ "do": "request", "client": ["firmware", "absent"], "shared": ["target"] });
    let answer = client.act(ask, &["attributes"]).await.unwrap();
    assert_eq!(answer["error"], Value::Null, "{answer}");
    assert_eq!(
        answer["answer"],
        json!({ "client": { "firmware": "1.2" }, "shared": { "target": 21 } })
    );
}

async fn rpc(front: &Front, client: &mut Client) {
    front
        .command("tb", "42", json!({ "method": "setValue", "params": { "x": 1 } }))
        .await;
    let asked = client.wait(&["rpc"]).await.unwrap();
    assert_eq!(
        asked["body"],
        json!({ "method": "setValue", "params": { "x": 1 } }),
        "{asked}"
    );
    let command = front.command_is("tb", "42", "replied").await;
    assert_eq!(
        command["reply"],
        json!({ "done": "setValue", "params": { "x": 1 } }),
        "{command}"
    );

    let answer = client
        .act(json!({ "do": "call", "method": "getCurrentTime" }), &["answer"])
        .await
        .unwrap();
    let (time, now) = (answer["answer"]["time"].as_i64().unwrap(), recent().as_millisecond());
    assert!((now - time).abs() < 60_000, "{answer}");
    let answer = client
        .act(json!({ "do": "call", "method": "bogus" }), &["answer"])
        .await
        .unwrap();
    assert!(answer["answer"]["error"].is_string(), "{answer}");
}
