//! A far side that speaks SIP and listens for audio on sockets of its own, message by message. Its tag is `far`.

use super::{TestHost, config, limits, logs, order, trunk};
use hub_core::language::Language;
use hub_voice::media::sdp;
use hub_voice::{CallDetail, Voice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything that is waited for takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// One socket of the far side.
pub struct Wire {
    socket: UdpSocket,
    pub address: SocketAddr,
}

impl Wire {
    pub async fn open() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub async fn at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub async fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    /// The next message that begins with `start`, and who sent it; others are passed over.
    pub async fn next(&self, start: &str) -> (String, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let wanted = async {
            loop {
                let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                if text.starts_with(start) {
                    return (text, from);
                }
            }
        };
        let found = timeout(PATIENCE, wanted).await;
        found.unwrap_or_else(|_| panic!("no message begins with {start:?}"))
    }

    /// Whether anything at all comes within this time.
    pub async fn hears(&self, within: Duration) -> bool {
        let mut buffer = [0; 2_048];
        timeout(within, self.socket.recv_from(&mut buffer)).await.is_ok()
    }

    /// Answers the hub's `invite` and waits for its ACK.
    pub async fn answer(&self, invite: &(String, SocketAddr), lines: &str, body: &str) {
        let answer = reply(&invite.0, "200 OK", &format!("{}{lines}", self.contact()), body);
        self.send(&answer, invite.1).await;
        self.next("ACK ").await;
    }

    /// Sends a request inside the call that the hub's `invite` began, and returns the final answer to it.
    pub async fn asks(
        &self,
        invite: &(String, SocketAddr),
        (method, number): (&str, u32),
        more: (&str, &str),
    ) -> String {
        let request = self.inside(invite, (method, number), more);
        self.send(&request, invite.1).await;
        loop {
            let (answer, _) = self.next("SIP/2.0 ").await;
            let is_it = header(&answer, "CSeq") == Some(format!("{number} {method}").as_str());
            if is_it && !answer.starts_with("SIP/2.0 1") {
                return answer;
            }
        }
    }

    /// A request inside the call that the hub's `invite` began, with these further lines and this body.
    pub fn inside(&self, invite: &(String, SocketAddr), (method, number): (&str, u32), more: (&str, &str)) -> String {
        let of = |name| header(&invite.0, name).unwrap();
        let target = of("Contact").trim_start_matches('<').split('>').next().unwrap();
        let head = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method}{number}\r\nFrom: {};tag=far\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {number} {method}\r\n{}Max-Forwards: 70\r\n{}",
            self.address,
            of("To"),
            of("From"),
            of("Call-ID"),
            self.contact(),
            more.0,
        );
        with_body(&head, more.1)
    }

    /// A call of the far side's to the hub, with these further lines and this body.
    pub fn invite(&self, hub: SocketAddr, (lines, body): (&str, &str)) -> String {
        let head = format!(
            "INVITE sip:+864008000001@{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bKinvite\r\n\
             From: <sip:+8613800008412@{0}>;tag=far\r\nTo: <sip:+864008000001@{hub}>\r\nCall-ID: wire-{0}\r\nCSeq: 1 INVITE\r\n\
             {1}Max-Forwards: 70\r\n{lines}",
            self.address,
            self.contact(),
        );
        with_body(&head, body)
    }

    /// A request that follows the far side's own `invite`: inside the call where the hub's answer gives it a tag.
    pub fn follows(&self, invite: &str, answer: &str, (method, number): (&str, u32), body: &str) -> String {
        let of = |name| header(invite, name).unwrap();
        let target = header(answer, "Contact").unwrap_or("<sip:hub@127.0.0.1>");
        let target = target.trim_start_matches('<').split('>').next().unwrap();
        let head = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method}{number}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {number} {method}\r\nMax-Forwards: 70\r\n",
            self.address,
            of("From"),
            header(answer, "To").unwrap(),
            of("Call-ID"),
        );
        with_body(&head, body)
    }

    fn contact(&self) -> String {
        format!("Contact: <sip:far@{}>\r\n", self.address)
    }

    /// A description of audio at this socket, both codecs and telephone events.
    pub fn described(&self) -> String {
        String::from_utf8(sdp::offer(self.address, 1)).unwrap()
    }
}

/// A head without its end, and a body, which is a session description where there is one.
fn with_body(head: &str, body: &str) -> String {
    let content = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!("{head}{content}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The value of the first header of this name.
pub fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(start.as_str()))
}

/// What stands after the headers.
pub fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").unwrap().1
}

/// An answer of the far side to a request of the hub's, with these further lines and this body. It goes back by every proxy
/// that the request came through.
pub fn reply(request: &str, status: &str, lines: &str, body: &str) -> String {
    let of = |name| header(request, name).unwrap();
    let mut way = String::new();
    for line in request.lines() {
        if line.starts_with("Via: ") || line.starts_with("Record-Route: ") {
            way += line;
            way += "\r\n";
        }
    }
    let to = of("To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=far" };
    let head = format!(
        "SIP/2.0 {status}\r\n{way}From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}",
        of("From"),
        of("Call-ID"),
        of("CSeq"),
    );
    with_body(&head, body)
}

/// A hub that rings over the trunk at `wire`, the call's end, and the INVITE with its sender.
pub async fn rings(wire: &Wire) -> (Arc<Voice>, JoinHandle<CallDetail>, (String, SocketAddr)) {
    logs();
    let voice = Arc::new(Voice::start(config(trunk(wire.address), limits())).await.unwrap());
    let ringing = Arc::clone(&voice);
    let call = tokio::spawn(async move { ringing.ring(order(Language::En), Arc::new(TestHost::default())).await });
    let invite = wire.next("INVITE ").await;
    (voice, call, invite)
}

/// A hub that takes calls from the trunk at `wire`.
pub async fn serves(wire: &Wire) -> (Arc<Voice>, Arc<TestHost>) {
    logs();
    let voice = Arc::new(Voice::start(config(trunk(wire.address), limits())).await.unwrap());
    let host = Arc::new(TestHost {
        takes: Some(order(Language::En)),
        ..TestHost::default()
    });
    let (serving, served) = (Arc::clone(&voice), Arc::clone(&host));
    tokio::spawn(async move { serving.serve_inbound(served, CancellationToken::new()).await });
    (voice, host)
}

/// The record of a call that is over within its limits.
pub async fn over(call: JoinHandle<CallDetail>) -> CallDetail {
    let bounded = timeout(Duration::from_secs(90), call).await;
    bounded.expect("a bounded call").unwrap()
}
