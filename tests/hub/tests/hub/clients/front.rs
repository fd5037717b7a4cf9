//! A hub with every door open, and how clients are let in.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use tests_hub::clients::Client;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::ports;
use tests_hub::site::{SECRET, TestSite, daytime_zone};

pub const PATIENCE: Duration = Duration::from_secs(40);

/// A way into the hub.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Plain,
    Tls,
    Web,
    WebTls,
}

pub const WAYS: [Way; 4] = [Way::Plain, Way::Tls, Way::Web, Way::WebTls];

pub struct Front {
    pub lab: Lab,
    pub hub: RunningHub,
    pub console: Console,
    pub tls: SocketAddr,
}

impl Front {
    /// A running hub with devices of tenant `acme`, a certificate for 127.0.0.1, and the authority that signed it in `ca.pem`.
    pub async fn open(devices: &[&str]) -> Self {
        let mut lab = Lab::new().unwrap();
        let tls = ports::tcp().unwrap();
        make_certificate(&lab);
        let file = |name: &str| lab.path().join(name).display().to_string();
        let settings = [
            ("FORECALL_MQTT_TLS", tls.to_string()),
            ("FORECALL_TLS_CERTIFICATE", file("hub.pem")),
            ("FORECALL_TLS_KEY", file("hub.key")),
        ];
        for (name, value) in settings {
            lab.set(name, value);
        }
        let devices = devices
            .iter()
            .map(|name| ((*name).to_owned(), "washing-machine".to_owned(), None))
            .collect();
        let site = TestSite {
            trunk: None,
            password: None,
            devices,
            consent: false,
            zone: daytime_zone(12),
        };
        lab.apply(&site.toml()).await.unwrap();
        let hub = lab.serve().await.unwrap();
        let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
        Self { lab, hub, console, tls }
    }

    /// The authority's certificate.
    pub fn ca(&self) -> String {
        self.lab.path().join("ca.pem").display().to_string()
    }

    /// What a client is told to connect as a device.
    pub fn connect(&self, device: &str, version: u8, way: Way) -> Value {
        let (port, ca) = match way {
            Way::Plain | Way::Web => (self.lab.mqtt.port(), Value::Null),
            Way::Tls | Way::WebTls => (self.tls.port(), self.ca().into()),
        };
        json!({
            "do": "connect", "host": "127.0.0.1", "port": port, "ca": ca, "websocket": matches!(way, Way::Web | Way::WebTls),
            "version": version, "user": format!("acme/{device}"), "password": SECRET, "client_id": device,
        })
    }

    /// The appliance of a device, as the API shows it.
    pub async fn appliance(&self, device: &str) -> Value {
        let all = self.console.all("/api/v1/appliances").await.unwrap();
        all.into_iter().find(|one| one["device"] == device).unwrap()
    }

    /// Path of the API for a device.
    pub async fn path(&self, device: &str, rest: &str) -> String {
        format!("/api/v1/appliances/{}/{rest}", self.appliance(device).await["id"])
    }

    /// Exactly so many samples of a device are stored, none in quarantine.
    pub async fn stored(&self, device: &str, samples: u64) {
        let what = format!("{samples} samples of {device} are stored");
        eventually(&what, PATIENCE, async || {
            let shown = self.appliance(device).await;
            assert_eq!(shown["quarantined"], 0, "{shown}");
            assert!(shown["samples"].as_u64().unwrap() <= samples, "{shown}");
            (shown["samples"] == samples).then_some(())
        })
        .await;
    }

    /// Queues a command.
    pub async fn command(&self, device: &str, request: &str, body: Value) {
        let path = self.path(device, "commands").await;
        let asked = json!({ "body": body, "request": request });
        let (status, answer) = self
            .console
            .post(&path, &format!("{device}-{request}"), &asked)
            .await
            .unwrap();
        assert_eq!(status, 200, "{answer}");
    }

    /// Waits until a command is where it should be; what the API says of it.
    pub async fn command_is(&self, device: &str, request: &str, state: &str) -> Value {
        let path = self.path(device, "commands").await;
        eventually(&format!("{request} is {state}"), PATIENCE, async || {
            let all = self.console.all(&path).await.unwrap();
            let command = all.into_iter().find(|one| one["request"] == request)?;
            (command["state"] == state).then_some(command)
        })
        .await
    }

    /// Ends the hub; nothing in its log is for a person to look at.
    pub async fn close(self) {
        self.hub.stop().await.unwrap();
    }
}

/// A client that the hub has taken; what it was told.
pub async fn connected(mut client: Client, connect: Value) -> (Client, Value) {
    let told = client.act(connect, &["connected", "refused"]).await.unwrap();
    assert_eq!(told["event"], "connected", "{told}");
    (client, told)
}

fn make_certificate(lab: &Lab) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
          -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hub -keyout hub.key -out hub.csr
        printf 'subjectAltName=IP:127.0.0.1' > hub.ext
        openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile hub.ext -out hub.pem";
    let made = Command::new("sh")
        .args(["-euc", script])
        .current_dir(lab.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
