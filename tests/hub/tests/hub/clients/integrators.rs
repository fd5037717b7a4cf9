//! Programs that read along, and only what they may.

use super::front::{Front, PATIENCE, Way, connected};
use serde_json::json;
use tests_hub::clients::{Client, mosquitto, mosquitto_sub};
use tests_hub::site::SECRET;
use tokio::time::timeout;

/// An account for a program, and its token.
pub async fn token(front: &Front, name: &str, filters: &[&str]) -> String {
    let mut arguments = vec!["integrator", "add", "--tenant", "acme", "--name", name];
    arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
    let said = front.lab.run(&arguments).await.unwrap();
    let token = said.split_whitespace().find(|word| word.starts_with("int_"));
    token.unwrap_or_else(|| panic!("no token in {said}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_sub_reads_what_all_devices_say_with_either_version() {
    let front = Front::open(&["one", "two"]).await;
    let port = front.lab.mqtt.port().to_string();
    let mut readers = Vec::new();
    for version in ["mqttv311", "mqttv5"] {
        let token = token(&front, version, &["d/+/j"]).await;
        let arguments = [
            "-V",
            version,
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-u",
            &token,
            "-d",
            "-q",
            "1",
            "-t",
            "d/+/j",
        ];
        let (child, mut lines) = mosquitto_sub(&[&arguments[..], &["-F", "got %t %q %r %p"]].concat()).unwrap();
        loop {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
            if line.starts_with("Subscribed ") {
                assert!(line.ends_with(": 1"), "{line}");
                break;
            }
        }
        let denied = [
            "-V",
            version,
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-u",
            &token,
            "-i",
            "other",
            "-t",
            "#",
            "-W",
            "20",
        ];
        let ended = mosquitto("mosquitto_sub", &denied).await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.contains("All subscription requests were denied"), "{ended:?}");
        readers.push((child, lines));
    }
    for round in 0..20 {
        let mut device = connected(Client::paho().unwrap(), front.connect("one", 5, Way::Plain))
            .await
            .0;
        let reading = format!(r#"{{"motor_current_a": {round}.5}}"#);
        assert_eq!(device.publish("d/one/j", &reading, 1).await.unwrap(), 0);
        let two = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-u",
            "acme/two",
            "-P",
            SECRET,
            "-t",
            "d/two/j",
            "-m",
            &reading,
        ];
        assert!(mosquitto("mosquitto_pub", &two).await.unwrap().status.success());
        for (_, lines) in &mut readers {
            let mut got = Vec::new();
            while got.len() < 2 {
                let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
                got.extend(line.strip_prefix("got ").map(str::to_owned));
            }
            got.sort();
            assert_eq!(
                got,
                [format!("d/one/j 1 0 {reading}"), format!("d/two/j 0 0 {reading}")]
            );
        }
    }
    front.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_run_twice_and_may_not_publish() {
    let front = Front::open(&["one"]).await;
    let token = token(&front, "twice", &["d/#"]).await;
    let reads = |client_id: &str, version| {
        let mut connect = front.connect("", version, Way::Web);
        connect["user"] = token.as_str().into();
        connect["password"] = serde_json::Value::Null;
        connect["client_id"] = client_id.into();
        connect
    };
    let (mut first, _) = connected(Client::paho().unwrap(), reads("first", 4)).await;
    let (mut second, _) = connected(Client::mqtt_js().unwrap(), reads("second", 5)).await;
    assert_eq!(first.subscribe("d/+/e", 0).await.unwrap(), 0);
    assert_eq!(second.subscribe("d/#", 1).await.unwrap(), 1);
    let (mut device, _) = connected(Client::mqtt_js().unwrap(), front.connect("one", 4, Way::Plain)).await;
    assert_eq!(
        device
            .publish("d/one/e", "not an event, but it was said", 1)
            .await
            .unwrap(),
        0
    );
    for (client, qos) in [(&mut first, 0), (&mut second, 1)] {
        let told = client.wait(&["message"]).await.unwrap();
        assert_eq!(
            (&told["topic"], &told["qos"]),
            (&"d/one/e".into(), &qos.into()),
            "{told}"
        );
    }
    assert_eq!(second.publish("d/one/c/1", "{}", 1).await.unwrap(), 0x87);
    front.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_says_about_its_message_reaches_programs_of_version_5() {
    let front = Front::open(&["new", "old"]).await;
    let token = token(&front, "properties", &["d/#"]).await;
    let reads = |client_id: &str, version| {
        let mut connect = front.connect("", version, Way::Plain);
        connect["user"] = token.as_str().into();
        connect["password"] = serde_json::Value::Null;
        connect["client_id"] = client_id.into();
        connect
    };
    let (mut paho, _) = connected(Client::paho().unwrap(), reads("paho", 5)).await;
    let (mut js, _) = connected(Client::mqtt_js().unwrap(), reads("mqtt-js", 5)).await;
    let (mut plain, _) = connected(Client::paho().unwrap(), reads("plain", 4)).await;
    for reader in [&mut paho, &mut js, &mut plain] {
        assert_eq!(reader.subscribe("d/+/j", 1).await.unwrap(), 1);
    }
    let (mut new, _) = connected(Client::mqtt_js().unwrap(), front.connect("new", 5, Way::Plain)).await;
    let (mut old, _) = connected(Client::paho().unwrap(), front.connect("old", 4, Way::Plain)).await;
    let mut passed_on = json!({
        "PayloadFormatIndicator": 1, "ContentType": "application/json", "ResponseTopic": "d/x/r/1", "CorrelationData": "r-1",
        // In no order but this, and one name twice (MQTT 5 §3.3.2.3.7).
        "UserProperty": [["span", "1"], ["trace", "2"], ["trace", "1"], ["age", "3"]],
    });
    let mut given = passed_on.clone();
    given["MessageExpiryInterval"] = 3_600.into();
    let reading = r#"{"motor_current_a": 1.5}"#;
    let act = json!({ "do": "publish", "topic": "d/new/j", "payload": reading, "qos": 1, "properties": given });
    assert_eq!(new.act(act, &["published"]).await.unwrap()["code"], 0);
    assert_eq!(old.publish("d/old/j", reading, 1).await.unwrap(), 0);
    for reader in [&mut paho, &mut js] {
        let mut told = reader.wait(&["message"]).await.unwrap();
        assert_eq!((&told["topic"], &told["payload"]), (&"d/new/j".into(), &reading.into()));
        let left = told["properties"]["MessageExpiryInterval"].take();
        let seconds = left.as_u64().unwrap();
        assert!(seconds <= 3_600 && seconds + 600 > 3_600, "{left} s");
        // Taken out above; the same name on the other side makes the rest comparable.
        passed_on["MessageExpiryInterval"] = serde_json::Value::Null;
        assert_eq!(told["properties"], passed_on);
        let told = reader.wait(&["message"]).await.unwrap();
        assert_eq!((&told["topic"], &told["properties"]), (&"d/old/j".into(), &json!({})));
    }
    for topic in ["d/new/j", "d/old/j"] {
        let told = plain.wait(&["message"]).await.unwrap();
        assert_eq!(
            (&told["topic"], &told["properties"], &told["payload"]),
            (&topic.into(), &json!({}), &reading.into())
        );
    }
    front.close().await;
}
