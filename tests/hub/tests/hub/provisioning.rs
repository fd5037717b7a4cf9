//! docs/operations/provisioning.md, block by block as somebody copies it, with clients that nobody here wrote.

use std::time::Duration;
use tests_hub::hub::{Lab, project};
use tests_hub::ports;

/// The whole guide takes so long at most.
const PATIENCE: Duration = Duration::from_secs(180);

/// A certificate for the hub itself, which the clients trust.
const HUB_CERTIFICATE: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
     -subj /CN=hub -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
     -keyout hub.key -out hub.pem && chmod 600 hub.key && chmod a+r hub.pem";

/// Who comes in while a change of its access is still told to the front door is cut, by design, and comes again, as devices
/// do; this client does not by itself. 7 says that the connection was lost, a refusal has another number.
const COMES_AGAIN: &str = "mosquitto_pub() { \
    command mosquitto_pub \"$@\" || { local why=$?; [ $why = 7 ] && sleep 1 && command mosquitto_pub \"$@\"; }; }\n";

/// The `sh` blocks of the guide, each with the line it begins at for the person who looks for a failure.
fn blocks() -> String {
    let guide = std::fs::read_to_string(project().join("docs/operations/provisioning.md")).unwrap();
    let (mut script, mut inside, mut count) = (COMES_AGAIN.to_owned(), false, 0);
    for (number, line) in guide.lines().enumerate() {
        match line {
            "```sh" => {
                inside = true;
                count += 1;
                script.push_str(&format!("echo 'block at line {}' >&2\n", number + 1));
            }
            "```" => inside = false,
            line if inside => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    assert!(count > 10, "only {count} blocks: is the guide still there?");
    script
}

#[tokio::test]
async fn every_command_of_the_provisioning_guide_does_what_it_says() {
    let mut lab = Lab::new().unwrap();
    let tls = ports::tcp().unwrap();
    lab.script(HUB_CERTIFICATE).await.unwrap();
    lab.set("FORECALL_MQTT_TLS", tls.to_string());
    lab.set(
        "FORECALL_TLS_CERTIFICATE",
        lab.path().join("hub.pem").display().to_string(),
    );
    lab.set("FORECALL_TLS_KEY", lab.path().join("hub.key").display().to_string());
    for (name, value) in [
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", lab.mqtt.port().to_string()),
        ("TLS_PORT", tls.port().to_string()),
        ("HTTP", format!("http://{}", lab.http)),
        ("HUB_CA", "hub.pem".to_owned()),
    ] {
        lab.set(name, value);
    }
    let hub = lab.serve().await.unwrap();
    let guide = blocks();
    let said = tokio::time::timeout(PATIENCE, lab.script(&guide)).await;
    let said = said.expect("the guide did not come to its end").unwrap();
    for told in [
        "acme/washer-4 is revoked",
        "acme/washer-2",
        "group line-1",
        "1 certificates are revoked",
    ] {
        assert!(said.contains(told), "{told} is not in:\n{said}");
    }
    hub.stop().await.unwrap();
}
