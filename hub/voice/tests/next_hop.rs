//! Where the requests of a leg go, over real sockets: two companies on one SIP domain with carriers of their own, host names in
//! what a carrier answers, and addresses of others.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use async_trait::async_trait;
use common::{TestHost, config_of, eventually, limits, logs, main_number, number, order, trunk};
use hub_core::call_result::CallResult;
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_voice::media::sdp;
use hub_voice::prompt::tts::EspeakTts;
use hub_voice::signaling::{CallStack, InboundLeg, Leg, LegControl, LegEvent, PlaceCall, PlaceError};
use hub_voice::{CallDetail, CallOrder, CallProgress, Limits, TrunkConfig, Voice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a carrier does with a call.
enum Does {
    /// Rings until it is cancelled.
    Rings,
    /// Answers with these header lines, each with its end.
    Answers(String),
    /// Nothing but to take what comes.
    Listens,
}

/// A carrier's server.
struct Carrier {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Carrier {
    async fn at(address: &str, does: Does) -> Self {
        let socket = Arc::new(UdpSocket::bind(address).await.unwrap());
        let address = socket.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (all, own) = (Arc::clone(&seen), Arc::clone(&socket));
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            let mut invite = None;
            loop {
                let (length, peer) = own.recv_from(&mut buffer).await.unwrap();
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                all.lock().unwrap().push(text.clone());
                let answers = match (text.split(' ').next().unwrap(), &does) {
                    ("INVITE", Does::Rings) => {
                        invite = Some(text.clone());
                        vec![reply(&text, "180 Ringing", "", "")]
                    }
                    ("INVITE", Does::Answers(lines)) => vec![answered(&text, lines)],
                    ("CANCEL", _) => {
                        let ended = invite
                            .take()
                            .map(|invite| reply(&invite, "487 Request Terminated", "", ""));
                        [reply(&text, "200 OK", "", "")].into_iter().chain(ended).collect()
                    }
                    ("BYE", _) => vec![reply(&text, "200 OK", "", "")],
                    _ => vec![],
                };
                for answer in answers {
                    own.send_to(answer.as_bytes(), peer).await.unwrap();
                }
            }
        });
        Self { socket, address, seen }
    }

    async fn start(does: Does) -> Self {
        Self::at("127.0.0.1:0", does).await
    }

    /// Requests of a method, with what was sent again.
    fn seen(&self, method: &str) -> Vec<String> {
        let start = format!("{method} ");
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|text| text.starts_with(&start)).cloned().collect()
    }

    async fn sees(&self, method: &str) -> String {
        eventually(&format!("a {method}"), || self.seen(method).first().cloned()).await
    }
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    text.lines()
        .find_map(|line| line.strip_prefix(start.as_str()))
        .unwrap_or_else(|| panic!("{name} in {text}"))
}

fn reply(request: &str, status: &str, lines: &str, body: &str) -> String {
    let of = |name| header(request, name);
    let to = of("To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=carrier" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        of("Via"),
        of("From"),
        of("Call-ID"),
        of("CSeq"),
        body.len(),
    )
}

/// The call is taken; nobody listens to its audio.
fn answered(request: &str, lines: &str) -> String {
    let description = String::from_utf8(sdp::offer(SocketAddr::from(([127, 0, 0, 1], 9)), 1)).unwrap();
    let lines = format!("{lines}Content-Type: application/sdp\r\n");
    reply(request, "200 OK", &lines, &description)
}

/// A company's trunk: all are on one domain.
fn company(name: &str, carrier: &Carrier, caller_number: PhoneNumber) -> TrunkConfig {
    TrunkConfig {
        name: name.into(),
        caller_number,
        ..trunk(carrier.address)
    }
}

