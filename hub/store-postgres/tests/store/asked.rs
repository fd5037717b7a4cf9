//! How often the database is asked: counted between the store and it, so that the machine's speed plays no part.

use crate::relay::{Carried, through};
use crate::said::{POOL, end_others, session};
use crate::server::Server;
use crate::support::{Base, alarm, appliance, morning, played, seen};
use hub_core::id::ApplianceId;
use hub_store::access::{AccessStore, Credential, Principal};
use hub_store::conformance::door::secret;
use hub_store::conformance::scene::{has_a_quiet_past, presence};
use hub_store::contact::{Begun, ContactStore};
use hub_store::event::EventStore;
use hub_store::prediction::PredictionStore;
use hub_store::session::{SessionChange, SessionStore};
use hub_store::telemetry::{Ingest, TelemetryStore};
use hub_store_postgres::PostgresStore;
use sqlx::Executor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// So long nothing is asked when what was under way is over.
const QUIET: Duration = Duration::from_millis(50);

/// Counts round trips: whatever a client says and then waits for an answer.
#[derive(Default)]
struct Counter(AtomicU32);

impl Counter {
    async fn carry(self: Arc<Self>, connection: Carried) {
        let Carried {
            mut from_client,
            mut to_client,
            mut from_database,
            mut to_database,
        } = connection;
        tokio::spawn(async move { tokio::io::copy(&mut from_database, &mut to_client).await });
        let mut unread = Vec::new();
        let mut buffer = vec![0; 65_536];
        // What comes first has no kind.
        let mut kind_bytes = 0;
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            unread.extend(&buffer[..read]);
            while let Some(length) = unread.get(kind_bytes..kind_bytes + 4) {
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + kind_bytes;
                if unread.len() < length {
                    break;
                }
                // Sync ends what is asked with parameters; a plain query is answered by itself.
                if kind_bytes == 1 && matches!(unread[0], b'S' | b'Q') {
                    self.0.fetch_add(1, Ordering::SeqCst);
                }
                kind_bytes = 1;
                unread.drain(..length);
            }
            if to_database.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }

