//! The number that was called decides whose a call is: in whatever form a carrier writes it, and nobody's if it is not ours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, config_of, eventually, limits, logs, number, trunk};
use hub_voice::{TrunkConfig, Voice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_call_for_a_number_that_is_not_ours_is_nobodys() {
    let voice = TestVoice::fake([], limits());
    let host = Arc::new(TestHost::default());
    voice.serve(host.clone());
    for called in [None, Some(number("+8613900000000"))] {
        let calls = voice.stack.seen().len();
        voice.stack.call_in(None, called, vec![]).await.unwrap();
        eventually("it is refused", || (voice.stack.seen().len() > calls).then_some(())).await;
    }
    assert!(host.trunks.lock().unwrap().is_empty(), "nobody is asked");
    assert_eq!(voice.voice.free_channels(), 4);
}

/// A carrier that serves two companies.
struct Carrier {
    socket: UdpSocket,
    hub: SocketAddr,
}

impl Carrier {
    fn request(&self, method: &str, id: &str, uri: &str, to: &str) -> String {
        let local = self.socket.local_addr().unwrap();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:+8613800008412@{local}>;tag={id}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:trunk@{local}>\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// The final answer to a call, which is acknowledged.
    async fn call(&self, id: &str, uri: &str, to: &str) -> u16 {
        let invite = self.request("INVITE", id, uri, to);
        self.socket.send_to(invite.as_bytes(), self.hub).await.unwrap();
        let mut buffer = vec![0; 65_536];
        loop {
            let received = tokio::time::timeout(Duration::from_secs(30), self.socket.recv(&mut buffer)).await;
            let length = received.expect("an answer in time").unwrap();
            let answer = String::from_utf8(buffer[..length].to_vec()).unwrap();
            let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
            if header("Call-ID: ") != id || status < 200 {
                continue;
            }
            let ack = self.request("ACK", id, uri, header("To: "));
            self.socket.send_to(ack.as_bytes(), self.hub).await.unwrap();
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_number_in_any_form_finds_its_company_over_the_wire() {
    logs();
    let company = |name: &str, caller_number| TrunkConfig {
        name: name.into(),
        caller_number: number(caller_number),
        channels: 64,
        ..trunk("127.0.0.1:9".parse().unwrap())
    };
    let trunks = vec![company("acme", "+862155500100"), company("beta", "+862155500200")];
    let voice = Arc::new(Voice::start(config_of(trunks, limits())).await.unwrap());
    let host = Arc::new(TestHost::default());
    let (serving, served) = (Arc::clone(&voice), host.clone());
    tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
    let carrier = Carrier {
        socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        hub: voice.local(),
    };
    let hub = voice.local();
    let by_name = "<sip:hub@trunk.test>";
    let rows = [
        (format!("sip:+862155500200@{hub}"), by_name, Some("beta")),
        (format!("sip:+862155500100@{hub}"), by_name, Some("acme")),
        (format!("sip:862155500200@{hub}"), by_name, Some("beta")),
        (format!("sip:00862155500200@{hub}"), by_name, Some("beta")),
        (format!("sip:02155500200@{hub}"), by_name, Some("beta")),
        (format!("sip:021-5550-0200@{hub};user=phone"), by_name, Some("beta")),
        (format!("sip:2155500200@{hub}"), by_name, Some("beta")),
        (format!("sip:55500200@{hub}"), by_name, Some("beta")),
        (format!("sip:+862155500200;cpc=ordinary@{hub}"), by_name, Some("beta")),
        (format!("sip:%2B862155500200@{hub}"), by_name, Some("beta")),
        ("tel:+862155500200".to_owned(), by_name, Some("beta")),
        ("tel:02155500200;phone-context=+86".to_owned(), by_name, Some("beta")),
        (
            format!("sip:hub@{hub}"),
            "\"Beta\" <sip:02155500200@trunk.test>",
            Some("beta"),
        ),
        (format!("sip:{hub}"), "<tel:+862155500200>", Some("beta")),
        // Whatever To says, this is another number.
        (format!("sip:02155500300@{hub}"), "<sip:+862155500200@trunk.test>", None),
        (format!("sip:+8613900000000@{hub}"), by_name, None),
        (format!("sip:200@{hub}"), by_name, None),
        (format!("sip:hub@{hub}"), by_name, None),
        (format!("sip:{hub}"), by_name, None),
    ];
    for (n, (uri, to, company)) in rows.iter().enumerate() {
        let asked = host.trunks.lock().unwrap().len();
        let status = carrier.call(&format!("call-{n}"), uri, to).await;
        // The host declines whatever it is asked about.
        assert_eq!(status, if company.is_some() { 603 } else { 404 }, "{uri} {to}");
        let trunks = host.trunks.lock().unwrap().split_off(asked);
        assert_eq!(
            trunks,
            company.map(str::to_owned).into_iter().collect::<Vec<_>>(),
            "{uri} {to}"
        );
    }
    voice.shutdown().await;
}
