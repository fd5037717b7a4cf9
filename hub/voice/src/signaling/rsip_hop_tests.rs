use super::super::rsip::{Peer, RsipStack};
use super::super::{CallStack, LegEvent, PlaceCall};
use super::*;
use crate::config::TrunkConfig;
use crate::media::sdp;
use crate::whereabouts::Whereabouts;
use hub_core::phone_number::PhoneNumber;
use std::io::Write;
use std::time::Duration;

/// Notes what is sent; to port 9 nothing can be.
#[derive(Default)]
struct Wire(Mutex<Vec<(String, SocketAddr)>>);

#[async_trait]
impl UdpSocket for Wire {
    async fn recv_from(&self, _: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        std::future::pending().await
    }

    async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> rsipstack::Result<usize> {
        if address.port() == 9 {
            return Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied).into());
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.lock().unwrap().push((text, address));
        Ok(bytes.len())
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(NOWHERE)
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct Bench {
    socket: HopSocket,
    wire: Arc<Wire>,
    legs: Arc<Legs>,
}

impl Bench {
    fn new() -> Self {
        let (wire, legs) = (Arc::new(Wire::default()), Arc::new(Legs::default()));
        let socket = HopSocket {
            socket: wire.clone(),
            legs: Arc::clone(&legs),
        };
        Self { socket, wire, legs }
    }