async fn two(acme: &Carrier, beta: &Carrier, limits: Limits) -> Voice {
    logs();
    let trunks = vec![
        company("acme", acme, number("+862155500100")),
        company("beta", beta, number("+862155500200")),
    ];
    assert_eq!(trunks[0].domain, trunks[1].domain);
    Voice::start(config_of(trunks, limits)).await.unwrap()
}

fn over(trunk: &str) -> CallOrder {
    CallOrder {
        trunk: trunk.into(),
        ..order(Language::En)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_goes_to_the_carrier_that_rings() {
    let short = Limits {
        ring: Duration::from_secs(1),
        ..limits()
    };
    let (acme, beta) = (Carrier::start(Does::Rings).await, Carrier::start(Does::Rings).await);
    let voice = two(&acme, &beta, short).await;
    let ring = |trunk| voice.ring(over(trunk), Arc::new(TestHost::default()));
    let ended = tokio::join!(ring("acme"), ring("beta"));
    for detail in [&ended.0, &ended.1] {
        assert_eq!(
            (detail.result, detail.sip_status),
            (CallResult::NoAnswer, Some(487)),
            "{detail:?}"
        );
    }
    for carrier in [&acme, &beta] {
        let invite = carrier.sees("INVITE").await;
        let own = header(&invite, "Call-ID");
        assert!(!carrier.seen("CANCEL").is_empty());
        carrier.sees("ACK").await;
        for method in ["INVITE", "CANCEL", "ACK"] {
            for text in carrier.seen(method) {
                assert_eq!(header(&text, "Call-ID"), own, "another company's: {text}");
            }
        }
    }
    voice.shutdown().await;
}

/// Rings over acme's trunk, lets the hub hang up when the call is answered, and waits for its record.
async fn hangs_up(voice: &Voice) -> CallDetail {
    let host = Arc::new(TestHost::default());
    let ends = async {
        let is_answered = || host.steps().contains(&CallProgress::Answered).then_some(());
        eventually("an answer", is_answered).await;
        voice.hang_up_all();
    };
    let (detail, ()) = tokio::join!(voice.ring(over("acme"), host.clone()), ends);
    detail
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_goes_where_the_invite_went_whatever_host_names_the_answer_holds() {
    for (lines, uri, routes) in [
        (
            "Contact: <sip:x@sbc1.carrier.example>\r\n",
            "sip:x@sbc1.carrier.example",
            vec![],
        ),
        (
            "Contact: <sip:x@sbc1.carrier.example:5070;transport=tcp>\r\n",
            "sip:x@sbc1.carrier.example:5070",
            vec![],
        ),
        ("Contact: <sip:x@trunk.test>\r\n", "sip:x@trunk.test", vec![]),
        // Not the carrier's: behind its own translation of addresses, or somebody else's.
        ("Contact: <sip:x@10.99.0.1:5060>\r\n", "sip:x@10.99.0.1:5060", vec![]),
        (
            "Record-Route: <sip:core.carrier.example;lr>\r\nRecord-Route: <sip:edge.carrier.example;lr>\r\n\
             Contact: <sip:x@10.99.0.1>\r\n",
            "sip:x@10.99.0.1",
            vec!["edge.carrier.example", "core.carrier.example"],
        ),
        (
            "Record-Route: <sip:core.carrier.example;lr>, <sip:edge.carrier.example;lr>\r\n\
             Contact: <sip:x@sbc1.carrier.example>\r\n",
            "sip:x@sbc1.carrier.example",
            vec!["edge.carrier.example", "core.carrier.example"],
        ),
    ] {
        let acme = Carrier::start(Does::Answers(lines.to_owned())).await;
        let beta = Carrier::start(Does::Listens).await;
        let voice = two(&acme, &beta, limits()).await;
        let detail = hangs_up(&voice).await;
        assert_eq!(
            (detail.result, detail.reason.as_str()),
            (CallResult::Answered, "the hub is stopping"),
            "{lines}"
        );
        for method in ["ACK", "BYE"] {
            let text = acme.sees(method).await;
            // What the carrier named is told to it as it came.
            assert!(text.starts_with(&format!("{method} {uri}")), "{text}");
            let named: Vec<&str> = text.lines().filter(|line| line.starts_with("Route: ")).collect();
            let hosts: Vec<String> = named
                .iter()
                .flat_map(|line| line.trim_start_matches("Route: ").split(','))
                .map(|route| route.trim().replace("<sip:", "").replace(";lr>", ""))
                .collect();
            assert_eq!(hosts, routes, "{text}");
        }
        voice.shutdown().await;
        assert!(beta.seen.lock().unwrap().is_empty(), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_goes_to_another_address_of_that_carrier_and_to_nobody_elses() {
    // A port of the carrier's own host is its business; another host is not, even if it is another company's carrier.
    for (host, is_own) in [("127.0.0.1:0", true), ("127.0.0.2:0", false)] {
        let named = Carrier::at(host, Does::Listens).await;
        let contact = format!("Contact: <sip:x@{}>\r\n", named.address);
        let acme = Carrier::start(Does::Answers(contact)).await;
        let spare = Carrier::start(Does::Listens).await;
        let voice = two(&acme, if is_own { &spare } else { &named }, limits()).await;
        hangs_up(&voice).await;
        let (meant, other) = if is_own { (&named, &acme) } else { (&acme, &named) };
        meant.sees("ACK").await;
        meant.sees("BYE").await;
        voice.shutdown().await;
        assert!(other.seen("BYE").is_empty(), "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_carrier_may_be_known_by_name() {
    logs();
    for hosts in [vec!["localhost"], vec![]] {
        let edge = Carrier::start(Does::Listens).await;
        let contact = format!("Contact: <sip:x@{}>\r\n", edge.address);
        let acme = Carrier::at("127.0.0.2:0", Does::Answers(contact)).await;
        let trunk = TrunkConfig {
            addresses: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            ..company("acme", &acme, number("+862155500100"))
        };
        let voice = Voice::start(config_of(vec![trunk], limits())).await.unwrap();
        hangs_up(&voice).await;
        let (meant, other) = if hosts.is_empty() {
            (&acme, &edge)
        } else {
            (&edge, &acme)
        };
        meant.sees("ACK").await;
        meant.sees("BYE").await;
        voice.shutdown().await;
        assert!(other.seen("BYE").is_empty(), "{hosts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_of_a_call_that_came_in_goes_back_whence_it_came() {
    logs();
    // The carrier's other address, which a caller may name.
    let edge = Carrier::at("127.0.0.2:0", Does::Listens).await;
    let at_edge = format!("sip:x@{}", edge.address);
    for contact in [
        "sip:x@gw.carrier.example",
        "sip:x@10.99.0.1:5060",
        "sip:x@trunk.test",
        at_edge.as_str(),
    ] {
        let (acme, beta) = (Carrier::start(Does::Listens).await, Carrier::start(Does::Listens).await);
        // The carrier calls from a port that is not its proxy's.
        let gateway = Carrier::start(Does::Listens).await;
        let trunks = vec![
            company("acme", &acme, number("+862155500100")),
            TrunkConfig {
                addresses: vec![edge.address.ip().into()],
                ..company("beta", &beta, number("+862155500200"))
            },
        ];
        let voice = Arc::new(Voice::start(config_of(trunks, limits())).await.unwrap());
        let host = Arc::new(TestHost {
            takes: Some(over("beta")),
            ..TestHost::default()
        });
        let (serving, served) = (Arc::clone(&voice), host.clone());
        tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
        let description = String::from_utf8(sdp::offer(SocketAddr::from(([127, 0, 0, 1], 9)), 1)).unwrap();
        let request = |method: &str, to: &str, body: &str| {
            let (local, hub) = (gateway.address, voice.local());
            format!(
                "{method} sip:+862155500200@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{method}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:+8613800008412@trunk.test>;tag=caller\r\nTo: {to}\r\nCall-ID: in-call\r\n\
                 CSeq: 1 {method}\r\nContact: <{contact}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let called = "<sip:+862155500200@trunk.test>";
        let invite = request("INVITE", called, &description);
        gateway.socket.send_to(invite.as_bytes(), voice.local()).await.unwrap();
        let ok = eventually("an answer", || gateway.seen("SIP/2.0 200").first().cloned()).await;
        let ack = request("ACK", header(&ok, "To"), "");
        gateway.socket.send_to(ack.as_bytes(), voice.local()).await.unwrap();
        let is_answered = || host.steps().contains(&CallProgress::Answered).then_some(());
        eventually("a conversation", is_answered).await;
        voice.hang_up_all();
        let ends_at = if contact == at_edge { &edge } else { &gateway };
        let bye = ends_at.sees("BYE").await;
        assert!(bye.starts_with(&format!("BYE {contact} SIP/2.0\r\n")), "{bye}");
        assert_eq!(host.finished_once().await.reason, "the hub is stopping");
        voice.shutdown().await;
        for elsewhere in [&acme, &beta] {
            assert!(elsewhere.seen.lock().unwrap().is_empty(), "{contact}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_an_address_does_not_lead_away_from_the_proxy() {
    let short = Limits {
        ring: Duration::from_secs(1),
        ..limits()
    };
    let (proxy, domain) = (Carrier::start(Does::Rings).await, Carrier::start(Does::Rings).await);
    let trunk = TrunkConfig {
        domain: domain.address.to_string(),
        ..company("acme", &proxy, main_number().unwrap())
    };
    let voice = Voice::start(config_of(vec![trunk], short)).await.unwrap();
    let detail = voice.ring(over("acme"), Arc::new(TestHost::default())).await;
    assert_eq!(
        (detail.result, detail.sip_status),
        (CallResult::NoAnswer, Some(487)),
        "{detail:?}"
    );
    proxy.sees("CANCEL").await;
    proxy.sees("ACK").await;
    voice.shutdown().await;
    assert!(domain.seen.lock().unwrap().is_empty());
}

/// A network that answers each call and cannot send its BYE.
struct NoWayBack;

struct Handle(mpsc::Sender<LegEvent>);

impl LegControl for Handle {
    fn cancel(&self) {}
    fn ringing(&self) {}
    fn accept(&self, _: Vec<u8>) {}
    fn reject(&self, _: u16) {}
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.try_send(LegEvent::ByeNotSent("no way back".into())).unwrap();
    }
}

#[async_trait]
impl CallStack for NoWayBack {
    async fn place(&self, _: PlaceCall) -> Result<Leg, PlaceError> {
        let (sender, events) = mpsc::channel(8);
        let description = sdp::offer(SocketAddr::from(([127, 0, 0, 1], 9)), 1);
        let answered = LegEvent::Answered {
            status: 200,
            description,
        };
        sender.try_send(answered).unwrap();
        Ok(Leg {
            events,
            control: Box::new(Handle(sender)),
            peer: self.local().ip(),
        })
    }

    async fn next_inbound(&self) -> Option<InboundLeg> {
        std::future::pending().await
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 5060))
    }

    async fn shutdown(&self) {}
}

#[tokio::test]
async fn a_bye_that_could_not_be_sent_is_in_the_record() {
    let trunk = TrunkConfig {
        name: "acme".into(),
        ..trunk(NoWayBack.local())
    };
    let config = config_of(vec![trunk], limits());
    let voice = Voice::with_stack(config, Arc::new(NoWayBack), Arc::new(EspeakTts::default())).unwrap();
    let detail = hangs_up(&voice).await;
    assert_eq!(
        (detail.result, detail.reason.as_str()),
        (
            CallResult::Answered,
            "the hub is stopping; the BYE could not be sent: no way back"
        )
    );
}
