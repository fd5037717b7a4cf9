//! What the front door asks and keeps where the network is slow: between store and database stands a relay that holds back
//! what it is told to.

use crate::relay::{Carried, through};
use crate::said::{POOL, end_others, eventually, session};
use crate::server::Server;
use crate::support::{Base, appliance, message, morning, played};
use futures::future::join_all;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;
use hub_store::StoreError;
use hub_store::access::AccessStore;
use hub_store::conformance::door::secret;
use hub_store::conformance::scene::after;
use hub_store::event::EventStore;
use hub_store::lease::LeaseStore;
use hub_store::session::{SessionChange, SessionStore};
use hub_store::telemetry::{Command, Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use sqlx::{Connection, Executor};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

/// What a connection of the front door says when it is opened, and no other.
const AT_THE_DOOR: &[u8] = b"enable_seqscan";

/// See the module.
struct Relay {
    /// Connections of the front door that were made.
    made: AtomicU32,
    /// The next words of a client with this in them are held back.
    hold: Mutex<Option<Vec<u8>>>,
    let_go: watch::Sender<bool>,
    /// How often something that was held back has arrived, and was answered or met a database that had ended the connection.
    arrived: AtomicU32,
}

/// What the database has said on a connection.
#[derive(Default)]
struct Answers {
    count: AtomicU32,
    ended: AtomicBool,
}

impl Relay {
    fn new() -> Self {
        Self {
            made: AtomicU32::new(0),
            hold: Mutex::default(),
            let_go: watch::channel(true).0,
            arrived: AtomicU32::new(0),
        }
    }

    async fn carry(self: Arc<Self>, connection: Carried) {
        let Carried {
            mut from_client,
            mut to_client,
            mut from_database,
            mut to_database,
        } = connection;
        let answers = Arc::new(Answers::default());
        let noted = Arc::clone(&answers);
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(read @ 1..) = from_database.read(&mut buffer).await {
                noted.count.fetch_add(1, Ordering::SeqCst);
                // The client may have left.
                let _ = to_client.write_all(&buffer[..read]).await;
            }
            noted.ended.store(true, Ordering::SeqCst);
        });
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let words = &buffer[..read];
            if has(words, AT_THE_DOOR) {
                self.made.fetch_add(1, Ordering::SeqCst);
            }
            let is_held = self.is_held(words);
            if is_held {
                let mut let_go = self.let_go.subscribe();
                let _ = let_go.wait_for(|let_go| *let_go).await;
            }
            let before = answers.count.load(Ordering::SeqCst);
            let written = to_database.write_all(words).await;
            if is_held {
                let is_answered = || answers.count.load(Ordering::SeqCst) > before;
                while !is_answered() && !answers.ended.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                self.arrived.fetch_add(1, Ordering::SeqCst);
            }
            if written.is_err() {
                return;
            }
        }
        let _ = to_database.shutdown().await;
    }

    /// Holds back the next words of a client that have this in them.
    fn hold(&self, word: &str) {
        self.let_go.send_replace(false);
        *self.hold.lock().unwrap() = Some(word.into());
    }

    fn let_go(&self) {
        self.let_go.send_replace(true);
    }

    fn is_held(&self, words: &[u8]) -> bool {
        let mut hold = self.hold.lock().unwrap();
        let is_held = hold.as_deref().is_some_and(|word| has(words, word));
        if is_held {
            *hold = None;
        }
        is_held
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::SeqCst)
    }
}

fn has(words: &[u8], word: &[u8]) -> bool {
    words.windows(word.len()).any(|part| part == word)
}

async fn through_a_relay(base: &Base, folder: &Path) -> (Arc<Relay>, PostgresStore) {
    let relay = Arc::new(Relay::new());
    let shared = Arc::clone(&relay);
    let carry = move |connection| Arc::clone(&shared).carry(connection);
    let store = through(base, folder, carry).await;
    (relay, store)
}

/// A publish of QoS 2, which holds its packet identifier.
fn once(appliance: ApplianceId, packet_id: u16) -> Ingest {
    let mut content = message(appliance, 0, 0, 1);
    content.identity = Identity::Content(vec![false]);
    Ingest::Once {
        appliance,
        packet_id,
        content: Box::new(Ingest::Telemetry(content)),
    }
}

const EXPIRY: &str = "select coalesce((select expiry_s from mqtt_session), 0)";

/// A change that was given up arrives after a newer one, whose moment is earlier: the hub's clock was set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_session_that_arrives_late_is_not_done() {
    let base = Base::on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    let (relay, store) = through_a_relay(&base, folder.path()).await;
    let id = appliance(&store, "acme", "wm-1").await;
    let newer = [
        (SessionChange::Keep(session("d/wm-1/new", 62)), 62),
        (SessionChange::Begin(session("d/wm-1/new", 63)), 63),
        (SessionChange::Forget, 0),
    ];
    for (round, (newer, expiry_s)) in (1..).zip(newer) {
        let first = [(id, SessionChange::Keep(session("d/wm-1/first", 60)))];
        store.change_sessions(&first, morning()).await.unwrap();
        relay.hold("d/wm-1/late");
        let late = [(id, SessionChange::Begin(session("d/wm-1/late", 61)))];
        let told = store.change_sessions(&late, after(10)).await;
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        store.change_sessions(&[(id, newer)], after(1)).await.unwrap();
        // Held since: a late change that forgets must not forget it, or the publish sent again would be stored twice.
        store.ingest(&[once(id, 7)]).await.unwrap();
        relay.let_go();
        let arrived = async || relay.arrived.load(Ordering::SeqCst) == round;
        eventually("what was held back does not arrive", arrived).await;
        assert_eq!(base.number(EXPIRY).await, expiry_s);
        assert_eq!(base.number("select count(*) from inbound_packet").await, 1);
    }
}

