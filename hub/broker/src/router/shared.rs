//! What the feeder shares: with those who ask it, and with its links.

use super::RouterLimits;
use super::filters::Wanted;
use super::link::Gone;
use super::subscriber::Job;
use super::totals::Totals;
use rumqttd::local::{LinkRx, LinkTx};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::SyncSender;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// What waits for the feeder.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub messages: AtomicUsize,
    pub bytes: AtomicUsize,
    pub subscribers: AtomicUsize,
}

/// Makes a connection to rumqttd's router under a name. (The type of the router's channel cannot be written down.)
pub(super) type Connect = Box<dyn Fn(&str) -> Result<(LinkTx, LinkRx), Gone> + Send>;

/// What the feeder shares with others.
pub(super) struct Shared {
    pub limits: RouterLimits,
    /// For those who subscribe.
    pub asking: SyncSender<Job>,
    pub wanted: Arc<Wanted>,
    pub queued: Arc<Queued>,
    pub totals: Arc<Totals>,
    pub echoes: Arc<AtomicU64>,
    pub stop: CancellationToken,
    pub runtime: Handle,
}