    fn so_far(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// The same when nothing is under way: a connection that goes back to its pool is asked whether it lives, behind the answer.
    async fn settled(&self) -> u32 {
        loop {
            let before = self.so_far();
            tokio::time::sleep(QUIET).await;
            if self.so_far() == before {
                return before;
            }
        }
    }
}

async fn counted(base: &Base, folder: &Path) -> (Arc<Counter>, PostgresStore) {
    let counter = Arc::new(Counter::default());
    let shared = Arc::clone(&counter);
    let carry = move |connection| Arc::clone(&shared).carry(connection);
    let store = through(base, folder, carry).await;
    (counter, store)
}

/// A hundred log-ins of all devices, some of them wrong.
fn hundred() -> Vec<Credential> {
    let device = |n: usize| format!("wm-{}", n % 4 + 1);
    let shown = |n| match n % 10 {
        9 => secret("acme", &device(n), "wrong"),
        _ => secret("acme", &device(n), &format!("secret-{}", device(n))),
    };
    (0..100).map(shown).collect()
}

fn let_in(answers: &[Option<Principal>]) -> usize {
    answers.iter().flatten().count()
}

fn sessions(ids: [ApplianceId; 2], expiry_s: u32) -> [(ApplianceId, SessionChange); 2] {
    [
        (ids[0], SessionChange::Begin(session("d/wm-1/c/+", expiry_s))),
        (ids[1], SessionChange::Keep(session("d/wm-2/c/+", expiry_s))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_log_ins_or_sessions_are_one_question_and_a_connection_is_not_asked_for_its_life_twice() {
    let server = Server::own().await;
    let base = Base::on(server).await;
    let folder = tempfile::tempdir().unwrap();
    let (counter, store) = counted(&base, folder.path()).await;
    let ids = [
        appliance(&store, "acme", "wm-1").await,
        appliance(&store, "acme", "wm-2").await,
    ];
    let shown = hundred();
    // The first question of a kind is told to the server before it is asked.
    store.identify(&shown, morning()).await.unwrap();
    store.change_sessions(&sessions(ids, 60), morning()).await.unwrap();
    store.commands_waiting(&ids, morning()).await.unwrap();

    let before = counter.so_far();
    for round in 0..20 {
        let answers = store.identify(&shown, morning()).await.unwrap();
        assert_eq!(let_in(&answers), 90);
        store
            .change_sessions(&sessions(ids, 60 + round), morning())
            .await
            .unwrap();
        store.commands_waiting(&ids, morning()).await.unwrap();
    }
    let trips = counter.so_far() - before;
    println!("{trips} round trips for 20 times three questions of the door");
    // One each, with what the pool still asks the connections that were used before.
    assert!(
        (3 * 20..=3 * 20 + POOL).contains(&trips),
        "{trips} round trips for 60 questions"
    );

    // A connection of the pool is asked once a use, when it comes back; over a network it is three times.
    let before = counter.so_far();
    for _ in 0..100 {
        store.healthy().await.unwrap();
    }
    let trips = counter.so_far() - before;
    println!("{trips} round trips for 100 questions on the pool");
    assert!(trips <= 2 * 100 + 2 * POOL, "{trips} round trips for 100 questions");
}

/// However many devices come back with readings by their uptime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clocks_of_a_hundred_boots_are_one_question() {
    let base = Base::on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    let (counter, store) = counted(&base, folder.path()).await;
    let id = appliance(&store, "acme", "wm-1").await;
    let told = Ingest::Clock {
        appliance: id,
        boot: 70,
        offset_ms: 5,
    };
    store.ingest(&[told]).await.unwrap();
    let boots: Vec<(ApplianceId, u64)> = (0..100).map(|boot| (id, boot)).collect();
    // The first question of a kind is told to the server before it is asked.
    store.clock_offsets(&boots).await.unwrap();
    let before = counter.so_far();
    let offsets = store.clock_offsets(&boots).await.unwrap();
    let trips = counter.so_far() - before;
    let wanted: Vec<Option<i64>> = (0..100).map(|boot| (boot == 70).then_some(5)).collect();
    assert_eq!(offsets, wanted);
    assert!((1..=1 + POOL).contains(&trips), "{trips} round trips for 100 boots");
}

/// Between a reading and the call each question counts: nobody is rung before all of them are answered. A question more fails
/// here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_is_a_ticket_and_a_ticket_is_a_call_after_few_questions() {
    let base = Base::on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    let (counter, store) = counted(&base, folder.path()).await;
    let id = appliance(&store, "acme", "wm-1").await;
    let scored = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
    has_a_quiet_past(&store).await;
    let mut sql = base.sql().await;
    let (mut to_ticket, mut to_call) = (u32::MAX, u32::MAX);
    // The fewest count: each connection is told the first question of a kind before it is asked.
    for round in 0..30 {
        let forgotten = "truncate attempt, timeline, ticket, finding cascade";
        sql.execute(forgotten).await.unwrap();
        let before = counter.settled().await;
        let changes = store.commit_scoring(&scored, morning()).await.unwrap();
        to_ticket = to_ticket.min(counter.so_far() - before);
        let ticket = changes[0].opened.unwrap();
        let before = counter.settled().await;
        let begun = store.begin_attempt(ticket, morning(), [round; 20]).await.unwrap();
        to_call = to_call.min(counter.so_far() - before);
        assert!(matches!(begun, Begun::Ring(_)), "{begun:?}");
    }
    println!("{to_ticket} round trips from an alarm to its ticket, {to_call} from there to the call");
    // Each with BEGIN, the fence and COMMIT; and one for the life of a connection that has come back.
    assert!(
        to_ticket <= 15 + 1,
        "{to_ticket} round trips from an alarm to its ticket"
    );
    assert!(to_call <= 19 + 1, "{to_call} round trips from a ticket to the call");
}

/// A device that comes to the door does not notice that the connections were cut.
#[tokio::test]
async fn what_the_door_asks_is_asked_again_where_its_connection_is_dead() {
    let chosen = Server::chosen().await;
    if !chosen.is_concurrent("what_the_door_asks_is_asked_again_where_its_connection_is_dead") {
        return;
    }
    let (base, store) = played().await;
    let ids = [
        appliance(&store, "acme", "wm-1").await,
        appliance(&store, "acme", "wm-2").await,
    ];
    let shown = hundred();
    let mut sql = base.sql().await;
    for round in 0..3 {
        assert_eq!(let_in(&store.identify(&shown, morning()).await.unwrap()), 90);
        end_others(&mut sql).await;
        assert_eq!(let_in(&store.identify(&shown, morning()).await.unwrap()), 90);
        end_others(&mut sql).await;
        store
            .change_sessions(&sessions(ids, 60 + round), morning())
            .await
            .unwrap();
        end_others(&mut sql).await;
        assert_eq!(store.clock_offsets(&[(ids[0], 1)]).await.unwrap(), [None]);
        end_others(&mut sql).await;
        // A transaction that begins on a dead connection begins on another.
        let online = presence(ids[0], round % 2 == 0, "seen", morning());
        store.presence(&[online]).await.unwrap();
    }
    let kept = base
        .number("select expiry_s from mqtt_session order by appliance limit 1")
        .await;
    assert_eq!(kept, 62);
    store.close().await;
    assert!(
        store.identify(&shown, morning()).await.is_err(),
        "a store that is closed asks nothing"
    );
}
