//! A way out that fails for half an hour, in the middle of fifty planned calls: it costs nobody a call or a place in the caps, and
//! when it is back everybody is rung, one after the other.

use super::{Calls, Dialler};
use crate::telephone::Telephone;
use crate::workers::Figures;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::call_result::CallResult;
use hub_core::clock::{CivilClock, ManualClock};
use hub_core::contact::breaker::PACE;
use hub_core::contact::{ContactAttempt, ContactPhase};
use hub_core::id::{DeviceId, TicketId};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::site::Site;
use hub_store::conformance::scene::{alarm, appliance, has_a_quiet_past, morning, profiles, seen, site, take_lease};
use hub_store::memory::MemoryStore;
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use hub_store::ticket::TicketStore;
use hub_voice::prompt::tts::{Tts, TtsError};
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::{FakePhone, FakeTrunk};
use hub_voice::{Limits, TrunkConfig, Voice, VoiceConfig};
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const OWNERS: usize = 50;
/// The way fails after this time; each second one more call is due.
const BEFORE_S: usize = 20;
const OUTAGE_S: usize = 1_800;
/// Everybody is rung within this time after the way is back: the pause of a ticket whose call tried the way just before, and a little.
const RUNG_WITHIN_S: usize = 600 + 60;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outage {
    Trunk,
    VoiceProgram,
    TemporaryFolder,
    /// Not one: a text that is too long is the fault of the call that would say it.
    Text,
}

/// A voice that works, or does not.
#[derive(Default)]
struct Flaky(Mutex<Option<Outage>>);

#[async_trait]
impl Tts for Flaky {
    fn name(&self) -> String {
        "flaky".to_owned()
    }

    async fn speak(&self, _: Language, _: &str) -> Result<Vec<i16>, TtsError> {
        match *self.0.lock().unwrap() {
            Some(Outage::VoiceProgram) => Err(TtsError::Start(io::ErrorKind::NotFound.into())),
            Some(Outage::TemporaryFolder) => Err(TtsError::Cache {
                path: "folder".to_owned(),
                source: io::ErrorKind::StorageFull.into(),
            }),
            Some(Outage::Text) => Err(TtsError::TooLong),
            Some(Outage::Trunk) | None => Ok((0..800).map(|n| if n % 2 == 0 { 900 } else { -900 }).collect()),
        }
    }
}

/// A site of so many homes as there are owners, over one trunk.
fn homes() -> Site {
    let mut site = site();
    let acme = &mut site.tenants[0];
    let (owner, device) = (acme.owners[0].clone(), acme.devices[0].clone());
    acme.owners.clear();
    acme.devices.clear();
    for n in 0..OWNERS {
        let mut owner = owner.clone();
        owner.id = format!("owner-{n}");
        owner.phone = PhoneNumber::new(&format!("+86138000020{n:02}")).ok();
        let mut device = device.clone();
        device.id = DeviceId::new(format!("wm-10{n:02}")).unwrap();
        device.owner = Some(owner.id.clone());
        acme.owners.push(owner);
        acme.devices.push(device);
    }
    site
}

/// A phone that rings, and whose owner declines: rung, once.
fn declines() -> FakePhone {
    FakePhone::Refuses {
        after: Duration::ZERO,
        status: 603,
    }
}

struct Play {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    trunk: Arc<FakeTrunk>,
    voice: Arc<Flaky>,
    calls: Arc<Calls>,
    dialler: Arc<Dialler>,
    figures: Arc<Figures>,
    tickets: Vec<TicketId>,
    _folder: tempfile::TempDir,
}

