//! Calls that come in over UDP in every form of `tests/sip/callers.txt`: the owner is taken for the owner, nobody else is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use async_trait::async_trait;
use common::{config, limits, logs, number, order, trunk};
use hub_core::call_result::Disposition;
use hub_core::id::AttemptId;
use hub_core::language::Language;
use hub_core::metric::MetricValue;
use hub_core::phone_number::PhoneNumber;
use hub_voice::{CallDetail, CallHost, CallProgress, CommitRefused, InboundDecision, InboundHost, TrunkConfig, Voice};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const CALLERS: &str = include_str!("../../../tests/sip/callers.txt");
const OWNER: &str = "+8613800008412";
/// What an owner gets here, since the caller offers no audio that the hub has.
const KNOWN: u16 = 488;
/// What everybody else gets.
const UNKNOWN: u16 = 603;
/// There are more forms that have an answer; were there fewer, the reader of them would be broken.
const ANSWERS_MIN: usize = 60;

/// Takes the owner's calls only.
struct Owners;

#[async_trait]
impl CallHost for Owners {
    async fn progress(&self, _: AttemptId, _: CallProgress) {}

    async fn commit(&self, _: AttemptId, _: Disposition) -> Result<(), CommitRefused> {
        Ok(())
    }
}

#[async_trait]
impl InboundHost for Owners {
    async fn answer(&self, _: &str, caller: Option<PhoneNumber>, _: Option<PhoneNumber>) -> InboundDecision {
        if caller == Some(number(OWNER)) {
            InboundDecision::Flow(Box::new(order(Language::En)))
        } else {
            InboundDecision::Decline
        }
    }

    async fn finished(&self, _: CallDetail) {}
}

/// A trunk's side.
struct Caller {
    socket: UdpSocket,
    hub: SocketAddr,
    /// Calls to which there must be no answer.
    unreadable: HashSet<String>,
}

impl Caller {
    /// Sends an INVITE with these headers.
    async fn send(&self, id: &str, headers: &[&str]) {
        let description = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                           m=audio 40000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n";
        let to = format!("<sip:+864008000001@{}>", self.hub);
        let length = description.len();
        let head = self.head("INVITE", id, headers, &to);
        let text = format!("{head}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{description}");
        self.socket.send_to(text.as_bytes(), self.hub).await.unwrap();
    }

    fn head(&self, method: &str, id: &str, headers: &[&str], to: &str) -> String {
        let (hub, local) = (self.hub, self.socket.local_addr().unwrap());
        let lines = headers.iter().map(|line| {
            let is_tagged = !line.starts_with("From:") || line.contains(";tag=");
            let tag = if is_tagged { String::new() } else { format!(";tag={id}") };
            format!("{line}{tag}\r\n")
        });
        let mut lines: String = lines.collect();
        if !headers.iter().any(|line| line.starts_with("From:")) {
            lines.push_str(&format!("From: <sip:anonymous@anonymous.invalid>;tag={id}\r\n"));
        }
        format!(
            "{method} sip:+864008000001@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             {lines}To: {to}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\nContact: <sip:trunk@{local}>\r\n"
        )
    }

