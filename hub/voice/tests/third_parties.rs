//! Third parties who know all identifiers of a call, and others who send audio in its far side's name: over real sockets, other
//! addresses of the loopback. Each kind of message for itself changes nothing: the audio comes on, a key of the right hand
//! counts, and the record is that of every call.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::audio::Audio;
use common::wire::{Wire, body, header, over, reply};
use common::{TestHost, config_of, eventually, limits, logs, order, other_trunk, trunk};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::media::sdp;
use hub_voice::{CallDetail, CallProgress, Direction, Voice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where third parties stand, and how the hub answers a request of theirs: a stranger, and another company's trunk.
const THIRD_PARTIES: [(&str, &str); 2] = [("127.0.0.9:0", "SIP/2.0 403 "), ("127.0.0.3:0", "SIP/2.0 481 ")];
/// What is not heard within this is not sent.
const QUIET: Duration = Duration::from_millis(200);
/// The sources of the far side and of a forger.
const FAR: u32 = 0x0fa2;
const FOREIGN: u32 = 0x5eed;

/// A hub with two trunks, and the first one's side of a call.
struct Side {
    voice: Arc<Voice>,
    host: Arc<TestHost>,
    trunk: Wire,
    far: Audio,
}

impl Side {
    async fn start(host: TestHost) -> Self {
        logs();
        let wire = Wire::open().await;
        let other = other_trunk(SocketAddr::from(([127, 0, 0, 3], 9)));
        let config = config_of(vec![trunk(wire.address), other], limits());
        Self {
            voice: Arc::new(Voice::start(config).await.unwrap()),
            host: Arc::new(host),
            trunk: wire,
            far: Audio::at("127.0.0.1:0", FAR).await,
        }
    }

    /// The hub rings an owner; the trunk has the INVITE, which came from that address.
    async fn rings() -> (Self, JoinHandle<CallDetail>, (String, SocketAddr)) {
        let side = Self::start(TestHost::default()).await;
        let (voice, host) = (Arc::clone(&side.voice), Arc::clone(&side.host));
        let call = tokio::spawn(async move { voice.ring(order(Language::En), host).await });
        let invite = side.trunk.next("INVITE ").await;
        (side, call, invite)
    }

    /// The trunk's OPTIONS is answered: by then the hub has read what was sent to it before.
    async fn is_alive(&self, case: &str) {
        let (local, hub) = (self.trunk.address, self.voice.local());
        let id = format!("alive-{case}").replace(' ', "-");
        let text = format!(
            "OPTIONS sip:hub@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nFrom: <sip:trunk@{local}>;tag=far\r\n\
             To: <sip:hub@{hub}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        self.trunk.send(&text, hub).await;
        loop {
            let (answer, _) = self.trunk.next("SIP/2.0 200 ").await;
            if header(&answer, "Call-ID") == Some(id.as_str()) {
                return;
            }
        }
    }

    /// The hub's audio comes to the far side.
    async fn hears_on(&self, case: &str) {
        self.far.heard();
        let comes = || (self.far.heard() > 0).then_some(());
        eventually(&format!("the prompt after {case}"), comes).await;
    }

    /// Audio goes both ways, a key of the far side counts, and the hub hangs up as after every such key.
    async fn goes_on(&mut self, media: SocketAddr, case: &str) {
        self.hears_on(case).await;
        self.far.sounds(25, media).await;
        let heard = self.far.heard();
        assert!(heard >= 10, "{case}: {heard} packets in half a second");
        self.far.presses('3', media).await;
        let (bye, hub) = self.trunk.next("BYE ").await;
        self.trunk.send(&reply(&bye, "200 OK", "", ""), hub).await;
    }
}

/// Where the hub wants the audio of a call, by its offer or answer.
fn media_of(message: &str) -> SocketAddr {
    sdp::understand(body(message).as_bytes()).unwrap().remote
}

/// The CANCEL of an INVITE: its branch, tags and number (RFC 3261 §9.1).
fn cancel_of(invite: &str) -> String {
    let of = |name| header(invite, name).unwrap();
    let target = invite.split(' ').nth(1).unwrap();
    let number = of("CSeq").split(' ').next().unwrap();
    format!(
        "CANCEL {target} SIP/2.0\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} CANCEL\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        of("Via"),
        of("From"),
        of("To"),
        of("Call-ID"),
    )
}

/// The record is that of a call in which the owner pressed 3 and nobody else did anything.
fn is_as_ever(detail: &CallDetail, direction: Direction, case: &str) {
    assert_eq!(
        (detail.direction, detail.result, detail.disposition),
        (direction, CallResult::Answered, Some(Disposition::PersonWanted)),
        "{case}: {detail:?}"
    );
    assert_eq!(
        (detail.digits.as_str(), detail.reason.as_str()),
        ("3", "we hung up at the end"),
        "{case}: {detail:?}"
    );
}

async fn speaks(host: &TestHost) {
    let speaks = || {
        let steps = host.steps();
        steps
            .iter()
            .any(|step| matches!(step, CallProgress::Saying { .. }))
            .then_some(())
    };
    eventually("a conversation", speaks).await;
}

async fn answers_while_it_rings(from: &str) {
    let (third, thief) = (Wire::at(from).await, Audio::at(from, FOREIGN).await);
    let (mut side, call, invite) = Side::rings().await;
    side.trunk
        .send(&reply(&invite.0, "180 Ringing", "", ""), invite.1)
        .await;
    let rings = [CallProgress::Dialing, CallProgress::Ringing];
    eventually("it rings", || (side.host.steps() == rings).then_some(())).await;
    let contact = format!("Contact: <sip:third@{}>\r\n", third.address);
    for (status, description) in [
        ("200 OK", thief.described()),
        ("302 Moved Temporarily", String::new()),
        ("486 Busy Here", String::new()),
        ("487 Request Terminated", String::new()),
        ("603 Decline", String::new()),
    ] {
        third
            .send(&reply(&invite.0, status, &contact, &description), invite.1)
            .await;
        side.is_alive(status).await;
        assert!(!call.is_finished(), "{status} from {from} ends the call");
        assert_eq!(side.host.steps(), rings, "{status} from {from}");
        assert!(
            !third.hears(QUIET).await,
            "{status} from {from}: something is sent there"
        );
    }
    side.trunk.answer(&invite, "", &side.far.described()).await;
    speaks(&side.host).await;
    side.goes_on(media_of(&invite.0), from).await;
    let detail = over(call).await;
    is_as_ever(&detail, Direction::Outbound, from);
    assert_eq!(detail.sip_status, Some(200), "{from}");
    assert_eq!(thief.heard(), 0, "{from}");
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_a_third_party_changes_anything_while_it_rings() {
    let [stranger, other] = THIRD_PARTIES.map(|(from, _)| answers_while_it_rings(from));
    tokio::join!(stranger, other);
}

async fn messages_while_it_is_up((from, refusal): (&str, &str)) {
    let (third, thief) = (Wire::at(from).await, Audio::at(from, FOREIGN).await);
    let (mut side, call, invite) = Side::rings().await;
    side.trunk.answer(&invite, "", &side.far.described()).await;
    speaks(&side.host).await;
    let before = side.host.steps();
    let described = thief.described();
    let inside = |method, number, body| third.inside(&invite, (method, number), ("", body));
    for (kind, text) in [
        ("BYE", inside("BYE", 2, "")),
        ("re-INVITE", inside("INVITE", 3, described.as_str())),
        ("UPDATE", inside("UPDATE", 4, described.as_str())),
        ("CANCEL", cancel_of(&invite.0)),
    ] {
        third.send(&text, invite.1).await;
        let (answer, _) = third.next("SIP/2.0 ").await;
        assert!(answer.starts_with(refusal), "{kind} from {from}: {answer}");
        side.is_alive(kind).await;
        assert!(!call.is_finished(), "{kind} from {from} ends the call");
        assert_eq!(side.host.steps(), before, "{kind} from {from}");
        side.hears_on(kind).await;
    }
    for status in ["200 OK", "302 Moved Temporarily", "486 Busy Here"] {
        third.send(&reply(&invite.0, status, "", &described), invite.1).await;
        side.is_alive(status).await;
        assert!(!call.is_finished(), "{status} from {from} ends the call");
        assert_eq!(side.host.steps(), before, "{status} from {from}");
        assert!(
            !third.hears(QUIET).await,
            "{status} from {from}: something is sent there"
        );
        side.hears_on(status).await;
    }
    side.goes_on(media_of(&invite.0), from).await;
    let detail = over(call).await;
    is_as_ever(&detail, Direction::Outbound, from);
    assert_eq!(detail.sip_status, Some(200), "{from}");
    assert_eq!(thief.heard(), 0, "{from}");
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_of_a_third_party_changes_a_call_that_is_up() {
    let [stranger, other] = THIRD_PARTIES.map(messages_while_it_is_up);
    tokio::join!(stranger, other);
}

async fn requests_to_a_call_that_came_in((from, refusal): (&str, &str)) {
    let (third, thief) = (Wire::at(from).await, Audio::at(from, FOREIGN).await);
    let mut side = Side::start(TestHost {
        takes: Some(order(Language::En)),
        decides_after: Duration::from_secs(2),
        ..TestHost::default()
    })
    .await;
    let (voice, host) = (Arc::clone(&side.voice), Arc::clone(&side.host));
    tokio::spawn(async move { voice.serve_inbound(host, CancellationToken::new()).await });
    let hub = side.voice.local();
    let invite = side.trunk.invite(hub, ("", &side.far.described()));
    side.trunk.send(&invite, hub).await;
    let is_asked = || (!side.host.trunks.lock().unwrap().is_empty()).then_some(());
    eventually("the host is asked", is_asked).await;

    third.send(&cancel_of(&invite), hub).await;
    let (refused, _) = third.next("SIP/2.0 ").await;
    assert!(refused.starts_with(refusal), "CANCEL from {from}: {refused}");
    let answer = loop {
        let (answer, _) = side.trunk.next("SIP/2.0 ").await;
        if header(&answer, "CSeq") == Some("1 INVITE") && !answer.starts_with("SIP/2.0 1") {
            break answer;
        }
    };
    assert!(
        answer.starts_with("SIP/2.0 200 "),
        "CANCEL from {from} ends the call: {answer}"
    );
    let ack = side.trunk.follows(&invite, &answer, ("ACK", 1), "");
    side.trunk.send(&ack, hub).await;
    speaks(&side.host).await;
    let before = side.host.steps();
    let described = thief.described();
    for (kind, text) in [
        ("BYE", third.follows(&invite, &answer, ("BYE", 2), "")),
        ("re-INVITE", third.follows(&invite, &answer, ("INVITE", 3), &described)),
    ] {
        third.send(&text, hub).await;
        let (refused, _) = third.next("SIP/2.0 ").await;
        assert!(refused.starts_with(refusal), "{kind} from {from}: {refused}");
        side.is_alive(kind).await;
        assert_eq!(side.host.steps(), before, "{kind} from {from}");
        side.hears_on(kind).await;
    }
    side.goes_on(media_of(&answer), from).await;
    is_as_ever(&side.host.finished_once().await, Direction::Inbound, from);
    assert_eq!(thief.heard(), 0, "{from}");
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_third_party_changes_a_call_that_came_in() {
    let [stranger, other] = THIRD_PARTIES.map(requests_to_a_call_that_came_in);
    tokio::join!(stranger, other);
}

/// Audio that is not the far side's.
struct Forgery {
    case: &'static str,
    /// Where it comes from; none for the very address and port that the far side announced.
    from: Option<&'static str>,
    ssrc: u32,
    /// Sound before the far side's first, too. From another port of its address that is taken, until the far side speaks.
    speaks_first: bool,
}

impl Forgery {
    const ALL: [Self; 5] = [
        Self {
            case: "another address",
            from: Some("127.0.0.2:0"),
            ssrc: FOREIGN,
            speaks_first: true,
        },
        Self {
            case: "another address with the far side's source",
            from: Some("127.0.0.2:0"),
            ssrc: FAR,
            speaks_first: true,
        },
        Self {
            case: "keys from another port",
            from: Some("127.0.0.1:0"),
            ssrc: FOREIGN,
            speaks_first: false,
        },
        Self {
            case: "another port that speaks first",
            from: Some("127.0.0.1:0"),
            ssrc: FOREIGN,
            speaks_first: true,
        },
        Self {
            case: "the announced port",
            from: None,
            ssrc: FOREIGN,
            speaks_first: false,
        },
    ];

    /// The rule lets the hub send there for the moment before the far side has spoken.
    fn is_taken_at_first(&self) -> bool {
        self.speaks_first && self.from == Some("127.0.0.1:0")
    }
}

async fn forged(forgery: Forgery) {
    let case = forgery.case;
    let (mut side, call, invite) = Side::rings().await;
    let media = media_of(&invite.0);
    let mut forger = match forgery.from {
        Some(from) => Audio::at(from, forgery.ssrc).await,
        None => side.far.in_its_name(forgery.ssrc),
    };
    let has_socket = forgery.from.is_some();

    // Before the answer.
    forger.sounds(10, media).await;
    forger.presses('9', media).await;
    side.trunk.answer(&invite, "", &side.far.described()).await;
    speaks(&side.host).await;
    side.hears_on(case).await;
    // Before the far side's audio.
    if forgery.speaks_first {
        forger.sounds(10, media).await;
    }
    forger.presses('9', media).await;
    side.far.sounds(15, media).await;
    let sent = forger.heard();
    assert!(
        !has_socket || forgery.is_taken_at_first() || sent == 0,
        "{case}: {sent} packets sent to it before the far side's audio"
    );
    // Beside it.
    tokio::join!(side.far.sounds(40, media), async {
        forger.sounds(10, media).await;
        forger.presses('9', media).await;
    });
    let steps = side.host.steps();
    let keys = steps.iter().filter(|step| matches!(step, CallProgress::Pressed { .. }));
    assert_eq!(keys.count(), 0, "{case}: {steps:?}");

    side.goes_on(media, case).await;
    let detail = over(call).await;
    is_as_ever(&detail, Direction::Outbound, case);
    assert!(detail.audio.events_unbelieved >= 16, "{case}: {:?}", detail.audio);
    if has_socket {
        let sent = forger.heard();
        assert_eq!(sent, 0, "{case}: packets sent to it beside the far side's audio");
    }
    side.voice.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_audio_presses_no_key_and_hears_nothing() {
    futures::future::join_all(Forgery::ALL.map(forged)).await;
}
