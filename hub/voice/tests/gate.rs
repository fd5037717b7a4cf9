//! Floods and third parties at the hub's SIP socket: what a stranger sends reaches nobody, what comes under the trunk's address
//! is bounded by its kind, and meanwhile the trunk is answered, a call that is up ends when the owner hangs up, and nobody else
//! ends it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, config_of, eventually, limits, logs, number, order, trunk, was_taken};
use hub_core::call_result::CallResult;
use hub_core::language::Language;
use hub_core::metric::MetricValue;
use hub_voice::media::sdp;
use hub_voice::{CallDetail, TrunkConfig, Voice};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What has to be answered is answered within this.
const SOON: Duration = Duration::from_secs(1);
/// No trunk stands there.
const STRANGER: &str = "127.0.0.9:0";
/// Another company's trunk.
const OTHER: &str = "127.0.0.3:0";
/// Another address of the trunk.
const EDGE: &str = "127.0.0.2:0";

/// A hub with two trunks, and the first one's side.
struct Side {
    voice: Arc<Voice>,
    trunk: UdpSocket,
    /// Calls that were seen: a late INVITE of one is no new call.
    seen: Mutex<HashSet<String>>,
}

impl Side {
    async fn start() -> Self {
        logs();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let own = TrunkConfig {
            addresses: vec![address(EDGE).ip().into()],
            channels: 4,
            ..trunk(socket.local_addr().unwrap())
        };
        let other = TrunkConfig {
            name: "other".into(),
            domain: "other.test".into(),
            caller_number: number("+864008000002"),
            ..trunk(address(OTHER))
        };
        let voice = Arc::new(Voice::start(config_of(vec![own, other], limits())).await.unwrap());
        let serving = Arc::clone(&voice);
        tokio::spawn(async move {
            serving
                .serve_inbound(Arc::new(TestHost::default()), CancellationToken::new())
                .await;
        });
        Self {
            voice,
            trunk: socket,
            seen: Mutex::default(),
        }
    }

    fn hub(&self) -> SocketAddr {
        self.voice.local()
    }

    /// The hub rings an owner; the trunk has the INVITE.
    async fn rings(&self) -> (Call, JoinHandle<CallDetail>) {
        let voice = Arc::clone(&self.voice);
        let ringing = tokio::spawn(async move { voice.ring(order(Language::En), Arc::new(TestHost::default())).await });
        loop {
            let invite = self.next("INVITE ", Duration::from_secs(30)).await;
            let call = Call { invite };
            if self.seen.lock().unwrap().insert(call.header("Call-ID").to_owned()) {
                return (call, ringing);
            }
        }
    }

    /// The same, and the owner has picked up.
    async fn talks(&self) -> (Call, JoinHandle<CallDetail>) {
        let (call, ringing) = self.rings().await;
        let answer = call.answered(self.trunk.local_addr().unwrap());
        self.sends(&answer).await;
        self.next("ACK ", Duration::from_secs(5)).await;
        (call, ringing)
    }

    async fn sends(&self, text: &str) {
        self.trunk.send_to(text.as_bytes(), self.hub()).await.unwrap();
    }

    /// The next message that begins so and is not about something else.
    async fn next(&self, start: &str, within: Duration) -> String {
        received(&self.trunk, start, "", within)
            .await
            .unwrap_or_else(|| panic!("no {start} in time"))
    }

    /// The trunk's OPTIONS is answered.
    async fn is_alive(&self, case: &str) {
        let id = format!("alive-{case}").replace(' ', "-");
        self.sends(&request("OPTIONS", &id, 1, "", &self.trunk)).await;
        let answer = received(&self.trunk, "SIP/2.0 200", &id, SOON).await;
        assert!(answer.is_some(), "OPTIONS beside {case}");
    }

