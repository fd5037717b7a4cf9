//! What the tests of calls share.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod audio;
pub mod baresip;
pub mod sipp;
pub mod wire;

use async_trait::async_trait;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_voice::config::{Secret, TrunkConfig};
use hub_voice::prompt::cache::PromptCache;
use hub_voice::prompt::tts::{EspeakTts, Tts, TtsError};
use hub_voice::signaling::CallStack;
use hub_voice::signaling::fake::{FakePhone, FakeSeen, FakeTrunk};
use hub_voice::*;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A host that notes everything.
#[derive(Default)]
pub struct TestHost {
    pub refuse: bool,
    pub slow: Option<Duration>,
    pub takes: Option<CallOrder>,
    pub commits: Mutex<Vec<Disposition>>,
    pub steps: Mutex<Vec<CallProgress>>,
    pub details: Mutex<Vec<CallDetail>>,
    pub callers: Mutex<Vec<Option<PhoneNumber>>>,
    pub trunks: Mutex<Vec<String>>,
    pub decides_after: Duration,
    pub finishes_after: Duration,
}

impl TestHost {
    pub fn commits(&self) -> Vec<Disposition> {
        self.commits.lock().unwrap().clone()
    }

    pub fn steps(&self) -> Vec<CallProgress> {
        self.steps.lock().unwrap().clone()
    }

    pub fn callers(&self) -> Vec<Option<PhoneNumber>> {
        self.callers.lock().unwrap().clone()
    }

    pub async fn finished_once(&self) -> CallDetail {
        eventually("a record of the call", || self.details.lock().unwrap().first().cloned()).await
    }
}

#[async_trait]
impl CallHost for TestHost {
    async fn progress(&self, _: AttemptId, progress: CallProgress) {
        self.steps.lock().unwrap().push(progress);
    }

    async fn commit(&self, _: AttemptId, disposition: Disposition) -> Result<(), CommitRefused> {
        if let Some(slow) = self.slow {
            tokio::time::sleep(slow).await;
        }
        if self.refuse {
            return Err(CommitRefused);
        }
        self.commits.lock().unwrap().push(disposition);
        Ok(())
    }
}

#[async_trait]
impl InboundHost for TestHost {
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, _: Option<PhoneNumber>) -> InboundDecision {
        self.callers.lock().unwrap().push(caller);
        self.trunks.lock().unwrap().push(trunk.to_owned());
        tokio::time::sleep(self.decides_after).await;
        self.takes
            .clone()
            .map_or(InboundDecision::Decline, |order| InboundDecision::Flow(Box::new(order)))
    }

    async fn finished(&self, detail: CallDetail) {
        tokio::time::sleep(self.finishes_after).await;
        self.details.lock().unwrap().push(detail);
    }
}

/// Waits until `look` sees something, 30 s at most.
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A voice that says nothing can be said.
struct Mute;

#[async_trait]
impl Tts for Mute {
    fn name(&self) -> String {
        "mute".into()
    }
    async fn speak(&self, _: Language, _: &str) -> Result<Vec<i16>, TtsError> {
        Err(TtsError::Slow)
    }
}

pub fn limits() -> Limits {
    Limits {
        talk: Duration::from_secs(60),
        ..Limits::default()
    }
}

/// Somebody took the call and could be heard, however soon they were gone.
pub fn was_taken(detail: &CallDetail) -> bool {
    matches!(detail.result, CallResult::Answered | CallResult::HungUpEarly)
}

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).unwrap()
}

pub fn attempt() -> AttemptId {
    AttemptId(uuid::Uuid::from_u128(0x5e7))
}