    /// Where a message goes to; none if it does not leave.
    async fn goes_to(&self, text: &str) -> Option<SocketAddr> {
        self.socket.send_to(text.as_bytes(), NOWHERE).await.ok()?;
        let sent = self.wire.0.lock().unwrap().pop();
        sent.filter(|(sent, _)| sent == text).map(|(_, address)| address)
    }
}

const INVITED: &str = "sip:+8613800008412@trunk.test";
const ACME: &str = "198.51.100.1:5060";
const BETA: &str = "203.0.113.1:5080";

fn request(method: &str, uri: &str, route: &str, (id, tag): (&str, &str)) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n{route}From: <sip:hub@trunk.test>;tag={tag}\r\n\
         To: <{INVITED}>;tag=far\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn each_request_leaves_by_its_own_leg() {
    let bench = Bench::new();
    let of = |id: &str, hop| {
        let hop = NextHop::new(address(hop), []);
        bench.legs.add(id.to_owned(), hop, Some(INVITED.to_owned()))
    };
    let _legs = (of("acme-call", ACME), of("beta-call", BETA));
    // A call that comes in, of a carrier that sends a call of acme's back under its own Call-ID.
    let back = NextHop::new(address("192.0.2.9:5066"), []);
    let _back = bench.legs.add("our-tag".to_owned(), back, None);
    let (acme, beta, back) = (("acme-call", "t1"), ("beta-call", "t2"), ("acme-call", "our-tag"));
    let edge = "Route: <sip:edge.carrier.example;lr>\r\nRoute: <sip:198.51.100.1:5099;lr>\r\n";
    for (method, uri, route, leg, to) in [
        ("INVITE", INVITED, "", acme, ACME),
        ("INVITE", INVITED, "", beta, BETA),
        ("CANCEL", INVITED, "", acme, ACME),
        ("CANCEL", INVITED, "", beta, BETA),
        ("ACK", INVITED, "", beta, BETA),
        ("ACK", "sip:x@sbc1.carrier.example", "", beta, BETA),
        ("BYE", "sip:x@sbc1.carrier.example:5070", "", acme, ACME),
        ("BYE", "sip:x@sbc1.carrier.example:5070", "", beta, BETA),
        ("BYE", "sip:x@trunk.test", "", beta, BETA),
        ("BYE", "sip:x@198.51.100.1:5090", "", acme, "198.51.100.1:5090"),
        ("BYE", "sip:x@198.51.100.1:5090", "", beta, BETA),
        (
            "BYE",
            "sip:x@198.51.100.1:5090;transport=tcp",
            "",
            acme,
            "198.51.100.1:5090",
        ),
        ("BYE", "sips:x@sbc1.carrier.example", "", acme, ACME),
        ("BYE", "sip:x@198.51.100.1:5090", edge, acme, ACME),
        (
            "BYE",
            "sip:x@10.0.0.1",
            "Route: <sip:198.51.100.1:5099;lr>, <sip:edge.carrier.example;lr>\r\n",
            acme,
            "198.51.100.1:5099",
        ),
        ("UPDATE", "sip:x@203.0.113.1:5081", "", beta, "203.0.113.1:5081"),
        ("INVITE", "sip:x@sbc1.carrier.example", edge, beta, BETA),
        ("BYE", "sip:x@gw.carrier.example", "", back, "192.0.2.9:5066"),
        ("BYE", "sip:x@192.0.2.9:5067", "", back, "192.0.2.9:5067"),
        ("BYE", INVITED, "", back, "192.0.2.9:5066"),
    ] {
        let text = request(method, uri, route, leg);
        assert_eq!(bench.goes_to(&text).await, Some(address(to)), "{text}");
    }
}

#[tokio::test]
async fn a_domain_that_is_an_address_does_not_lead_away_from_the_proxy() {
    let bench = Bench::new();
    let uri = "sip:+8613800008412@198.51.100.1:5070";
    let hop = NextHop::new(address("198.51.100.1:5080"), []);
    let _leg = bench.legs.add("call".to_owned(), hop, Some(uri.to_owned()));
    for method in ["INVITE", "CANCEL", "ACK"] {
        let text = request(method, uri, "", ("call", "t"));
        assert_eq!(
            bench.goes_to(&text).await,
            Some(address("198.51.100.1:5080")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn answers_go_where_they_are_sent() {
    let bench = Bench::new();
    let _leg = bench.legs.add("call".to_owned(), NextHop::new(address(ACME), []), None);
    let bye = request("BYE", INVITED, "", ("call", "t"));
    let answer = bye.replacen(&format!("BYE {INVITED} SIP/2.0"), "SIP/2.0 200 OK", 1);
    for text in [answer.as_str(), "\r\n"] {
        assert_eq!(bench.goes_to(text).await, Some(NOWHERE), "{text}");
    }
}

#[tokio::test]
async fn a_request_without_a_leg_does_not_leave() {
    let bench = Bench::new();
    let over = bench.legs.add("over".to_owned(), NextHop::new(address(ACME), []), None);
    let forgotten = bench
        .legs
        .add("forgotten".to_owned(), NextHop::new(address(ACME), []), None);
    drop(over);
    forgotten.forget();
    // A peer that has rung off may still be sent a CANCEL or a BYE.
    for (id, to) in [("over", Some(address(ACME))), ("forgotten", None), ("never", None)] {
        assert_eq!(bench.goes_to(&request("BYE", INVITED, "", (id, "t"))).await, to, "{id}");
    }
    assert!(bench.wire.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_became_of_the_first_bye_is_known() {
    let bench = Bench::new();
    for (hop, refused) in [(ACME, false), ("198.51.100.1:9", true)] {
        let mut leg = bench.legs.add("call".to_owned(), NextHop::new(address(hop), []), None);
        // Another phone that answered too, and is told at once that its call is over.
        let fork = request("BYE", "sip:x@y", "", ("call", "t")).replace("tag=far", "tag=fork");
        bench.goes_to(&fork).await;
        assert_eq!(leg.bye_left("fork").await.is_err(), refused, "{hop}");
        let nothing = tokio::time::timeout(Duration::from_millis(20), leg.bye_left("far")).await;
        assert!(nothing.is_err(), "{nothing:?}");
        let ack = bench.goes_to(&request("ACK", "sip:x@y", "", ("call", "t"))).await;
        let bye = bench.goes_to(&request("BYE", "sip:x@y", "", ("call", "t"))).await;
        assert_eq!((ack.is_none(), bye.is_none()), (refused, refused), "{hop}");
        let said = leg.bye_left("far").await;
        assert_eq!(said.is_err(), refused, "{said:?}");
        // Sent again, it changes nothing.
        let again = bench
            .goes_to(&request("BYE", "sip:x@198.51.100.1:7", "", ("call", "t")))
            .await;
        assert_eq!(again, Some(address("198.51.100.1:7")));
        assert_eq!(leg.bye_left("far").await, said);
    }
}

#[test]
fn legs_that_are_over_are_forgotten() {
    let bench = Bench::new();
    let hop = NextHop::new(address(ACME), []);
    for n in 0..OVER_MAX + 10 {
        drop(bench.legs.add(format!("call-{n}"), hop.clone(), None));
    }
    let _lives = bench.legs.add("lives".to_owned(), hop, None);
    let state = bench.legs.state();
    assert!(state.legs.len() <= OVER_MAX + 2, "{}", state.legs.len());
    assert!(!state.legs.contains_key("call-0") && state.legs.contains_key("lives"));
    let last = state.over.back().unwrap().0;
    drop(state);
    bench.legs.state().forget_old(last);
    let state = bench.legs.state();
    assert_eq!((state.legs.len(), state.over.len()), (1, 0));
}

/// Keeps what is logged on the test's thread, on which the leg runs too.
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
    /// How many warnings hold these words.
    fn warnings(&self, words: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let is_one = |line: &&str| line.contains("WARN") && line.contains(words);
        text.lines().filter(is_one).count()
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).unwrap()
}

/// A trunk to a far side, and the stack that has it.
async fn stack_to(far: &tokio::net::UdpSocket) -> (RsipStack, TrunkConfig) {
    let proxy = far.local_addr().unwrap();
    let peer = Peer {
        place: Arc::new(Whereabouts::new(proxy.into())),
        others: Vec::new(),
    };
    let stack = RsipStack::start(address("127.0.0.1:0"), None, &[peer]).await.unwrap();
    let trunk = TrunkConfig {
        name: "test".into(),
        proxy: proxy.into(),
        addresses: Vec::new(),
        domain: "trunk.test".into(),
        username: None,
        password: None,
        caller_number: number("+864008000001"),
        channels: 1,
        inbound_channels: Some(0),
        believe_from: false,
        post_dial_limit_s: None,
        trying_limit_s: None,
        number_plan: None,
    };
    (stack, trunk)
}

#[tokio::test]
async fn numbers_leave_as_the_plan_of_the_trunk_writes_them() {
    let plan = |written: &str| {
        let plan = serde_json::json!({"country_code": "86", "trunk_prefix": "0", "written": written});
        Some(serde_json::from_value(plan).unwrap())
    };
    for (number_plan, own, owner) in [
        (None, "+864008000001", "+8613800008412"),
        (plan("e164"), "+864008000001", "+8613800008412"),
        (plan("without_plus"), "864008000001", "8613800008412"),
        (plan("international"), "00864008000001", "008613800008412"),
        (plan("national"), "04008000001", "013800008412"),
    ] {
        let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (stack, trunk) = stack_to(&far).await;
        let proxy = far.local_addr().unwrap();
        let call = PlaceCall {
            trunk: TrunkConfig { number_plan, ..trunk },
            proxy,
            to: number("+8613800008412"),
            offer: sdp::offer(proxy, 1),
        };
        let _leg = stack.place(call).await.unwrap();
        let mut buffer = vec![0; 65_536];
        let (length, _) = far.recv_from(&mut buffer).await.unwrap();
        let invite = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap();
        let callee = format!("sip:{owner}@trunk.test");
        assert_eq!(line("INVITE "), format!("INVITE {callee} SIP/2.0"));
        assert!(line("To: ").contains(&format!("<{callee}>")), "{invite}");
        assert!(line("From: ").contains(&format!("sip:{own}@trunk.test")), "{invite}");
    }
}

#[tokio::test]
async fn who_hangs_up_hears_that_the_bye_could_not_be_sent() {
    for can_leave in [true, false] {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _log = tracing::subscriber::set_default(lines);
        let far = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (stack, trunk) = stack_to(&far).await;
        let proxy = far.local_addr().unwrap();
        let call = PlaceCall {
            trunk,
            proxy,
            to: number("+8613800008412"),
            offer: sdp::offer(proxy, 1),
        };
        let mut leg = stack.place(call).await.unwrap();
        let mut buffer = vec![0; 65_536];
        let (length, hub) = far.recv_from(&mut buffer).await.unwrap();
        let invite = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap();
        let answer = format!(
            "SIP/2.0 200 OK\r\n{}\r\n{}\r\n{};tag=far\r\n{}\r\n{}\r\nContact: <sip:far@sbc.carrier.example>\r\n\
             Content-Length: 0\r\n\r\n",
            line("Via: "),
            line("From: "),
            line("To: "),
            line("Call-ID: "),
            line("CSeq: "),
        );
        far.send_to(answer.as_bytes(), hub).await.unwrap();
        let answered = async {
            while let Some(event) = leg.events.recv().await {
                if matches!(event, LegEvent::Answered { .. }) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap());
        if !can_leave {
            // To port 0 the system sends nothing.
            for leg in stack.hops.state().legs.values_mut() {
                leg.hop = NextHop::new(address("127.0.0.1:0"), []);
            }
        }
        let said = leg.hang_up().await;
        assert_eq!(said.is_ok(), can_leave, "{said:?}");
        assert_eq!(log.warnings("a BYE could not be sent"), usize::from(!can_leave));
    }
}