    /// The owner hangs up, which ends the call.
    async fn hangs_up(&self, call: &Call, ringing: JoinHandle<CallDetail>, case: &str) {
        self.sends(&call.inside("BYE", 7, &self.trunk)).await;
        let answer = received(&self.trunk, "SIP/2.0 200", "7 BYE", SOON).await;
        assert!(answer.is_some(), "the owner's BYE beside {case}");
        let detail = timeout(Duration::from_secs(10), ringing).await.unwrap().unwrap();
        assert!(was_taken(&detail), "{case}: {detail:?}");
        assert!(detail.reason.contains("the owner hung up"), "{case}: {}", detail.reason);
    }

    /// A figure; with a label's value, only that sample.
    fn figure(&self, name: &str, label: &str) -> f64 {
        let metrics = self.voice.metrics();
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        let of = |value: &MetricValue| match value {
            MetricValue::Number(number) => *number,
            MetricValue::Histogram { .. } => panic!("{name}"),
        };
        let samples = metric.samples.iter();
        samples
            .filter(|sample| label.is_empty() || sample.labels.iter().any(|(_, value)| value == label))
            .map(|sample| of(&sample.value))
            .sum()
    }
}

/// A call of the hub, by its INVITE.
struct Call {
    invite: String,
}

impl Call {
    fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let mut lines = self.invite.lines();
        lines.find_map(|line| line.strip_prefix(start.as_str())).unwrap()
    }

    /// An answer to the INVITE, with the trunk's tag.
    fn answer(&self, status: &str, more: &str) -> String {
        let of = |name| self.header(name);
        format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=trunk\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}",
            of("Via"),
            of("From"),
            of("To"),
            of("Call-ID"),
            of("CSeq"),
        )
    }

    fn refused(&self, status: &str) -> String {
        self.answer(status, "Content-Length: 0\r\n\r\n")
    }

    /// It is taken; nobody listens at the port of the audio.
    fn answered(&self, contact: SocketAddr) -> String {
        let audio = SocketAddr::from(([127, 0, 0, 1], 9));
        let description = String::from_utf8(sdp::offer(audio, 1)).unwrap();
        let length = description.len();
        let more = format!(
            "Contact: <sip:trunk@{contact}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{description}"
        );
        self.answer("200 OK", &more)
    }

    /// A request of the owner's side, with the identifiers that only those know who have seen the INVITE and its answer.
    fn inside(&self, method: &str, number: u32, from: &UdpSocket) -> String {
        let local = from.local_addr().unwrap();
        let of = |name| self.header(name);
        format!(
            "{method} sip:hub@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{method}{number}{}\r\nMax-Forwards: 70\r\n\
             From: {};tag=trunk\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nContact: <sip:trunk@{local}>\r\n\
             Content-Length: 0\r\n\r\n",
            local.port(),
            of("To"),
            of("From"),
            of("Call-ID"),
        )
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A request that is of no call of the hub; `tag` as `;tag=…` is of a call that nobody knows.
fn request(method: &str, id: &str, number: u32, tag: &str, from: &UdpSocket) -> String {
    let local = from.local_addr().unwrap();
    format!(
        "{method} sip:+864008000001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:+8613800008412@trunk.test>;tag={id}\r\nTo: <sip:+864008000001@trunk.test>{tag}\r\nCall-ID: {id}\r\n\
         CSeq: {number} {method}\r\nContact: <sip:trunk@{local}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The next datagram that begins and holds so.
async fn received(socket: &UdpSocket, start: &str, holds: &str, within: Duration) -> Option<String> {
    let mut buffer = vec![0; 65_536];
    let looks = async {
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            if text.starts_with(start) && text.contains(holds) {
                return text;
            }
        }
    };
    timeout(within, looks).await.ok()
}

/// Keeps all that comes to a socket.
fn kept(socket: &Arc<UdpSocket>) -> Arc<Mutex<Vec<String>>> {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let (socket, all) = (Arc::clone(socket), Arc::clone(&kept));
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            all.lock().unwrap().push(text);
        }
    });
    kept
}

