//! A hub over the store in memory, with what is of one tenant, and a log-in of each role from everywhere.

use hub_api::{ApiConfig, ApiState, Monitor, Pages, Redecoded, serve};
use hub_core::actor::{Act, Actor, Role};
use hub_core::call_rules::HoldReason;
use hub_core::clock::{CivilClock, ManualClock, SystemClock};
use hub_core::id::AccountId;
use hub_core::normal::NoNormal;
use hub_core::release::Basis;
use hub_store::account::{Account, AccountStore};
use hub_store::conformance::scene::{alarm_on, morning, profiles, seen, site, tenant};
use hub_store::conformance::tenants::{Things, things};
use hub_store::contact::{Begun, ContactStore};
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a route needs.
pub enum Needs {
    /// No log-in.
    Nothing,
    /// A log-in of any role.
    LogIn,
    /// A role that may.
    Role(Act),
}

/// Where somebody is who asks for what is of acme, at its service point pudong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    OwnTenant,
    OtherTenant,
    OwnSite,
    OtherSite,
}

pub const PLACES: [From; 4] = [From::OtherTenant, From::OtherSite, From::OwnSite, From::OwnTenant];

pub fn actor(role: Role, from: From) -> Actor {
    let (of, sites) = match from {
        From::OwnTenant => ("acme", None),
        From::OtherTenant => ("beta", None),
        From::OwnSite => ("acme", Some(vec!["pudong".to_owned()])),
        From::OtherSite => ("acme", Some(vec!["minhang".to_owned()])),
    };
    Actor {
        sites,
        roles: vec![role],
        ..Actor::hub(&format!("{role}-{from:?}")).within(Some(tenant(of)))
    }
}

/// A hub's API over a store in memory, with what is of acme, and a log-in of each role from everywhere.
pub struct Hub {
    pub base: String,
    pub of: Things,
    _stop: DropGuard,
}

impl Hub {
    /// With these pages beside the API.
    pub async fn start(pages: Pages) -> Self {
        let store = Arc::new(MemoryStore::new(profiles(), 1));
        store.take_lease(morning()).await.unwrap().unwrap();
        let mut site = site();
        let mut minhang = site.tenants[0].service_points[0].clone();
        minhang.id = "minhang".to_owned();
        site.tenants[0].service_points.push(minhang);
        store.apply_site(&site, morning(), false).await.unwrap();
        let of = things(store.as_ref()).await;
        ready_to_ring(store.as_ref(), &of).await;
        for role in roles() {
            for from in PLACES {
                log_in(&store, actor(role, from)).await;
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let state = ApiState {
            store,
            clock: Arc::new(ManualClock::new(morning())),
            families: tokio::sync::watch::channel(Arc::default()).1,
            monitor: Monitor::default(),
            read_normal: Arc::new(|_| Err(NoNormal::NoModel)),
            redecode: Arc::new(|_| Box::pin(async { Ok(Redecoded::Refused("as before".to_owned())) })),
            demo: None,
            config: ApiConfig::default(),
        };
        tokio::spawn(serve(listener, state, pages, stop.clone()));
        Self {
            base,
            of,
            _stop: stop.drop_guard(),
        }
    }
}

/// A ticket of the same appliance whose call waits for an approval.
async fn ready_to_ring(store: &MemoryStore, of: &Things) {
    let commit = seen(vec![alarm_on(Basis::default(), of.washer, "drum_bearing", 0.95)]);
    let changes = store.commit_scoring(&commit, morning()).await.unwrap();
    let ticket = changes[0].opened.unwrap();
    let begun = store.begin_attempt(ticket, morning(), [8; 20]).await.unwrap();
    assert_eq!(begun, Begun::Held(HoldReason::ReadyToRing));
}

/// Roles that people have.
pub fn roles() -> impl Iterator<Item = Role> {
    Role::ALL.iter().copied().filter(|role| role.is_for_accounts())
}

/// The token is the name.
async fn log_in(store: &MemoryStore, actor: Actor) {
    let token: [u8; 32] = Sha256::digest(&actor.name).into();
    let id = AccountId(uuid::Uuid::from_slice(&token[..16]).unwrap());
    let account = Account {
        id,
        password_hash: "$argon2id$x".to_owned(),
        actor,
    };
    let (now, hub) = (SystemClock.now(), Actor::hub("test"));
    store.add_account(&hub, &account, now).await.unwrap();
    let until = now + SignedDuration::from_hours(1);
    store.open_session(token, id, until, now).await.unwrap();
}