impl Play {
    /// Nobody's call is due yet; from now on, one more each second.
    async fn begin() -> Self {
        let store = Arc::new(MemoryStore::new(profiles(), 1));
        take_lease(&*store).await;
        store.apply_site(&homes(), morning(), false).await.unwrap();
        has_a_quiet_past(&*store).await;
        let clock = Arc::new(ManualClock::new(morning()));
        let mut tickets = Vec::new();
        for n in 0..OWNERS {
            let id = appliance(&*store, "acme", &format!("wm-10{n:02}")).await;
            let commit = seen(vec![alarm(id, "drain_pump_wear", 0.95)]);
            let due = morning() + SignedDuration::from_secs(i64::try_from(n).unwrap() + 1);
            let changes = store.commit_scoring(&commit, due).await.unwrap();
            tickets.push(changes[0].opened.unwrap());
        }
        let (trunk, voice, folder) = (
            Arc::new(FakeTrunk::new([]).unwrap()),
            Arc::<Flaky>::default(),
            tempfile::tempdir().unwrap(),
        );
        let (_, families) = tokio::sync::watch::channel(Arc::default());
        let calls = Calls::new(store.clone(), clock.clone(), families);
        let telephone = telephone(&trunk, voice.clone(), folder.path());
        let figures = Arc::<Figures>::default();
        let dialler = Dialler::new(calls.clone(), store.clone(), telephone, 8, figures.clone());
        Self {
            store,
            clock,
            trunk,
            voice,
            calls,
            dialler,
            figures,
            tickets,
            _folder: folder,
        }
    }

    /// Every second the worker looks, until `done`, for so many seconds at most.
    async fn go_on(&self, seconds: usize, done: impl AsyncFn() -> bool) {
        for _ in 0..seconds {
            if done().await {
                return;
            }
            self.clock.advance(Duration::from_secs(1));
            self.dialler.look(&CancellationToken::new()).await.unwrap();
            let mut up = self.figures.calls_up();
            let idle = up.wait_for(|up| *up == 0);
            let idle = tokio::time::timeout(Duration::from_secs(60), idle).await;
            idle.expect("calls end").unwrap();
        }
    }

    async fn attempts(&self, ticket: TicketId) -> Vec<ContactAttempt> {
        let view = self.store.ticket(&Actor::hub("test"), ticket, self.clock.now()).await;
        view.unwrap().attempts
    }

    /// When each was rung, in the order of the tickets.
    async fn rung(&self) -> Vec<(TicketId, Timestamp)> {
        let mut rung = Vec::new();
        for ticket in &self.tickets {
            let attempts = self.attempts(*ticket).await;
            rung.extend(attempts.iter().filter_map(|attempt| Some((*ticket, attempt.rang_at?))));
        }
        rung
    }
}

fn telephone(trunk: &Arc<FakeTrunk>, voice: Arc<Flaky>, folder: &std::path::Path) -> Arc<Telephone> {
    let caller_number = PhoneNumber::new("+862155550000").unwrap();
    let config = VoiceConfig {
        bind: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        media_ports: None,
        trunks: vec![TrunkConfig {
            name: "acme".to_owned(),
            proxy: trunk.local().into(),
            addresses: Vec::new(),
            domain: "trunk.test".to_owned(),
            username: None,
            password: None,
            caller_number,
            channels: 8,
            inbound_channels: Some(0),
            number_plan: None,
            believe_from: false,
            post_dial_limit_s: None,
            trying_limit_s: None,
        }],
        prompt_cache: folder.to_owned(),
        prompt_cache_bytes: 64 << 20,
        recordings: None,
        limits: Limits::default(),
    };
    let voice = Voice::with_stack(config, trunk.clone(), voice).unwrap();
    let telephone = Arc::new(Telephone::default());
    telephone.set_voice(Arc::new(voice));
    telephone
}