/// Sends `count` messages, a few at a time so that the system's own queue holds them.
async fn flood(socket: &UdpSocket, hub: SocketAddr, count: usize, text: impl Fn(usize) -> String) {
    for n in 0..count {
        socket.send_to(text(n).as_bytes(), hub).await.unwrap();
        if n % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_send_reaches_nobody() {
    let side = Side::start().await;
    let stranger = Arc::new(UdpSocket::bind(STRANGER).await.unwrap());
    let answers = kept(&stranger);
    let (call, ringing) = side.talks().await;
    side.is_alive("a call").await;
    let passed = side.figure("voice_sip_passed_total", "");
    let hub = side.hub();
    flood(&stranger, hub, 2_000, |n| {
        request("INVITE", &format!("i{n}"), 1, "", &stranger)
    })
    .await;
    flood(&stranger, hub, 500, |n| {
        request("OPTIONS", &format!("o{n}"), 1, "", &stranger)
    })
    .await;
    flood(&stranger, hub, 500, |n| {
        request("BYE", &format!("b{n}"), 2, ";tag=x", &stranger)
    })
    .await;
    // Answers, with the right identifiers and with others.
    flood(&stranger, hub, 200, |_| call.refused("486 Busy Here")).await;
    flood(&stranger, hub, 200, |n| {
        call.refused("200 OK").replace(call.header("Call-ID"), &format!("c{n}"))
    })
    .await;
    flood(&stranger, hub, 100, |_| "\r\n\r\n".to_owned()).await;
    // The system's own queue may lose some of it.
    let read = || (side.figure("voice_sip_dropped_total", "stranger") >= 2_000.0).then_some(());
    eventually("most of it read", read).await;
    assert!(
        (side.figure("voice_sip_passed_total", "") - passed).abs() < 0.5,
        "the SIP library got some of it"
    );
    let refused = answers.lock().unwrap().clone();
    assert!(
        (1..=200).contains(&refused.len()),
        "a few are told why, not {}",
        refused.len()
    );
    assert!(
        refused.iter().all(|text| text.starts_with("SIP/2.0 403 ")),
        "{refused:?}"
    );
    side.is_alive("strangers").await;
    side.hangs_up(&call, ringing, "strangers").await;
    assert_eq!(side.voice.problem(), None);
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_under_the_trunks_address_stops_neither_the_trunk_nor_a_call() {
    let side = Side::start().await;
    for (kind, count, tag) in [
        ("INVITE", 400, ""),
        ("BYE", 3_000, ";tag=x"),
        ("CANCEL", 1_000, ""),
        ("MESSAGE", 1_000, ""),
    ] {
        // From the trunk's address, another port: as forged.
        let forger = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let answers = kept(&forger);
        let (call, ringing) = side.talks().await;
        // None of these is acknowledged.
        flood(&forger, side.hub(), count, |n| {
            request(kind, &format!("{kind}{n}"), 1, tag, &forger)
        })
        .await;
        side.is_alive(kind).await;
        side.hangs_up(&call, ringing, kind).await;
        let answers = answers.lock().unwrap().clone();
        let busy: Vec<_> = answers.iter().filter(|text| text.starts_with("SIP/2.0 503 ")).collect();
        if kind == "INVITE" || kind == "MESSAGE" {
            assert!(!busy.is_empty(), "{kind}: beyond the bounds there is a 503");
        }
        assert!(
            busy.iter().all(|text| text.contains("\r\nRetry-After: ")),
            "{kind}: {busy:?}"
        );
        // An answer to an INVITE is sent again until it is acknowledged; the gate's own are bounded.
        assert!(
            kind == "INVITE" || answers.len() < 500,
            "{kind}: {} answers",
            answers.len()
        );
    }
    let has_read = || (side.figure("voice_sip_waiting", "") < 10.0).then_some(());
    eventually("the SIP side has read all", has_read).await;
    assert_eq!(side.voice.problem(), None);
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_its_trunks_alone() {
    let side = Side::start().await;
    for from in [STRANGER, OTHER] {
        let third = UdpSocket::bind(from).await.unwrap();
        // While it rings, answers with the right identifiers change nothing.
        let (call, ringing) = side.rings().await;
        for status in ["486 Busy Here", "603 Decline", "302 Moved Temporarily", "480 Gone"] {
            third
                .send_to(call.refused(status).as_bytes(), side.hub())
                .await
                .unwrap();
        }
        let local = third.local_addr().unwrap();
        third
            .send_to(call.answered(local).as_bytes(), side.hub())
            .await
            .unwrap();
        side.is_alive("foreign answers").await;
        assert!(!ringing.is_finished(), "{from}");
        side.sends(&call.refused("404 Not Found")).await;
        let detail = timeout(Duration::from_secs(10), ringing).await.unwrap().unwrap();
        assert_eq!(
            (detail.result, detail.sip_status),
            (CallResult::InvalidNumber, Some(404)),
            "{from}: {detail:?}"
        );

        // While it is up, requests with the right identifiers change nothing.
        let (call, ringing) = side.talks().await;
        for (n, method) in (2..).zip(["BYE", "INVITE", "UPDATE", "INFO", "CANCEL"]) {
            third
                .send_to(call.inside(method, n, &third).as_bytes(), side.hub())
                .await
                .unwrap();
        }
        let answer = received(&third, "SIP/2.0 ", "", SOON).await;
        let expected = if from == OTHER { "SIP/2.0 481" } else { "SIP/2.0 403" };
        assert_eq!(
            answer.as_deref().and_then(|text| text.get(..11)),
            Some(expected),
            "{from}"
        );
        side.is_alive("foreign requests").await;
        assert!(!ringing.is_finished(), "{from}");
        side.hangs_up(&call, ringing, from).await;
    }
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_may_have_several_addresses() {
    let side = Side::start().await;
    let edge = UdpSocket::bind(EDGE).await.unwrap();
    edge.send_to(request("OPTIONS", "edge", 1, "", &edge).as_bytes(), side.hub())
        .await
        .unwrap();
    assert!(received(&edge, "SIP/2.0 200", "edge", SOON).await.is_some());
    // The other edge hangs up a call that went out over the first one.
    let (call, ringing) = side.talks().await;
    edge.send_to(call.inside("BYE", 2, &edge).as_bytes(), side.hub())
        .await
        .unwrap();
    assert!(received(&edge, "SIP/2.0 200", "2 BYE", SOON).await.is_some());
    let detail = timeout(Duration::from_secs(10), ringing).await.unwrap().unwrap();
    assert!(detail.reason.contains("the owner hung up"), "{detail:?}");
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunks_addresses_may_be_names() {
    logs();
    // A name that has no address lets nobody in, stops no start, and takes nothing from the other hosts.
    let (taken, refused) = ("SIP/2.0 603", "SIP/2.0 403");
    for (hosts, named) in [
        (vec!["localhost"], taken),
        (vec!["nowhere.invalid", "localhost"], taken),
        (vec!["nowhere.invalid"], refused),
    ] {
        let own = TrunkConfig {
            addresses: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            ..trunk(address(OTHER))
        };
        let voice = Arc::new(Voice::start(config_of(vec![own], limits())).await.unwrap());
        let serving = Arc::clone(&voice);
        tokio::spawn(async move {
            serving
                .serve_inbound(Arc::new(TestHost::default()), CancellationToken::new())
                .await;
        });
        for (from, status) in [("127.0.0.1:0", named), (OTHER, taken), (STRANGER, refused)] {
            let caller = UdpSocket::bind(from).await.unwrap();
            let id = format!("call-{}", from.replace([':', '.'], "-"));
            let invite = request("INVITE", &id, 1, "", &caller);
            caller.send_to(invite.as_bytes(), voice.local()).await.unwrap();
            let answer = received(&caller, status, &id, Duration::from_secs(10)).await;
            assert!(answer.is_some(), "{status} to {from}, the hosts are {hosts:?}");
        }
        voice.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sip_side_that_stops_is_told_and_one_that_lives_is_not() {
    let side = Side::start().await;
    let told = async {
        while side.voice.problem().is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(7), told).await.is_err(),
        "{:?}",
        side.voice.problem()
    );
    side.voice.shutdown().await;
    let (part, reason) = eventually("a problem", || side.voice.problem()).await;
    assert_eq!(part, "sip");
    assert!(reason.contains("restart the hub"), "{reason}");
}
