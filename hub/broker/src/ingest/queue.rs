//! The way to the committer: bounded by publishes and by bytes.

use super::{Item, Parcel};
use crate::counters::{BrokerCounters, add};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Publishes that wait for the next batch; a full queue holds up the connections, not the hub.
const ITEMS_MAX: u32 = 16_384;
/// Bytes of payload that wait for the next batch.
const BYTES_MAX: u32 = 32 << 20;

/// Puts publishes into the queue.
#[derive(Clone)]
pub(crate) struct Queue {
    parcels: mpsc::UnboundedSender<Waiting>,
    items: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    counters: Arc<BrokerCounters>,
}

/// A parcel in the queue; its place is free again when it is taken out.
pub(crate) struct Waiting {
    pub(super) parcel: Parcel,
    _room: Room,
}

struct Room {
    _items: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// The committer's end.
pub(crate) type Queued = mpsc::UnboundedReceiver<Waiting>;

/// A new queue. Without a bound of its own: each parcel holds its room in the semaphores.
pub(crate) fn queue(counters: Arc<BrokerCounters>) -> (Queue, Queued) {
    let (parcels, queued) = mpsc::unbounded_channel();
    let queue = Queue {
        parcels,
        items: Arc::new(Semaphore::new(ITEMS_MAX as usize)),
        bytes: Arc::new(Semaphore::new(BYTES_MAX as usize)),
        counters,
    };
    (queue, queued)
}

impl Queue {
    /// Puts a parcel in; gives it back where there is no room now.
    pub(crate) fn try_send(&self, parcel: Parcel) -> Result<(), Parcel> {
        let (items, bytes) = size(&parcel);
        let room = || {
            Some(Room {
                _items: Arc::clone(&self.items).try_acquire_many_owned(items).ok()?,
                _bytes: Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?,
            })
        };
        match room() {
            Some(room) => self.put(parcel, room),
            None => Err(parcel),
        }
    }

    /// Puts a parcel in when there is room; gives it back where the committer has ended.
    pub(crate) async fn send(&self, parcel: Parcel) -> Result<(), Parcel> {
        let (items, bytes) = size(&parcel);
        let items = Arc::clone(&self.items).acquire_many_owned(items).await;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        match (items, bytes) {
            (Ok(_items), Ok(_bytes)) => self.put(parcel, Room { _items, _bytes }),
            // The semaphores are never closed.
            _ => Err(parcel),
        }
    }

    fn put(&self, parcel: Parcel, room: Room) -> Result<(), Parcel> {
        let (items, bytes) = parcel
            .items
            .iter()
            .fold((0, 0), |(n, sum), item| (n + 1, sum + item.bytes()));
        // Before it is in: the committer must not count down first.
        add(&self.counters.queue_items, items);
        add(&self.counters.queue_bytes, bytes);
        let waiting = Waiting { parcel, _room: room };
        self.parcels.send(waiting).map_err(|back| back.0.parcel)
    }
}

/// Publishes and bytes; a parcel beyond a bound takes all of it.
fn size(parcel: &Parcel) -> (u32, u32) {
    let items = u32::try_from(parcel.items.len()).unwrap_or(u32::MAX);
    let bytes = u32::try_from(parcel.items.iter().map(Item::bytes).sum::<u64>()).unwrap_or(u32::MAX);
    (items.min(ITEMS_MAX), bytes.min(BYTES_MAX))
}