async fn an_outage_costs_nobody_anything(outage: Outage) {
    let play = Play::begin().await;
    let unreached = FakePhone::Unreached {
        status: 503,
        retry_after_s: Some(30),
    };
    let works = vec![declines(); OWNERS];
    play.trunk.plug_in(works.clone());
    play.go_on(BEFORE_S, async || false).await;
    let before = play.rung().await.len();
    assert!((BEFORE_S - 2..=BEFORE_S).contains(&before), "{before}");
    if outage == Outage::Trunk {
        play.trunk.plug_in(vec![unreached; OWNERS]);
    }
    *play.voice.0.lock().unwrap() = Some(outage);
    play.go_on(OUTAGE_S, async || false).await;
    let rung = play.rung().await;
    assert_eq!(rung.len(), before, "nobody is rung in the outage");
    let told = play.calls.ways().notices();
    assert!(told.len() == 1 && told[0].1.contains(" since "), "{told:?}");
    let mut tries = 0;
    for ticket in &play.tickets {
        let attempts = play.attempts(*ticket).await;
        tries += attempts.iter().filter(|attempt| attempt.rang_at.is_none()).count();
    }
    assert!((5..40).contains(&tries), "{tries} calls try the way in half an hour");

    *play.voice.0.lock().unwrap() = None;
    play.trunk.plug_in(works);
    let back = play.clock.now();
    play.go_on(RUNG_WITHIN_S, async || play.rung().await.len() == OWNERS)
        .await;
    let rung = play.rung().await;
    let mut tickets: Vec<_> = rung.iter().map(|(ticket, _)| *ticket).collect();
    tickets.dedup();
    assert_eq!(
        (rung.len(), &tickets),
        (OWNERS, &play.tickets),
        "everybody is rung once"
    );
    assert!(play.calls.ways().notices().is_empty());
    let mut after: Vec<Timestamp> = rung.iter().map(|(_, at)| *at).filter(|at| *at > back).collect();
    assert_eq!(after.len(), OWNERS - before);
    after.sort();
    let closest = after.windows(2).map(|two| two[1].duration_since(two[0])).min().unwrap();
    assert!(closest >= PACE, "not all at once: {closest:?} between two of them");
    for ticket in &play.tickets {
        let view = play
            .store
            .ticket(&Actor::hub("test"), *ticket, play.clock.now())
            .await
            .unwrap();
        assert_eq!(
            view.ticket.contact.phase,
            ContactPhase::Held,
            "declined, and nothing else"
        );
        let last = view.attempts.last().and_then(|attempt| attempt.result);
        assert_eq!(last, Some(CallResult::Declined));
    }
    in_order(&play, &rung, back).await;
}

/// Those that waited the whole time are rung in the order in which they were due.
async fn in_order(play: &Play, rung: &[(TicketId, Timestamp)], back: Timestamp) {
    let mut waited = Vec::new();
    for (ticket, at) in rung.iter().filter(|(_, at)| *at > back) {
        if play.attempts(*ticket).await.len() == 1 {
            waited.push(*at);
        }
    }
    assert!(waited.len() > 10 && waited.is_sorted(), "{waited:?}");
}

#[tokio::test]
async fn a_trunk_that_is_down_for_half_an_hour_costs_nobody_a_call() {
    an_outage_costs_nobody_anything(Outage::Trunk).await;
}

#[tokio::test]
async fn a_missing_voice_program_costs_nobody_a_call() {
    an_outage_costs_nobody_anything(Outage::VoiceProgram).await;
}

#[tokio::test]
async fn a_full_temporary_folder_costs_nobody_a_call() {
    an_outage_costs_nobody_anything(Outage::TemporaryFolder).await;
}

#[tokio::test]
async fn a_text_that_cannot_be_spoken_keeps_nobody_else_waiting() {
    let play = Play::begin().await;
    play.trunk.plug_in(vec![declines(); OWNERS]);
    *play.voice.0.lock().unwrap() = Some(Outage::Text);
    play.go_on(3, async || false).await;
    let failed = play.attempts(play.tickets[0]).await;
    let results: Vec<_> = failed.iter().map(|attempt| attempt.result).collect();
    assert_eq!(results, [Some(CallResult::NotPlaced)]);
    assert!(play.calls.ways().notices().is_empty());
    *play.voice.0.lock().unwrap() = None;
    play.go_on(3, async || false).await;
    assert!(!play.rung().await.is_empty(), "the next ones are rung at once");
}
