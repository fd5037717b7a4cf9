//! What a stranger's requests write into the log: few lines, short ones, and a number for the others.

use super::*;
use std::fmt::{self, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Requests of one flood.
const REQUESTS: usize = 10_000;
/// Of one kind within a second, as the front door has it.
const LINES_MAX: usize = 10;
/// Bytes of a line: 200 characters of a stranger's text, each escaped at the worst, and our words.
const LINE_MAX: usize = 2_000;

/// Keeps what this crate logs on the test's thread, on which its hub runs too.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Kept {
    fn lines(&self, of: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| line.contains(of)).cloned().collect()
    }

    /// How many lines of a kind were not shown, as far as that was said.
    fn not_shown(&self, kind: &str) -> usize {
        let said = self.lines("more lines about requests, not written");
        let of_kind = said.iter().filter(|line| line.contains(kind));
        let more = |line: &String| {
            let (_, more) = line.split_once(" more=").unwrap();
            more.split(' ').next().unwrap().parse::<usize>().unwrap()
        };
        of_kind.map(more).sum()
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("hub_api")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

/// Sends a request again and again on one connection, without waiting for answers; counts those with this status.
async fn flood(hub: &Hub, head: &str, status: &str) -> usize {
    let address = hub.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let sent = async {
        for number in 1..=REQUESTS {
            let close = if number == REQUESTS {
                "Connection: close\r\n"
            } else {
                ""
            };
            let request = format!("{head}\r\nHost: localhost\r\nContent-Length: 0\r\n{close}\r\n");
            writing.write_all(request.as_bytes()).await.unwrap();
        }
    };
    let mut answers = Vec::new();
    let (read, ()) = tokio::join!(reading.read_to_end(&mut answers), sent);
    read.unwrap();
    String::from_utf8_lossy(&answers)
        .matches(&format!("HTTP/1.1 {status}"))
        .count()
}

/// Checks that few lines of a flood are shown, that they are short, and that all others are counted in the end.
async fn bounded(kept: &Kept, words: &str, kind: &str, since: Instant) {
    let shown = kept.lines(words);
    let windows = usize::try_from(since.elapsed().as_secs()).unwrap() + 2;
    assert!(
        (1..=LINES_MAX * windows).contains(&shown.len()),
        "{} lines in {windows} windows",
        shown.len()
    );
    let until = Instant::now() + Duration::from_secs(10);
    while kept.lines(words).len() + kept.not_shown(kind) < REQUESTS {
        assert!(Instant::now() < until, "{} were not shown", kept.not_shown(kind));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        kept.lines(words).len() + kept.not_shown(kind),
        REQUESTS,
        "each is counted once"
    );
    for line in kept.lines("") {
        assert!(line.len() <= LINE_MAX, "{} bytes: {line}", line.len());
    }
}

#[tokio::test]
async fn ten_thousand_requests_from_another_site_are_a_few_short_lines() {
    let kept = Kept::default();
    let _log = tracing::subscriber::set_default(kept.clone());
    let hub = Hub::start().await;
    let since = Instant::now();
    let head = format!("POST /{} HTTP/1.1\r\nOrigin: http://evil.example", "A".repeat(1_000));
    assert_eq!(flood(&hub, &head, "403").await, REQUESTS);
    bounded(&kept, "request from another site refused", "cross_site", since).await;
}

#[tokio::test]
async fn looks_at_a_database_that_is_away_are_a_few_lines() {
    let kept = Kept::default();
    let _log = tracing::subscriber::set_default(kept.clone());
    let hub = Hub::start().await;
    hub.store.set_healthy(false);
    let since = Instant::now();
    assert_eq!(flood(&hub, "GET /readyz HTTP/1.1", "503").await, REQUESTS);
    bounded(&kept, "database check failed: no answer", "store_look", since).await;
}

#[tokio::test]
async fn want_of_files_is_told_with_what_to_do() {
    let accepting = Arc::new(hub_core::accepting::Accepting::default());
    let hub = Hub::start_with(|state| ApiState {
        monitor: hub_api::Monitor {
            accepting: accepting.clone(),
            ..hub_api::Monitor::default()
        },
        ..state
    })
    .await;
    let ready = async || -> Value {
        let answer = reqwest::get(hub.url("/readyz")).await.unwrap();
        assert_eq!(answer.status(), 200, "what is connected is served");
        answer.json().await.unwrap()
    };
    let failed = |number, at| accepting.failed(&std::io::Error::from_raw_os_error(number), at);
    let now = Instant::now();
    // A client that went again while it was accepted.
    failed(103, now);
    assert_eq!(ready().await, json!({ "ready": true }));
    for (number, remedy) in [(24, "raise LimitNOFILE"), (23, "raise fs.file-max")] {
        failed(number, now);
        let told = ready().await;
        assert_eq!(told["notices"][0]["part"], "files");
        let reason = told["notices"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(remedy), "{reason}");
    }
    let later = |seconds| accepting.notice(now + Duration::from_secs(seconds));
    assert!(later(59).is_some() && later(60).is_none());
    let metrics = reqwest::get(hub.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("forecall_accepts_failed_total 3"), "{metrics}");
}
