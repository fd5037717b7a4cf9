use super::*;

/// Notes what is sent.
#[derive(Default)]
struct Wire(Mutex<Vec<(String, SocketAddr)>>);

#[async_trait]
impl UdpSocket for Wire {
    async fn recv_from(&self, _: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        std::future::pending().await
    }

    async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> rsipstack::Result<usize> {
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
        ("BYE", "sip:x@198.51.100.1:5090;transport=tcp", "", acme, "198.51.100.1:5090"),
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
        assert_eq!(bench.goes_to(&text).await, Some(address("198.51.100.1:5080")), "{method}");
    }
}

#[tokio::test]
async fn answers_go_where_they_are_sent() {
    let bench = Bench::new();
    let _leg = bench.legs.add("call".to_owned(), NextHop::new(address(ACME), []), None);
    let answer = request("BYE", INVITED, "", ("call", "t")).replacen(&format!("BYE {INVITED} SIP/2.0"), "SIP/2.0 200 OK", 1);
    for text in [answer.as_str(), "\r\n"] {
        assert_eq!(bench.goes_to(text).await, Some(NOWHERE), "{text}");
    }
}

#[tokio::test]
async fn a_request_without_a_leg_does_not_leave() {
    let bench = Bench::new();
    let over = bench.legs.add("over".to_owned(), NextHop::new(address(ACME), []), None);
    let forgotten = bench.legs.add("forgotten".to_owned(), NextHop::new(address(ACME), []), None);
    drop(over);
    forgotten.forget();
    // Whoever has rung off may still be sent a CANCEL or a BYE.
    for (id, to) in [("over", Some(address(ACME))), ("forgotten", None), ("never", None)] {
        assert_eq!(bench.goes_to(&request("BYE", INVITED, "", (id, "t"))).await, to, "{id}");
    }
    assert!(bench.wire.0.lock().unwrap().is_empty());
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
