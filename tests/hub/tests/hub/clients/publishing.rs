//! Every client, both versions, every way in, every QoS: what is acknowledged is stored, once.

use super::front::{Front, WAYS, Way, connected};
use serde_json::json;
use tests_hub::clients::{Client, mosquitto};
use tests_hub::site::SECRET;

const READING: &str = r#"{"motor_current_a": 1.25}"#;
/// Not authorised, and no reason in MQTT 3.1.1.
const NOT_AUTHORIZED: u64 = 0x87;

#[tokio::test(flavor = "multi_thread")]
async fn what_any_client_publishes_at_any_qos_is_stored_once() {
    let front = Front::open(&["mosquitto", "paho", "mqtt-js"]).await;
    mosquitto_publishes(&front).await;
    for (device, start) in CLIENTS {
        let mut samples = 0;
        for version in [4, 5] {
            for way in WAYS {
                let (mut client, _) = connected(start().unwrap(), front.connect(device, version, way)).await;
                for qos in 0..=2 {
                    let code = client.publish(&format!("d/{device}/j"), READING, qos).await.unwrap();
                    assert_eq!(code, 0, "{device} {version} {way:?} at QoS {qos}");
                    samples += 1;
                }
                client
                    .act(json!({ "do": "disconnect" }), &["disconnected"])
                    .await
                    .unwrap();
            }
        }
        front.stored(device, samples).await;
    }
    front.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_may_not_do_it_is_told() {
    let front = Front::open(&["paho", "mqtt-js", "other"]).await;
    for (device, start) in CLIENTS {
        let mut wrong = front.connect(device, 5, Way::Plain);
        wrong["password"] = "wrong".into();
        let told = start().unwrap().act(wrong, &["connected", "refused"]).await.unwrap();
        assert_eq!(
            (&told["event"], &told["code"]),
            (&json!("refused"), &json!(NOT_AUTHORIZED)),
            "{told}"
        );

        let (mut client, told) = connected(start().unwrap(), front.connect(device, 5, Way::Plain)).await;
        assert_eq!(told["properties"]["ReceiveMaximum"], 128, "{told}");
        assert_eq!(
            client.publish("d/other/j", READING, 1).await.unwrap(),
            NOT_AUTHORIZED,
            "{device}"
        );
        assert_eq!(
            client.subscribe("d/other/c/+", 1).await.unwrap(),
            NOT_AUTHORIZED,
            "{device}"
        );
        assert_eq!(client.subscribe("#", 0).await.unwrap(), NOT_AUTHORIZED, "{device}");
        // Version 5 goes on after that.
        assert_eq!(
            client.publish(&format!("d/{device}/j"), READING, 1).await.unwrap(),
            0,
            "{device}"
        );

        let (mut old, _) = connected(start().unwrap(), front.connect(device, 4, Way::Plain)).await;
        assert_eq!(old.subscribe("#", 0).await.unwrap(), 0x80, "{device}");
        let act = json!({ "do": "publish", "topic": "d/other/j", "payload": READING, "qos": 1 });
        old.say(&act).await.unwrap();
        // Version 3.1.1 has no other answer.
        old.wait(&["closed"]).await.unwrap();
        front.stored(device, 1).await;
    }
    front.stored("other", 0).await;
    front.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_5_says_more_and_all_of_it_is_taken() {
    let front = Front::open(&["paho", "mqtt-js"]).await;
    for (device, start) in CLIENTS {
        let (mut client, _) = connected(start().unwrap(), front.connect(device, 5, Way::Plain)).await;
        let topic = format!("d/{device}/j");
        let properties = json!({
            "TopicAlias": 3, "ContentType": "application/json", "MessageExpiryInterval": 60, "ResponseTopic": "d/x/r/1",
            "CorrelationData": "abc", "UserProperty": [["trace", "1"], ["trace", "2"]],
        });
        let mut named =
            json!({ "do": "publish", "topic": topic, "payload": READING, "qos": 1, "properties": properties });
        assert_eq!(client.act(named.clone(), &["published"]).await.unwrap()["code"], 0);
        // The alias alone now stands for the topic.
        named["topic"] = "".into();
        named["properties"] = json!({ "TopicAlias": 3 });
        assert_eq!(client.act(named, &["published"]).await.unwrap()["code"], 0);
        front.stored(device, 2).await;
        client
            .act(json!({ "do": "disconnect" }), &["disconnected"])
            .await
            .unwrap();
    }
    front.close().await;
}

type Start = fn() -> anyhow::Result<Client>;
const CLIENTS: [(&str, Start); 2] = [("paho", Client::paho), ("mqtt-js", Client::mqtt_js)];

async fn mosquitto_publishes(front: &Front) {
    let (plain, tls) = (front.lab.mqtt.port().to_string(), front.tls.port().to_string());
    let ca = front.ca();
    let mut samples = 0;
    for version in ["mqttv311", "mqttv5"] {
        for way in [
            &["-p", plain.as_str()][..],
            &["-p", tls.as_str(), "--cafile", ca.as_str()],
        ] {
            for qos in ["0", "1", "2"] {
                let device = [
                    "-u",
                    "acme/mosquitto",
                    "-P",
                    SECRET,
                    "-t",
                    "d/mosquitto/j",
                    "-m",
                    READING,
                ];
                let said = [&["-V", version, "-h", "127.0.0.1", "-q", qos][..], way, &device].concat();
                let ended = mosquitto("mosquitto_pub", &said).await.unwrap();
                assert!(ended.status.success(), "{said:?}: {ended:?}");
                samples += 1;
            }
        }
    }
    front.stored("mosquitto", samples).await;
    let stranger = [
        "-V",
        "mqttv5",
        "-h",
        "127.0.0.1",
        "-p",
        &plain,
        "-u",
        "acme/mosquitto",
        "-P",
        "wrong",
    ];
    let ended = mosquitto(
        "mosquitto_pub",
        &[&stranger[..], &["-t", "d/mosquitto/j", "-m", READING]].concat(),
    )
    .await;
    assert_eq!(ended.unwrap().status.code(), Some(0x87));
}