/// Alive, with all its connections, but another hub has the lease.
#[tokio::test]
async fn a_hub_that_was_taken_over_changes_no_session() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let first = [(id, SessionChange::Keep(session("d/wm-1/c/+", 60)))];
    store.change_sessions(&first, morning()).await.unwrap();
    store.ingest(&[once(id, 7)]).await.unwrap();
    let taken = "update lease set token = token + 1";
    base.sql().await.execute(taken).await.unwrap();
    for change in [
        SessionChange::Begin(session("d/wm-1/c/+", 61)),
        SessionChange::Keep(session("d/wm-1/c/+", 62)),
        SessionChange::Forget,
    ] {
        let told = store.change_sessions(&[(id, change)], after(1)).await;
        assert!(matches!(told, Err(StoreError::Deposed)), "{told:?}");
    }
    assert!(!store.has_lease());
    // Nor does it forget one that has expired.
    let shown = [secret("acme", "wm-1", "secret-wm-1")];
    let told = store.identify(&shown, after(60)).await;
    assert!(matches!(told, Err(StoreError::Deposed)), "{told:?}");
    assert_eq!(base.number(EXPIRY).await, 60);
    assert_eq!(base.number("select count(*) from inbound_packet").await, 1);
}

/// The database says so before the store takes its silence for the network's.
#[tokio::test]
async fn a_lock_that_is_held_is_told_as_one() {
    if !Server::chosen()
        .await
        .is_concurrent("a_lock_that_is_held_is_told_as_one")
    {
        return;
    }
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let change = |expiry_s| [(id, SessionChange::Keep(session("d/wm-1/c/+", expiry_s)))];
    store.change_sessions(&change(60), morning()).await.unwrap();
    let mut sql = base.sql().await;
    let mut holder = sql.begin().await.unwrap();
    sqlx::query("select from mqtt_session for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    let told = store.change_sessions(&change(61), morning()).await;
    let Err(StoreError::Unavailable(cause)) = told else {
        panic!("{told:?}");
    };
    let cause = cause.downcast_ref::<sqlx::Error>();
    let code = cause
        .and_then(sqlx::Error::as_database_error)
        .and_then(|error| error.code());
    assert_eq!(code.as_deref(), Some("55P03"), "{cause:?}");
    holder.rollback().await.unwrap();
    store.change_sessions(&change(62), morning()).await.unwrap();
    assert_eq!(base.number(EXPIRY).await, 62);
}

/// As many ask at a time as the door has connections.
const ASKING: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_costs_one_connection() {
    let base = Base::on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    let (relay, store) = through_a_relay(&base, folder.path()).await;
    let ask = async |device: &str| {
        let shown = [secret("acme", device, &format!("secret-{device}"))];
        let answers = store.identify(&shown, morning()).await.unwrap();
        assert!(answers[0].is_some(), "{device}");
    };
    let all = async || join_all((0..ASKING).map(|_| ask("wm-1"))).await;
    all().await;
    assert_eq!(relay.made(), ASKING);
    relay.hold("wm-2");
    // Answered all the same, on a new connection.
    ask("wm-2").await;
    assert_eq!(relay.made(), ASKING + 1);
    all().await;
    assert_eq!(relay.made(), ASKING + 1, "the others are in use still");
    relay.let_go();
}

/// A connection of the pool that was just used is not asked whether it lives.
#[tokio::test]
async fn what_may_be_done_twice_is_done_again_where_its_connection_is_dead() {
    let chosen = Server::chosen().await;
    if !chosen.is_concurrent("what_may_be_done_twice_is_done_again_where_its_connection_is_dead") {
        return;
    }
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let command = Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: "r".into(),
        body: "{}".into(),
        expires_at: after(60),
    };
    store.queue_command(id, &command, morning()).await.unwrap();
    let mut sql = base.sql().await;
    let mut cut = async || {
        let all = join_all((0..POOL).map(|_| store.healthy())).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        end_others(&mut sql).await;
    };
    for acknowledged in [false, true] {
        cut().await;
        store
            .commands_passed(id, &["r".into()], acknowledged, after(1))
            .await
            .unwrap();
        cut().await;
        assert!(store.attributes(id, None, None).await.unwrap().shared.is_empty());
        cut().await;
        store.event_head().await.unwrap();
    }
    let passed = "select count(*) from command where sent_at is not null and acknowledged_at is not null";
    assert_eq!(base.number(passed).await, 1);
}