pub fn order(language: Language) -> CallOrder {
    let at = |hour| {
        jiff::civil::date(2026, 11, 24)
            .at(hour, 0, 0, 0)
            .in_tz("Asia/Shanghai")
            .unwrap()
    };
    let (brand, appliance, fault) = match language {
        Language::En => ("Haier", "washing machine", "The drain pump may soon fail."),
        Language::ZhCn => ("海尔", "洗衣机", "排水泵可能快要坏了。"),
    };
    let (start, end) = (at(9), at(12));
    let price = Value::Money {
        currency: "CNY".into(),
        minor_units: 12_000,
    };
    CallOrder {
        attempt: attempt(),
        trunk: "test".into(),
        to: number("+8613800008412"),
        language,
        flow: Flow::owner_call(),
        values: Values::from(
            [
                ("brand", Value::Text(brand.into())),
                ("appliance", Value::Term(Some(appliance.into()))),
                ("serial", Value::Digits("8412".into())),
                ("fault", Value::Term(Some(fault.into()))),
                ("safe", Value::YesNo(true)),
                ("price", price),
                ("slot", Value::TimeWindow { start, end }),
                ("by", Value::DateTime(at(17))),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        ),
    }
}

pub fn trunk(proxy: SocketAddr) -> TrunkConfig {
    TrunkConfig {
        name: "test".into(),
        proxy: proxy.into(),
        addresses: Vec::new(),
        domain: "trunk.test".into(),
        username: None,
        password: None,
        caller_number: number("+864008000001"),
        channels: 2,
        inbound_channels: Some(0),
        believe_from: false,
        post_dial_limit_s: None,
        trying_limit_s: None,
        number_plan: None,
    }
}

/// The number of that trunk, which owners ring.
pub fn main_number() -> Option<PhoneNumber> {
    Some(trunk(SocketAddr::from(([127, 0, 0, 1], 9))).caller_number)
}

/// Another company's trunk at the same address.
pub fn other_trunk(proxy: SocketAddr) -> TrunkConfig {
    TrunkConfig {
        name: "other".into(),
        caller_number: number("+864008000002"),
        ..trunk(proxy)
    }
}

pub fn with_password(proxy: SocketAddr, password: &str) -> TrunkConfig {
    TrunkConfig {
        username: Some("hub".into()),
        password: Some(Secret::new(password)),
        ..trunk(proxy)
    }
}

/// `RUST_LOG=hub_voice=debug,rsipstack=debug cargo test …` shows what happened.
pub fn logs() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init();
}

/// Kept between tests: the same sentences need not be spoken again.
pub fn prompts() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("prompts")
}

pub fn config(trunk: TrunkConfig, limits: Limits) -> VoiceConfig {
    config_of(vec![trunk], limits)
}

pub fn config_of(trunks: Vec<TrunkConfig>, limits: Limits) -> VoiceConfig {
    VoiceConfig {
        bind: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        media_ports: None,
        trunks,
        prompt_cache: prompts(),
        prompt_cache_bytes: 64 << 20,
        recordings: None,
        limits,
    }
}

/// A telephone side under test and what it stands on.
pub struct TestVoice<S> {
    pub voice: Arc<Voice>,
    pub stack: Arc<S>,
}

impl TestVoice<FakeTrunk> {
    pub fn fake(phones: impl IntoIterator<Item = FakePhone>, limits: Limits) -> Self {
        Self::with(phones, limits, Arc::new(EspeakTts::default()))
    }

    pub fn mute(phones: impl IntoIterator<Item = FakePhone>) -> Self {
        Self::with(phones, limits(), Arc::new(Mute))
    }

    fn with(phones: impl IntoIterator<Item = FakePhone>, limits: Limits, tts: Arc<dyn Tts>) -> Self {
        let stack = Arc::new(FakeTrunk::new(phones).unwrap());
        let config = config_of(vec![trunk(stack.local()), other_trunk(stack.local())], limits);
        let voice = Voice::with_stack(config, stack.clone(), tts).unwrap();
        Self {
            voice: Arc::new(voice),
            stack,
        }
    }

    pub async fn seen_once(&self) -> FakeSeen {
        eventually("the far side's account", || self.stack.seen().first().cloned()).await
    }

    pub fn serve(&self, host: Arc<TestHost>) {
        let voice = Arc::clone(&self.voice);
        tokio::spawn(async move { voice.serve_inbound(host, CancellationToken::new()).await });
    }
}

impl<S> TestVoice<S> {
    pub async fn ring(&self, order: CallOrder, host: Arc<TestHost>) -> CallDetail {
        tokio::time::timeout(Duration::from_secs(90), self.voice.ring(order, host))
            .await
            .expect("a bounded call")
    }

    /// The audio of a one-sentence prompt, from the cache the call used.
    pub async fn farewell(&self, text: &str) -> Vec<i16> {
        let cache = PromptCache::open(&prompts(), 64 << 20).unwrap();
        cache.speak(&EspeakTts::default(), Language::En, text).await.unwrap()
    }
}

/// The highest normalised cross-correlation of `said` within `heard`, 0 to 1.
pub fn correlation(said: &[i16], heard: &[i16]) -> f64 {
    let power = |samples: &[i16]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let said_power = power(said);
    let lags = heard.len().checked_sub(said.len()).map_or(0, |lags| lags + 1);
    // First every eighth sample at every lag, then exactly around the best: the same answer in an eighth of the time.
    let rough = |lag: usize| -> f64 {
        said.iter()
            .zip(&heard[lag..])
            .step_by(8)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let Some(best) = (0..lags).max_by(|a, b| rough(*a).total_cmp(&rough(*b))) else {
        return 0.0;
    };
    let (from, to) = (best.saturating_sub(20), (best + 20).min(lags - 1));
    (from..=to)
        .map(|lag| {
            let window = &heard[lag..lag + said.len()];
            let product: f64 = said
                .iter()
                .zip(window)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            product / (said_power * power(window)).sqrt()
        })
        .fold(0.0, f64::max)
}
