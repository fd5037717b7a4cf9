//! A hub under attack, and the honest devices beside the others.

use hub_lab::home::{Delivered, DeviceConnection, HomeCounters, Pace, Replay, replay};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{past, recent};
use tests_hub::hub::Lab;
use tests_hub::site::SECRET;
use tests_mqtt::{Client, Connect};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

/// A device that reports all the time, ten minutes of a machine's life in a little less than 30 ms.
pub struct Honest {
    tenant: &'static str,
    counters: Arc<HomeCounters>,
    stop: CancellationToken,
    run: JoinHandle<Delivered>,
}

impl Honest {
    /// Starts reporting.
    pub fn start(lab: &Lab, tenant: &'static str, secret: &str) -> Self {
        let counters = Arc::new(HomeCounters::default());
        let stop = CancellationToken::new();
        let recording = Replay {
            connection: DeviceConnection {
                broker: lab.mqtt,
                tenant: tenant.into(),
                device: "honest".into(),
                secret: secret.into(),
            },
            profile: Arc::new(tests_world::profiles::washing_machine()),
            boot_id: 7,
            samples: past(21, 60, None, recent()).into_iter(),
            pace: Pace::Speed(21_600.0),
        };
        let (stopped, counted) = (stop.clone(), counters.clone());
        let run = tokio::spawn(async move { replay(recording, stopped, counted).await.unwrap() });
        Self {
            tenant,
            counters,
            stop,
            run,
        }
    }

    /// It is heard now, not only later.
    async fn is_heard(&self, during: &str) {
        let before = self.counters.acknowledged();
        let what = format!("{} is heard: {during}", self.tenant);
        eventually(&what, PATIENCE, async || {
            (self.counters.acknowledged() > before).then_some(())
        })
        .await;
    }

    /// How many samples were acknowledged, which is all it took.
    pub async fn stop(self) -> u64 {
        assert!(!self.run.is_finished(), "{} had more to say", self.tenant);
        self.stop.cancel();
        let delivered = self.run.await.unwrap();
        assert_eq!(delivered.acknowledged, delivered.taken, "{}", self.tenant);
        assert_eq!(self.counters.resent(), 0, "{} never lost its connection", self.tenant);
        delivered.acknowledged
    }
}

/// A hub with two honest devices, and any other clients.
pub struct Door {
    pub lab: Lab,
    pub console: Console,
    pub honest: [Honest; 2],
}

impl Door {
    /// A device of `acme`.
    pub async fn device(&self, name: &str) -> Client {
        self.log_in(&format!("acme/{name}"), SECRET, name, 60).await
    }

    /// A device that the hub has taken.
    pub async fn log_in(&self, user_name: &str, secret: &str, client_id: &str, keep_alive_s: u16) -> Client {
        let who = Connect {
            client_id,
            keep_alive_s,
            ..Connect::new(user_name, secret)
        };
        Client::connected(self.lab.mqtt, &who).await.unwrap()
    }

    async fn appliance(&self, tenant: &str, device: &str) -> Value {
        let appliances = self.console.all("/api/v1/appliances").await.unwrap();
        let wanted = |a: &&Value| a["tenant"] == tenant && a["device"] == device;
        appliances.iter().find(wanted).unwrap().clone()
    }

    /// The device is cut off, and its page says why.
    pub async fn is_cut(&self, mut device: Client, name: &str, reason: &str) {
        device.closed().await.unwrap();
        let what = format!("{name} is told off: {reason}");
        let told = async || {
            let shown = self.appliance("acme", name).await;
            let says = |field: &str| shown[field].as_str().unwrap_or_default().to_owned();
            (shown["online"] == false && says("presence_reason").contains(reason)).then_some(())
        };
        eventually(&what, PATIENCE, told).await;
        self.others_are_heard(name).await;
    }

    /// Both honest devices are heard now.
    pub async fn others_are_heard(&self, during: &str) {
        for honest in &self.honest {
            honest.is_heard(during).await;
        }
    }

    /// So many samples are stored, and so many payloads in quarantine: never more, and soon all, since samples are
    /// counted once a second.
    pub async fn counts_are(&self, tenant: &str, device: &str, (samples, quarantined): (i64, i64)) {
        let what = format!("{samples} samples and {quarantined} quarantined of {tenant}/{device}");
        eventually(&what, PATIENCE, async || {
            let appliance = self.appliance(tenant, device).await;
            let shown = (appliance["samples"].as_i64()?, appliance["quarantined"].as_i64()?);
            assert!(shown.0 <= samples && shown.1 <= quarantined, "{what}, not {shown:?}");
            (shown == (samples, quarantined)).then_some(())
        })
        .await;
    }
}