    /// The final answer to a call, which is acknowledged.
    async fn answer(&self, id: &str, headers: &[&str]) -> u16 {
        let mut buffer = vec![0; 65_536];
        loop {
            let received = tokio::time::timeout(Duration::from_secs(30), self.socket.recv(&mut buffer)).await;
            let length = received.expect("an answer in time").unwrap();
            let answer = String::from_utf8(buffer[..length].to_vec()).unwrap();
            let header = |name: &str| {
                let mut lines = answer.lines();
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or_default()
                    .trim()
            };
            let of = header("Call-ID:");
            assert!(
                !self.unreadable.contains(of),
                "an answer to what cannot be read: {answer}"
            );
            let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
            if of != id || status < 200 {
                continue;
            }
            let ack = self.head("ACK", id, headers, header("To:"));
            let ack = format!("{ack}Content-Length: 0\r\n\r\n");
            self.socket.send_to(ack.as_bytes(), self.hub).await.unwrap();
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_known_in_every_form_and_nobody_else_is() {
    logs();
    for believe_from in [true, false] {
        let trunk = TrunkConfig {
            believe_from,
            channels: 64,
            ..trunk("127.0.0.1:9".parse().unwrap())
        };
        let voice = Arc::new(Voice::start(config(trunk, limits())).await.unwrap());
        let serving = Arc::clone(&voice);
        tokio::spawn(async move { serving.serve_inbound(Arc::new(Owners), CancellationToken::new()).await });
        let mut caller = Caller {
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            hub: voice.local(),
            unreadable: HashSet::new(),
        };
        let rows = CALLERS
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert!(voice.notices().is_empty());
        let (mut unchecked, mut answered) = (0, 0);
        for (n, row) in rows.enumerate() {
            let mut parts = row.split(" | ").map(str::trim);
            let who = parts.next().unwrap();
            let headers: Vec<&str> = parts.collect();
            let id = format!("call-{n}");
            if who == "unreadable" {
                caller.unreadable.insert(id.clone());
                caller.send(&id, &headers).await;
                continue;
            }
            unchecked += u32::from(["stated owner", "stated other", "named owner", "named other"].contains(&who));
            let is_unchecked = ["stated owner", "named owner"].contains(&who);
            let is_known = who == "asserted owner" || (is_unchecked && believe_from);
            caller.send(&id, &headers).await;
            let status = caller.answer(&id, &headers).await;
            let expected = if is_known { KNOWN } else { UNKNOWN };
            assert_eq!(status, expected, "believe_from {believe_from}: {row}");
            answered += 1;
        }
        assert!(answered >= ANSWERS_MIN, "only {answered} forms were played");
        let metrics = voice.metrics();
        let metric = metrics
            .iter()
            .find(|metric| metric.name == "voice_callers_unknown_total")
            .unwrap();
        let unknown = if believe_from { 0 } else { unchecked };
        assert_eq!(metric.samples[0].value, MetricValue::Number(f64::from(unknown)));
        let notices: Vec<String> = voice.notices().into_iter().map(|(_, reason)| reason).collect();
        assert_eq!(notices.is_empty(), believe_from, "{notices:?}");
        assert!(
            notices.iter().all(|reason| reason.contains("believe_from")),
            "{notices:?}"
        );
        voice.shutdown().await;
    }
}

/// The forms of a country, over a trunk that has its plan: the owner is known, and nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_the_trunk_makes_owners_known_by_national_numbers() {
    logs();
    let plan = serde_json::json!({"country_code": "86", "trunk_prefix": "0", "area_code": "21"});
    let trunk = TrunkConfig {
        believe_from: true,
        channels: 64,
        number_plan: Some(serde_json::from_value(plan).unwrap()),
        ..trunk("127.0.0.1:9".parse().unwrap())
    };
    let voice = Arc::new(Voice::start(config(trunk, limits())).await.unwrap());
    let serving = Arc::clone(&voice);
    tokio::spawn(async move { serving.serve_inbound(Arc::new(Owners), CancellationToken::new()).await });
    let caller = Caller {
        socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        hub: voice.local(),
        unreadable: HashSet::new(),
    };
    for (n, (header, status)) in [
        ("From: <sip:13800008412@trunk.test>", KNOWN),
        ("From: <sip:013800008412@trunk.test>", KNOWN),
        ("From: <sip:8613800008412@trunk.test>", KNOWN),
        ("From: <sip:008613800008412@trunk.test>", KNOWN),
        ("From: <sip:%2B8613800008412@trunk.test>", KNOWN),
        ("From: <sip:13800008412;cpc=ordinary@trunk.test>", KNOWN),
        ("From: <tel:13800008412;phone-context=+86>", KNOWN),
        ("P-Asserted-Identity: <sip:13800008412@t>", KNOWN),
        (
            "P-Asserted-Identity: \"sip:+8613900001234\" <sips:013800008412@t>",
            KNOWN,
        ),
        ("P-Preferred-Identity: <sip:8613800008412@t>", KNOWN),
        ("Remote-Party-ID: <sip:13800008412@t>;screen=yes", KNOWN),
        ("From: <sip:13900001234@trunk.test>", UNKNOWN),
        ("From: <sip:anonymous@anonymous.invalid>", UNKNOWN),
        ("P-Asserted-Identity: <sip:anonymous@anonymous.invalid>", UNKNOWN),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("call-{n}");
        caller.send(&id, &[header]).await;
        assert_eq!(caller.answer(&id, &[header]).await, status, "{header}");
    }
    voice.shutdown().await;
}
