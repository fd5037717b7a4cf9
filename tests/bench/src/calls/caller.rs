//! A phone that rings, from its INVITE to the end of the call: the same for the hub and for whom it is compared with. Each call
//! has a socket of its own. Only as much of SIP over UDP as that takes (RFC 3261).

use crate::attack::message::{address_of, header, media};
use crate::steady::trunk;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// A datagram.
const DATAGRAM_BYTES: usize = 65_536;
/// A request that is not answered is sent again after this, then after twice that, and so on (T1).
const AGAIN: Duration = Duration::from_millis(500);
/// Branches of the requests of a call: an INVITE shares its own with its CANCEL, and with the ACK of a refusal.
const INVITE: &str = "i";
const ACK: &str = "a";
const BYE: &str = "b";

/// One call.
pub(super) struct Call {
    socket: UdpSocket,
    peer: SocketAddr,
    local: SocketAddr,
    id: String,
    from: String,
    to: String,
    /// Where the next request goes, as a SIP address.
    target: String,
}

/// What came of ringing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    /// The call is up; there the far side wants its audio.
    Up(SocketAddr),
    /// Refused with this status; 487 after it was given up.
    Refused(u16),
    /// Nothing final came in time.
    Unanswered,
}

impl Call {
    /// A call of this number to that one. `from` and `called` are what a SIP address has before its `@`.
    ///
    /// # Errors
    /// The machine gives no socket.
    pub async fn new(peer: SocketAddr, from: &str, called: &str) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(peer).await?;
        let local = socket.local_addr()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            socket,
            peer,
            local,
            id: format!("calls-{number}"),
            from: format!("<sip:{from}@{local}>;tag=c{number}"),
            to: format!("<sip:{called}@{peer}>"),
            target: format!("sip:{called}@{peer}"),
        })
    }

    /// Rings, with audio at this port. One that `gives_up` cancels at the first sign that the call is worked on.
    ///
    /// # Errors
    /// An answer cannot be used.
    pub async fn ring(&mut self, media_port: u16, gives_up: bool, patience: Duration) -> Result<Rung> {
        let invite = self.request("INVITE", INVITE, 1, &self.offer(media_port));
        let cancel = self.request("CANCEL", INVITE, 1, "");
        let until = Instant::now() + patience;
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let (mut waiting, mut pause) = (Some(&invite), AGAIN);
        let (mut next, mut given_up) = (Instant::now() + pause, false);
        self.send(&invite).await;
        loop {
            let length = match timeout_at(next.min(until), self.socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => length,
                // Nobody listens there yet.
                Ok(Err(_)) => continue,
                Err(_) if Instant::now() >= until => return Ok(Rung::Unanswered),
                Err(_) => {
                    if let Some(request) = waiting {
                        self.send(request).await;
                    }
                    pause *= 2;
                    next = Instant::now() + pause;
                    continue;
                }
            };
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            match status(&answer) {
                Some((100..=199, "INVITE")) if gives_up && !given_up => {
                    given_up = true;
                    (waiting, pause) = (Some(&cancel), AGAIN);
                    next = Instant::now() + pause;
                    self.send(&cancel).await;
                }
                Some((100..=199, "INVITE")) if !given_up => waiting = None,
                Some((200..=299, "INVITE")) => {
                    self.tag(&answer)?;
                    self.target = header(&answer, "contact", "m")
                        .map(address_of)
                        .context("a 200 without a Contact")?;
                    self.acknowledge().await;
                    let (there, _) = media(&answer).with_context(|| format!("a 200 without audio: {answer}"))?;
                    return Ok(Rung::Up(there));
                }
                Some((status @ 300.., "INVITE")) => {
                    self.tag(&answer)?;
                    self.send(&self.request("ACK", INVITE, 1, "")).await;
                    return Ok(Rung::Refused(status));
                }
                Some((200.., "CANCEL")) => waiting = None,
                _ => {}
            }
        }
    }

    /// Stays in the call until it is enough; whether the far side ended it before.
    ///
    /// # Errors
    /// The socket gives an error.
    pub async fn stay(&self, enough: impl Future<Output = ()>) -> Result<bool> {
        tokio::pin!(enough);
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let length = tokio::select! {
                () = &mut enough => return Ok(false),
                received = self.socket.recv(&mut buffer) => received?,
            };
            if self.take(&String::from_utf8_lossy(&buffer[..length])).await {
                return Ok(true);
            }
        }
    }

    /// Ends the call; whether the far side has taken that in time.
    pub async fn hang_up(&self, patience: Duration) -> bool {
        let bye = self.request("BYE", BYE, 2, "");
        let until = Instant::now() + patience;
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let mut next = Instant::now();
        while Instant::now() < until {
            if Instant::now() >= next {
                self.send(&bye).await;
                next = Instant::now() + AGAIN;
            }
            let Ok(Ok(length)) = timeout_at(next.min(until), self.socket.recv(&mut buffer)).await else {
                continue;
            };
            let message = String::from_utf8_lossy(&buffer[..length]);
            if matches!(status(&message), Some((200.., "BYE"))) {
                return true;
            }
            self.take(&message).await;
        }
        false
    }

    /// Answers what comes while the call is up; whether that ends it.
    async fn take(&self, message: &str) -> bool {
        match status(message) {
            // Our ACK was lost.
            Some((200..=299, "INVITE")) => self.acknowledge().await,
            Some(_) => {}
            None => {
                if let Some(answer) = trunk::answer(message) {
                    self.send(&answer).await;
                }
            }
        }
        message.starts_with("BYE ")
    }

    async fn acknowledge(&self) {
        self.send(&self.request("ACK", ACK, 1, "")).await;
    }

    /// Takes over the far side's mark of the dialogue.
    fn tag(&mut self, answer: &str) -> Result<()> {
        let to = header(answer, "to", "t").context("an answer without To")?;
        self.to = to.to_owned();
        Ok(())
    }

    async fn send(&self, message: &str) {
        // One that is lost is sent again, or asked for again.
        let _ = self.socket.send(message.as_bytes()).await;
    }

    fn request(&self, method: &str, branch: &str, number: u32, body: &str) -> String {
        let Self {
            peer,
            local,
            id,
            from,
            to,
            target,
            ..
        } = self;
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let length = body.len();
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port}{id}{branch}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}@{peer}\r\nCSeq: {number} {method}\r\nContact: <sip:phone@{local}>\r\n\
             {kind}Content-Length: {length}\r\n\r\n{body}",
            port = local.port()
        )
    }

    /// A-law audio at this port (RFC 3551), both ways.
    fn offer(&self, port: u16) -> String {
        let ip = self.local.ip();
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )
    }
}

