//! What lasts longer than a connection: commands for a device that is away, also when the hub was killed meanwhile; wills.

use super::front::{Front, PATIENCE, Way, connected};
use serde_json::{Value, json};
use tests_hub::clients::Client;
use tests_hub::eventually;

type Start = fn() -> anyhow::Result<Client>;
const CLIENTS: [(&str, Start, u8); 4] = [
    ("paho-4", Client::paho, 4),
    ("paho-5", Client::paho, 5),
    ("mqtt-js-4", Client::mqtt_js, 4),
    ("mqtt-js-5", Client::mqtt_js, 5),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_gets_its_command_even_after_the_hub_was_killed() {
    let mut front = Front::open(&CLIENTS.map(|(device, ..)| device)).await;
    for (device, start, version) in CLIENTS {
        let (mut client, told) = connected(start().unwrap(), kept(&front, device, version)).await;
        assert_eq!(told["present"], false, "{told}");
        assert_eq!(client.subscribe(&format!("d/{device}/c/+"), 1).await.unwrap(), 1);
        client
            .act(json!({ "do": "disconnect" }), &["disconnected"])
            .await
            .unwrap();
        front.command(device, "while-away", json!({ "go": device })).await;
    }
    let Front { lab, hub, console, tls } = front;
    hub.kill().await.unwrap();
    let hub = lab.serve().await.unwrap();
    front = Front { lab, hub, console, tls };

    for (device, start, version) in CLIENTS {
        let (mut client, told) = connected(start().unwrap(), kept(&front, device, version)).await;
        assert_eq!(told["present"], true, "{device}: {told}");
        let command = client.wait(&["message"]).await.unwrap();
        assert_eq!(command["topic"], format!("d/{device}/c/while-away"), "{command}");
        assert_eq!(
            serde_json::from_str::<Value>(command["payload"].as_str().unwrap()).unwrap(),
            json!({ "go": device })
        );
        assert_eq!(command["qos"], 1, "{command}");
        front.command_is(device, "while-away", "taken").await;

        let reply = format!("d/{device}/r/while-away");
        assert_eq!(client.publish(&reply, r#"{"gone": true}"#, 2).await.unwrap(), 0);
        let command = front.command_is(device, "while-away", "replied").await;
        assert_eq!(command["reply"], json!({ "gone": true }), "{command}");

        // And one while it is there.
        front.command(device, "while-here", json!([1])).await;
        let command = client.wait(&["message"]).await.unwrap();
        assert_eq!(command["topic"], format!("d/{device}/c/while-here"), "{command}");
        client
            .act(json!({ "do": "disconnect" }), &["disconnected"])
            .await
            .unwrap();
        assert_eq!(client.unheard("message"), 0, "each came once");

        // A clean start ends what was kept.
        let (_, told) = connected(start().unwrap(), front.connect(device, version, Way::Plain)).await;
        assert_eq!(told["present"], false, "{device}: {told}");
    }
    front.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_of_a_client_that_dies_is_its_state() {
    let front = Front::open(&CLIENTS.map(|(device, ..)| device)).await;
    let token = integrator(&front).await;
    for (device, start, version) in CLIENTS {
        let mut connect = front.connect(device, version, Way::Plain);
        let will = format!("{device} is gone");
        connect["will"] = json!({ "topic": format!("d/{device}/s"), "payload": will, "qos": 1, "retain": true });
        let (mut client, _) = connected(start().unwrap(), connect.clone()).await;
        let (mut reader, _) = connected(Client::paho().unwrap(), reads(&front, &token, device)).await;
        assert_eq!(reader.subscribe(&format!("d/{device}/s"), 1).await.unwrap(), 1);

        // Who says good-bye leaves no will.
        client
            .act(json!({ "do": "disconnect" }), &["disconnected"])
            .await
            .unwrap();
        eventually("it is away", PATIENCE, async || {
            (front.appliance(device).await["online"] == false).then_some(())
        })
        .await;
        let (client, _) = connected(start().unwrap(), connect).await;
        client.kill().await.unwrap();
        let told = reader.wait(&["message"]).await.unwrap();
        assert_eq!(
            (&told["payload"], &told["retain"]),
            (&json!(will), &json!(false)),
            "{told}"
        );

        // A client that asks later is told, too.
        let (mut later, _) = connected(Client::mqtt_js().unwrap(), reads(&front, &token, "later")).await;
        assert_eq!(later.subscribe(&format!("d/{device}/s"), 1).await.unwrap(), 1);
        let told = later.wait(&["message"]).await.unwrap();
        assert_eq!(
            (&told["payload"], &told["retain"]),
            (&json!(will), &json!(true)),
            "{told}"
        );
    }
    front.close().await;
}

fn kept(front: &Front, device: &str, version: u8) -> Value {
    let mut connect = front.connect(device, version, Way::Plain);
    connect["clean"] = false.into();
    if version == 5 {
        connect["properties"] = json!({ "SessionExpiryInterval": 3600 });
    }
    connect
}

async fn integrator(front: &Front) -> String {
    super::integrators::token(front, "reader", &["d/+/s"]).await
}

fn reads(front: &Front, token: &str, client_id: &str) -> Value {
    let mut connect = front.connect("", 5, Way::Plain);
    connect["user"] = token.into();
    connect["password"] = Value::Null;
    connect["client_id"] = client_id.into();
    connect
}
