//! What callers whom nobody knows write into the log: a few lines a second, and a number for the others.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use async_trait::async_trait;
use common::{TestHost, config_of, eventually, limits, number, trunk};
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::signaling::called::Called;
use hub_voice::signaling::identity::CallerHeaders;
use hub_voice::signaling::{CallStack, InboundLeg, Leg, LegControl, PlaceCall, PlaceError};
use hub_voice::{TrunkConfig, Voice};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Calls of one flood.
const CALLS: usize = 10_000;
/// Lines of one kind within a second.
const LINES_MAX: usize = 10;
/// Bytes of a line, its time stamp and place included.
const LINE_MAX: usize = 400;

/// A network from which a crowd calls.
struct Crowd {
    from: IpAddr,
    caller: CallerHeaders,
    left: AtomicUsize,
    refused: Arc<AtomicUsize>,
}

#[async_trait]
impl CallStack for Crowd {
    async fn place(&self, _: PlaceCall) -> Result<Leg, PlaceError> {
        Err(PlaceError("nobody is rung here".into()))
    }

    async fn next_inbound(&self) -> Option<InboundLeg> {
        tokio::task::yield_now().await;
        if self.left.load(Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        self.left.fetch_sub(1, Ordering::Relaxed);
        let (_, events) = mpsc::channel(1);
        let control = Box::new(Counts(Arc::clone(&self.refused)));
        let leg = Leg {
            events,
            control,
            peer: self.from,
        };
        Some(InboundLeg {
            leg,
            caller: self.caller.clone(),
            called: Some(Called::from(&number("+864008000001"))),
            offer: Vec::new(),
        })
    }

    fn local(&self) -> SocketAddr {
        PROXY.parse().unwrap()
    }

    async fn shutdown(&self) {}
}

const PROXY: &str = "127.0.0.1:5060";

struct Counts(Arc<AtomicUsize>);

impl LegControl for Counts {
    fn cancel(&self) {}
    fn ringing(&self) {}
    fn accept(&self, _: Vec<u8>) {}
    fn reject(&self, _: u16) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps what is logged on the test's thread, on which the calls are taken too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self, of: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| line.contains(of))
            .map(str::to_owned)
            .collect()
    }

    /// How many lines of this kind were not shown, as far as that was said.
    fn not_shown(&self, kind: &str) -> usize {
        let mut said = self.lines("more lines about calls that come in, not written");
        said.retain(|line| line.contains(&format!("kind=\"{kind}\"")));
        let more = |line: &String| {
            let (_, more) = line.split_once(" more=").unwrap();
            more.split(' ').next().unwrap().parse::<usize>().unwrap()
        };
        said.iter().map(more).sum()
    }
}

/// All of a crowd's calls are refused; of the lines about it few are shown, and the others counted.
async fn a_crowd_is_a_few_lines(from: &str, caller: CallerHeaders, trunk: TrunkConfig, (kind, words): (&str, &str)) {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _log = tracing::subscriber::set_default(lines);
    let refused = Arc::new(AtomicUsize::new(0));
    let crowd = Crowd {
        from: from.parse().unwrap(),
        caller,
        left: AtomicUsize::new(CALLS),
        refused: Arc::clone(&refused),
    };
    let since = Instant::now();
    let tts = Arc::new(EspeakTts::default());
    let voice = Arc::new(Voice::with_stack(config_of(vec![trunk], limits()), Arc::new(crowd), tts).unwrap());
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let serving = Arc::clone(&voice);
    tokio::spawn(async move { serving.serve_inbound(Arc::new(TestHost::default()), stop).await });
    let all = || (refused.load(Ordering::Relaxed) == CALLS).then_some(());
    eventually("every call refused", all).await;
    let told = || (log.lines(words).len() + log.not_shown(kind) == CALLS).then_some(());
    eventually("every refusal shown or counted", told).await;
    let windows = usize::try_from(since.elapsed().as_secs()).unwrap() + 2;
    let shown = log.lines(words).len();
    assert!(
        (1..=LINES_MAX * windows).contains(&shown),
        "{shown} lines in {windows} windows"
    );
    for line in log.lines("") {
        assert!(line.len() <= LINE_MAX, "{} bytes: {line}", line.len());
    }
}

#[tokio::test]
async fn ten_thousand_calls_of_strangers_are_a_few_lines() {
    let trunk = trunk(PROXY.parse().unwrap());
    let lines = ("no_trunk", "it comes from no trunk");
    a_crowd_is_a_few_lines("203.0.113.9", CallerHeaders::default(), trunk, lines).await;
}

#[tokio::test]
async fn ten_thousand_calls_beyond_the_channels_are_a_few_lines() {
    let trunk = TrunkConfig {
        channels: 0,
        ..trunk(PROXY.parse().unwrap())
    };
    let lines = ("channels", "all channels of its trunk are in use");
    a_crowd_is_a_few_lines("127.0.0.1", CallerHeaders::default(), trunk, lines).await;
}

#[tokio::test]
async fn ten_thousand_callers_who_stay_unknown_are_a_few_lines() {
    let trunk = TrunkConfig {
        channels: CALLS,
        ..trunk(PROXY.parse().unwrap())
    };
    let caller = CallerHeaders {
        from: Some("<sip:+8613800008412@trunk.test>".to_owned()),
        ..CallerHeaders::default()
    };
    let lines = ("unknown", "a caller stays unknown");
    a_crowd_is_a_few_lines("127.0.0.1", caller, trunk, lines).await;
}
