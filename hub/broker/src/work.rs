//! What all connections share.

use crate::clocks::Clocks;
use crate::command::Desk;
use crate::config::BrokerConfig;
use crate::counters::{BrokerCounters, add};
use crate::ingest::{Item, Parcel, Queue};
use crate::login::Logins;
use crate::quotas::Quotas;
use crate::refusals::Refusals;
use crate::registry::Registry;
use crate::router::Router;
use crate::session::Message;
use crate::sessions::Sessions;
use crate::underway::Underway;
use crate::wills::Wills;
use hub_core::accepting::Accepting;
use hub_core::clock::CivilClock;
use hub_core::id::TenantId;
use hub_core::profile::ApplianceProfile;
use hub_store::DoorStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    pub(crate) store: Arc<dyn DoorStore>,
    pub(crate) profiles: Arc<BTreeMap<String, ApplianceProfile>>,
    pub(crate) clock: Arc<dyn CivilClock>,
    pub(crate) counters: Arc<BrokerCounters>,
    pub(crate) refusals: Refusals,
    pub(crate) accepting: Arc<Accepting>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) ingest: Queue,
    pub(crate) logins: Logins,
    pub(crate) sessions: Sessions,
    pub(crate) clocks: Clocks,
    pub(crate) underway: Arc<Underway>,
    pub(crate) wills: Wills<LastWord>,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
}

/// Something for the integrators of a tenant, once it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    pub(crate) message: Message,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

/// A will that is to be published.
pub(crate) struct LastWord {
    pub(crate) tenant: TenantId,
    pub(crate) item: Item,
    pub(crate) echo: Echo,
}

impl Shared {
    /// Hands a message to the integrators who want it.
    pub(crate) fn echo(&self, tenant: &TenantId, echo: &Echo) {
        let Echo { message, qos, retain } = echo;
        let payload = message.to_payload();
        self.router
            .publish(tenant.as_str(), message.topic(), &payload, *qos, *retain);
    }

    /// Publishes a will: for it nobody waits.
    pub(crate) async fn publish_will(&self, word: LastWord) {
        let LastWord { tenant, item, echo } = word;
        let items = vec![item];
        let parcel = Parcel { waiter: None, items };
        match timeout(self.config.store_patience, self.ingest.send(parcel)).await {
            Ok(Ok(())) => {
                add(&self.counters.wills, 1);
                self.echo(&tenant, &echo);
            }
            Ok(Err(_)) | Err(_) => add(&self.counters.dropped, 1),
        }
    }

    /// Publishes wills as their time comes, for ever.
    pub(crate) async fn publish_wills(&self) {
        loop {
            let word = self.wills.due().await;
            self.publish_will(word).await;
        }
    }
}
