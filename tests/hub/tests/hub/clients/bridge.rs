//! A house's own mosquitto, bridged to the hub with its settings as they come: it says by a bit of the protocol level that it
//! is a bridge, and tells on `$SYS` that it is up.

use super::front::{Front, PATIENCE};
use super::integrators::token;
use std::net::SocketAddr;
use std::time::Duration;
use tests_hub::clients::{mosquitto, mosquitto_broker, mosquitto_sub};
use tests_hub::ports;
use tests_hub::site::SECRET;
use tokio::time::{Instant, timeout};

/// Between two tries.
const A_MOMENT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_of_mosquitto_brings_readings_and_reads_along() {
    let front = Front::open(&["bridged-4", "bridged-5", "other"]).await;
    for (device, version) in [("bridged-4", "mqttv311"), ("bridged-5", "mqttv50")] {
        let token = token(&front, &format!("bridge-of-{device}"), &["d/+/j"]).await;
        let (hub, house) = (front.lab.mqtt, ports::tcp().unwrap());
        // Only the pause before it comes again is shorter than mosquitto's own.
        let bridges = format!(
            "connection up\naddress {hub}\nbridge_protocol_version {version}\nrestart_timeout 1\n\
             remote_username acme/{device}\nremote_password {SECRET}\ntopic d/{device}/j out 1\n\
             connection down\naddress {hub}\nbridge_protocol_version {version}\nrestart_timeout 1\n\
             remote_username {token}\ntopic d/+/j in 1 house/ \"\"\n"
        );
        let _broker = mosquitto_broker(front.lab.path(), house, &bridges).unwrap();
        // mosquitto keeps it for the bridge until that is up.
        let topic = format!("d/{device}/j");
        until_it_listens(house).await;
        say(house, &["-q", "1", "-t", &topic, "-m", r#"{"motor_current_a": 1.5}"#]).await;
        front.stored(device, 1).await;

        let port = house.port().to_string();
        let (_reader, mut lines) = mosquitto_sub(&["-h", "127.0.0.1", "-p", &port, "-t", "house/#", "-v"]).unwrap();
        let begun = Instant::now();
        for n in 0.. {
            assert!(begun.elapsed() < PATIENCE, "{version}: nothing came down");
            let reading = format!(r#"{{"motor_current_a": 2.{n}}}"#);
            let other = ["-u", "acme/other", "-P", SECRET, "-t", "d/other/j", "-m", &reading];
            say(hub, &other).await;
            if let Ok(line) = timeout(A_MOMENT, lines.next_line()).await {
                let line = line.unwrap().expect("a line");
                assert!(line.starts_with(r#"house/d/other/j {"motor_current_a": 2."#), "{line}");
                break;
            }
        }
    }
    front.close().await;
}

async fn until_it_listens(broker: SocketAddr) {
    tests_hub::eventually("mosquitto listens", PATIENCE, async || {
        tokio::net::TcpStream::connect(broker).await.ok().map(drop)
    })
    .await;
}

async fn say(broker: SocketAddr, what: &[&str]) {
    let port = broker.port().to_string();
    let said = [&["-h", "127.0.0.1", "-p", &port][..], what].concat();
    let ended = mosquitto("mosquitto_pub", &said).await.unwrap();
    assert!(ended.status.success(), "{said:?}: {ended:?}");
}
