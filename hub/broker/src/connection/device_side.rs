//! What a connection knows of its device: publishes on their way to ingest, in the order of receipt, and what is to happen
//! when they are stored.

use super::command::Commands;
use crate::decode::{Origin, Work};
use crate::ingest::Item;
use crate::session::Message;
use crate::underway::Mark;
use crate::work::{Echo, LastWord};
use hub_core::id::ApplianceId;
use hub_store::session::KeptSession;
use hub_store::telemetry::{Device, Ingest};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What a connection knows of its device. Everything is bounded by the publishes in flight.
pub(super) struct DeviceSide {
    pub(super) device: Device,
    /// Sessions to be kept (`Some`) or forgotten, in order.
    pub(super) keeping: VecDeque<Option<KeptSession>>,
    /// One of them is under way.
    pub(super) keeps: bool,
    /// What cannot go to ingest yet, since something before it waits for the store.
    pub(super) tasks: VecDeque<Task>,
    /// What goes to ingest next.
    pub(super) parcel: Vec<Item>,
    /// When the last one went, or the device connected.
    pub(super) parcel_at: Instant,
    /// Ingest has no room now; a parcel waits for it.
    pub(super) sends: bool,
    /// The store is asked where a boot's uptime stands.
    pub(super) asks_clock: bool,
    /// UTC less uptime of the newest boot, where it is known whether the device has told it.
    pub(super) offset: Option<Offset>,
    /// For integrators, once stored.
    pub(super) echoes: Vec<(u64, Echo)>,
    /// Why publishes under way went to quarantine.
    pub(super) notes: Vec<(u64, String)>,
    /// Dropped and not told to ingest yet.
    pub(super) dropped: u32,
    pub(super) quarantined: u64,
    pub(super) will: Option<(LastWord, Duration)>,
    pub(super) commands: Commands,
}

/// A boot and, if the device has told it, UTC less uptime in ms.
pub(super) type Offset = (u64, Option<i64>);

/// The store's answer about the clock of a boot; `None` where it did not come in time.
pub(super) struct ClockAnswer(pub(super) Option<Offset>);

/// Something for ingest.
pub(super) struct Task {
    pub(super) what: What,
    pub(super) number: Option<u64>,
    pub(super) exactly_once: Option<u16>,
    /// Where it holds or releases a packet identifier in the store.
    pub(super) mark: Option<Mark>,
    pub(super) deadline: Instant,
}

pub(super) enum What {
    Work(Work),
    /// Nothing to find out.
    Ready(Ingest, Origin),
}

impl DeviceSide {
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            keeping: VecDeque::new(),
            keeps: false,
            tasks: VecDeque::new(),
            parcel: Vec::new(),
            parcel_at: Instant::now(),
            sends: false,
            asks_clock: false,
            offset: None,
            echoes: Vec::new(),
            notes: Vec::new(),
            dropped: 0,
            quarantined: 0,
            will: None,
            commands: Commands::default(),
        }
    }

    /// What integrators are to be told and is not stored yet.
    pub(super) fn take_echoes(&mut self) -> Vec<(u64, Echo)> {
        std::mem::take(&mut self.echoes)
    }

    /// Whether something is still to be brought to ingest.
    pub(super) fn is_busy(&self) -> bool {
        self.sends || self.asks_clock || !self.tasks.is_empty() || !self.parcel.is_empty()
    }

    /// How much of it there is.
    pub(super) fn unsent(&self) -> usize {
        self.tasks.len() + self.parcel.len()
    }

    /// Puts tasks into the parcel, up to the first that must wait for the store; gives the boot to ask about.
    pub(super) fn advance(&mut self) -> Option<u64> {
        while !self.asks_clock {
            let task = self.tasks.pop_front()?;
            if let What::Work(work) = &task.what {
                if let Some((boot, offset)) = work.clock() {
                    self.offset = Some((boot, Some(offset)));
                }
                if let Some(boot) = work.boot()
                    && self.offset.is_none_or(|(known, _)| known != boot)
                {
                    self.tasks.push_front(task);
                    self.asks_clock = true;
                    return Some(boot);
                }
            }
            let offset_ms = self.offset.and_then(|(_, offset)| offset);
            let item = task.into_item(self.device.appliance, offset_ms);
            self.parcel.push(item);
        }
        None
    }

    /// Puts what was dropped into the parcel.
    pub(super) fn tell_dropped(&mut self, now: Timestamp, patience: Duration) {
        let count = std::mem::take(&mut self.dropped);
        if count == 0 {
            return;
        }
        let appliance = self.device.appliance;
        self.parcel.push(Item {
            ingest: Ingest::Dropped { appliance, count },
            origin: nowhere(appliance, now),
            number: None,
            deadline: Instant::now() + patience,
            mark: None,
        });
    }
}

impl Task {
    fn into_item(self, appliance: ApplianceId, offset_ms: Option<i64>) -> Item {
        let (ingest, origin) = match self.what {
            What::Work(work) => work.place(offset_ms),
            What::Ready(ingest, origin) => (ingest, origin),
        };
        let ingest = match self.exactly_once {
            Some(packet_id) => Ingest::Once {
                appliance,
                packet_id,
                content: Box::new(ingest),
            },
            None => ingest,
        };
        Item {
            ingest,
            origin,
            number: self.number,
            deadline: self.deadline,
            mark: self.mark,
        }
    }
}

/// Of what was not published on a topic.
pub(super) fn nowhere(appliance: ApplianceId, received_at: Timestamp) -> Origin {
    let message = Message::new(b"", b"");
    Origin {
        appliance,
        message,
        received_at,
    }
}
