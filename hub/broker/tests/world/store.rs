//! The store: what survives a crash.

use agent_sdk_wire::decode_telemetry;
use hub_broker::session::Message;
use hub_store::session::KeptSession;
use std::collections::{BTreeMap, BTreeSet};

/// One thing to be committed.
#[derive(Debug, Clone)]
pub enum Item {
    /// A publish, with its packet identifier where the store is to remember it.
    Publish {
        once: Option<u16>,
        message: Message,
    },
    Release {
        packet_id: u16,
    },
    /// Behind everything of the device that came before.
    DropSession,
    KeepSession(KeptSession),
}

/// What is known of each device.
#[derive(Debug, Default)]
pub struct Kept {
    pub session: Option<KeptSession>,
    pub unreleased: BTreeSet<u16>,
    /// How often each sequence number was stored.
    pub stored: BTreeMap<u64, u32>,
}

/// All devices.
#[derive(Debug, Default)]
pub struct Store {
    pub devices: BTreeMap<usize, Kept>,
}

impl Store {
    pub fn commit(&mut self, device: usize, item: Item) {
        let kept = self.devices.entry(device).or_default();
        match item {
            Item::Publish { once, message } => {
                if once.is_some_and(|packet_id| !kept.unreleased.insert(packet_id)) {
                    return;
                }
                let telemetry = decode_telemetry(message.payload()).unwrap();
                *kept.stored.entry(telemetry.seq).or_default() += 1;
            }
            Item::Release { packet_id } => {
                kept.unreleased.remove(&packet_id);
            }
            Item::DropSession => {
                kept.session = None;
                kept.unreleased.clear();
            }
            Item::KeepSession(session) => kept.session = Some(session),
        }
    }

    /// What is told at log-in.
    pub fn session(&self, device: usize) -> Option<KeptSession> {
        let kept = self.devices.get(&device)?;
        let unreleased = kept.unreleased.iter().copied().collect();
        kept.session
            .clone()
            .map(|session| KeptSession { unreleased, ..session })
    }

    pub fn is_stored(&self, device: usize, seq: u64) -> bool {
        self.devices
            .get(&device)
            .is_some_and(|kept| kept.stored.contains_key(&seq))
    }
}
