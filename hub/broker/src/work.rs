//! What all connections share.

use crate::clocks::Clocks;
use crate::command::Dispatcher;
use crate::config::BrokerConfig;
use crate::counters::{BrokerCounters, add};
use crate::ingest::{Item, Parcel, Queue, WILL};
use crate::login::Logins;
use crate::mailbox::{Cut, Mailbox, Settled, Waiter};
use crate::quotas::Quotas;
use crate::refusals::Refusals;
use crate::registry::Registry;
use crate::router::{Published, Router};
use crate::session::Message;
use crate::sessions::Sessions;
use crate::underway::Underway;
use crate::wills::Wills;
use hub_core::accepting::Accepting;
use hub_core::clock::CivilClock;
use hub_core::families::Families;
use hub_core::id::TenantId;
use hub_store::DoorStore;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    pub(crate) store: Arc<dyn DoorStore>,
    pub(crate) families: watch::Receiver<Arc<Families>>,
    pub(crate) clock: Arc<dyn CivilClock>,
    pub(crate) counters: Arc<BrokerCounters>,
    pub(crate) refusals: Refusals,
    pub(crate) accepting: Arc<Accepting>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) ingest: Queue,
    pub(crate) logins: Logins,
    pub(crate) sessions: Sessions,
    pub(crate) clocks: Clocks,
    pub(crate) underway: Arc<Underway>,
    pub(crate) wills: Wills<LastWord>,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
    /// From here the expiry of messages is counted.
    pub(crate) began: Instant,
}

/// Something for the integrators of a tenant, once it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    message: Message,
    qos: u8,
    retain: bool,
    /// When it is of no use any more, in ms from [`Shared::began`].
    expires_ms: Option<u64>,
}

/// A will that is to be published.
pub(crate) struct LastWord {
    pub(crate) tenant: TenantId,
    pub(crate) item: Item,
    pub(crate) message: Message,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

impl Shared {
    /// A message whose time begins to run now.
    pub(crate) fn echo_of(&self, message: Message, qos: u8, retain: bool) -> Echo {
        let expires_ms = message
            .expiry_s()
            .map(|seconds| self.running_ms().saturating_add(u64::from(seconds) * 1_000));
        Echo {
            message,
            qos,
            retain,
            expires_ms,
        }
    }

    /// Hands a message to the integrators who want it.
    pub(crate) fn echo(&self, tenant: &TenantId, echo: &Echo) {
        let properties = echo.message.to_properties();
        let published = Published {
            properties: &properties,
            expires_ms: echo.expires_ms,
            ..Published::new(echo.message.topic(), echo.message.payload(), echo.qos, echo.retain)
        };
        self.router.publish(tenant.as_str(), &published);
    }

    /// Seconds up to this many ms from [`Shared::began`], rounded up; 0 where they have passed.
    pub(crate) fn seconds_left(&self, expires_ms: u64) -> u32 {
        let left = expires_ms.saturating_sub(self.running_ms()).div_ceil(1_000);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    fn running_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Hands what a device said last, often right before it left, to the integrators once it is stored.
    pub(crate) async fn echo_when_stored(&self, mailbox: &Mailbox, tenant: &TenantId, mut echoes: Vec<(u64, Echo)>) {
        let all = async {
            while !echoes.is_empty() {
                let letters = poll_fn(|cx| mailbox.poll(cx)).await;
                for settled in &letters.settled {
                    if let Some(echo) = take_stored(&mut echoes, settled) {
                        self.echo(tenant, &echo);
                    }
                }
                if matches!(letters.cut, Some(Cut::CommitFailed)) {
                    return;
                }
            }
        };
        // What is not stored by then is given up; the hub's end waits for none of it.
        tokio::select! {
            biased;
            _ = timeout(self.config.commit_patience, all) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Publishes a will: it is stored no matter who waits for it, and the integrators are told once it is, by a task of its own. There
    /// are no more of these than ingest has room for, and each ends with its will's time.
    pub(crate) async fn publish_will(self: &Arc<Self>, will: LastWord) {
        let LastWord {
            tenant,
            mut item,
            message,
            qos,
            retain,
        } = will;
        item.number = Some(WILL);
        let mailbox = Arc::new(Mailbox::default());
        let parcel = Parcel {
            waiter: Some(Waiter::new(&mailbox)),
            items: vec![item],
            can_wait: true,
        };
        match timeout(self.config.store_patience, self.ingest.send(parcel)).await {
            Ok(Ok(())) => {
                add(&self.counters.wills, 1);
                let echoes = vec![(WILL, self.echo_of(message, qos, retain))];
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.echo_when_stored(&mailbox, &tenant, echoes).await });
            }
            Ok(Err(_)) | Err(_) => add(&self.counters.dropped, 1),
        }
    }

    /// Publishes wills as their time comes, without end.
    pub(crate) async fn publish_wills(self: &Arc<Self>) {
        loop {
            let will = self.wills.due().await;
            self.publish_will(will).await;
        }
    }
}

/// What integrators are told now that it is stored; nothing of what was stored before.
pub(crate) fn take_stored(echoes: &mut Vec<(u64, Echo)>, settled: &Settled) -> Option<Echo> {
    let echo = take(echoes, settled.number);
    echo.filter(|_| settled.outcome.stored > 0 || settled.outcome.repeated == 0)
}

/// What is listed under this number.
pub(crate) fn take<T>(list: &mut Vec<(u64, T)>, number: u64) -> Option<T> {
    let at = list.iter().position(|(of, _)| *of == number)?;
    Some(list.remove(at).1)
}
