//! A carrier that notes when it is told to ring whom, and declines at once (603): the cheapest there is, so that what is
//! measured is the hub. It speaks as much of SIP over UDP as that takes (RFC 3261). With owners who answer, calls are theirs.

use crate::attack::calls::Calls;
use anyhow::Result;
use std::collections::HashMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A datagram.
const DATAGRAM_BYTES: usize = 65_536;
/// What an answer repeats of a request (§8.2.6.2), long and short.
const REPEATED: [&str; 7] = ["via", "v", "from", "f", "call-id", "i", "cseq"];

/// Our mark of a dialogue.
pub(crate) const TAG: &str = ";tag=bench";

type Rung = Arc<Mutex<HashMap<String, Instant>>>;

/// See the module. It ends when it is dropped.
pub struct Trunk {
    /// Where it listens.
    pub address: SocketAddr,
    rung: Rung,
    serving: JoinHandle<()>,
}

impl Trunk {
    /// Listens on a port of this machine.
    ///
    /// # Errors
    /// None is free.
    pub async fn start() -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        Self::on(socket, None)
    }

    /// One whose owners answer; it listens where `calls` does.
    ///
    /// # Errors
    /// The socket has no address.
    pub(crate) fn answering(calls: &Arc<Calls>) -> Result<Self> {
        Self::on(calls.socket(), Some(calls.clone()))
    }

    fn on(socket: Arc<UdpSocket>, calls: Option<Arc<Calls>>) -> Result<Self> {
        let rung = Rung::default();
        Ok(Self {
            address: socket.local_addr()?,
            rung: rung.clone(),
            serving: tokio::spawn(serve(socket, rung, calls)),
        })
    }

    /// When this number was rung for the first time.
    pub fn rung(&self, number: &str) -> Option<Instant> {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.get(number).copied()
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(socket: Arc<UdpSocket>, rung: Rung, calls: Option<Arc<Calls>>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let now = Instant::now();
        let request = String::from_utf8_lossy(&buffer[..length]);
        if let Some(number) = invited(&request) {
            let mut rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
            // It comes again until it is answered.
            rung.entry(number.to_owned()).or_insert(now);
        }
        let answer = match &calls {
            Some(calls) => calls.take(&request, from).await,
            None => answer(&request),
        };
        if let Some(answer) = answer {
            // One that is lost is asked for again.
            let _ = socket.send_to(answer.as_bytes(), from).await;
        }
    }
}

/// Whom an INVITE is for.
pub(crate) fn invited(request: &str) -> Option<&str> {
    let (_, rest) = request.strip_prefix("INVITE ")?.split_once("sip:")?;
    Some(rest.split_once('@')?.0)
}

/// Declines an INVITE, and takes everything else; to an ACK, or to an answer, nothing is said.
pub(crate) fn answer(request: &str) -> Option<String> {
    let (method, _) = request.split_once(' ')?;
    let status = match method {
        "ACK" | "SIP/2.0" => return None,
        "INVITE" => "603 Decline",
        _ => "200 OK",
    };
    let repeated = repeated(request);
    Some(format!("SIP/2.0 {status}\r\n{repeated}Content-Length: 0\r\n\r\n"))
}

/// What every answer repeats of a request, with our mark of the dialogue.
pub(crate) fn repeated(request: &str) -> String {
    let mut answer = String::new();
    let headers = request.lines().skip(1).take_while(|line| !line.is_empty());
    for header in headers {
        let name = header.split(':').next().unwrap_or_default().trim().to_lowercase();
        // The called side's mark of the dialogue.
        let tag = match name.as_str() {
            "to" | "t" if !header.contains(";tag=") => TAG,
            "to" | "t" => "",
            name if REPEATED.contains(&name) => "",
            _ => continue,
        };
        // Writing to a string does not fail.
        let _ = write!(answer, "{header}{tag}\r\n");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::{answer, invited};

    const INVITE: &str = "INVITE sip:+8613800000007@trunk.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n\
         From: <sip:+862155500100@trunk.test>;tag=a\r\nTo: <sip:+8613800000007@trunk.test>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
         Max-Forwards: 70\r\nContent-Length: 2\r\n\r\nTo: no";

    #[test]
    fn an_invite_is_noted_and_declined() {
        assert_eq!(invited(INVITE), Some("+8613800000007"));
        let declined = "SIP/2.0 603 Decline\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n\
             From: <sip:+862155500100@trunk.test>;tag=a\r\nTo: <sip:+8613800000007@trunk.test>;tag=bench\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(answer(INVITE).as_deref(), Some(declined));
        assert_eq!(
            (invited("OPTIONS sip:x@y"), answer("ACK sip:x@y SIP/2.0\r\n\r\n")),
            (None, None)
        );
    }
}