/// An answer's status, and the method that it answers.
fn status(message: &str) -> Option<(u16, &str)> {
    let status = message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    let method = header(message, "cseq", "cseq")?.split_whitespace().nth(1)?;
    Some((status, method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steady::trunk::repeated;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// The next message, and where it came from.
    async fn next(far: &UdpSocket) -> (String, SocketAddr) {
        let mut buffer = [0; 4_096];
        let (length, from) = far.recv_from(&mut buffer).await.unwrap();
        (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
    }

    fn method(message: &str) -> &str {
        message.split(' ').next().unwrap_or_default()
    }

    async fn say(far: &UdpSocket, to: SocketAddr, request: &str, status: &str, rest: &str) {
        let answer = format!("SIP/2.0 {status}\r\n{}{rest}", repeated(request));
        far.send_to(answer.as_bytes(), to).await.unwrap();
    }

    #[tokio::test]
    async fn a_call_is_acknowledged_and_ended_where_the_answer_says() {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut call = Call::new(far.local_addr().unwrap(), "+861", "+862").await.unwrap();
        let answers = async {
            let (invite, from) = next(&far).await;
            assert!(invite.contains("\r\nm=audio 4000 RTP/AVP 8 101\r\n"), "{invite}");
            let rest = "Contact: <sip:there@127.0.0.1:9>\r\nContent-Length: 60\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 5000 RTP/AVP 8\r\n";
            say(&far, from, &invite, "200 OK", rest).await;
            let (ack, _) = next(&far).await;
            assert!(ack.starts_with("ACK sip:there@127.0.0.1:9 SIP/2.0\r\n"), "{ack}");
            assert!(ack.contains(";tag=bench\r\n"), "{ack}");
            let (bye, from) = next(&far).await;
            assert!(bye.contains("\r\nCSeq: 2 BYE\r\n"), "{bye}");
            say(&far, from, &bye, "200 OK", "Content-Length: 0\r\n\r\n").await;
        };
        let calls = async {
            let rung = call.ring(4_000, false, PATIENCE).await.unwrap();
            assert_eq!(rung, Rung::Up(SocketAddr::from((Ipv4Addr::LOCALHOST, 5_000))));
            assert!(call.hang_up(PATIENCE).await);
        };
        tokio::join!(answers, calls);
    }

    #[tokio::test]
    async fn a_call_is_given_up_once_it_is_worked_on() {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut call = Call::new(far.local_addr().unwrap(), "+861", "+862").await.unwrap();
        let answers = async {
            let (invite, from) = next(&far).await;
            say(&far, from, &invite, "100 Trying", "Content-Length: 0\r\n\r\n").await;
            let (cancel, _) = next(&far).await;
            assert_eq!(method(&cancel), "CANCEL", "{cancel}");
            say(&far, from, &cancel, "200 OK", "Content-Length: 0\r\n\r\n").await;
            say(
                &far,
                from,
                &invite,
                "487 Request Terminated",
                "Content-Length: 0\r\n\r\n",
            )
            .await;
            assert_eq!(method(&next(&far).await.0), "ACK");
        };
        let (rung, ()) = tokio::join!(call.ring(4_000, true, PATIENCE), answers);
        assert_eq!(rung.unwrap(), Rung::Refused(487));
    }

    #[tokio::test]
    async fn the_far_side_may_end_it_and_nobody_has_to_answer() {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut call = Call::new(far.local_addr().unwrap(), "+861", "+862").await.unwrap();
        let rung = call.ring(4_000, false, Duration::from_millis(50)).await.unwrap();
        assert_eq!(rung, Rung::Unanswered);
        let (invite, from) = next(&far).await;
        let bye = invite.replace("INVITE", "BYE");
        far.send_to(bye.as_bytes(), from).await.unwrap();
        assert!(call.stay(std::future::pending()).await.unwrap());
        assert!(next(&far).await.0.starts_with("SIP/2.0 200 OK\r\n"));
    }
}
