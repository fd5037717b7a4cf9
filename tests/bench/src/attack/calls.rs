//! Owners who answer, listen and say nothing, as the far side of a trunk: so that a call is up while the hub is attacked, its
//! audio is counted, and its owner can hang up. Only as much of SIP, SDP and RTP as that takes (RFC 3261, 4566, 3550).

use super::audio::{Audio, PACKET_EVERY, audio, talk};
use super::message::{address_of, header, media};
use crate::steady::trunk::{TAG, answer, invited, repeated};
use anyhow::Result;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A request that is not answered is sent again, as over UDP it must be (T1).
const AGAIN: Duration = Duration::from_millis(500);

/// The answer that says that a request was taken: 481 or 503 to a BYE leaves a call up that its owner has ended.
const TAKEN: u16 = 200;

/// See the module. All calls of one carrier.
pub struct Calls {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    all: Mutex<HashMap<String, Call>>,
    /// Requests of ours that wait for a final answer, by Call-ID and method; each is told its status.
    asked: Mutex<HashMap<String, oneshot::Sender<u16>>>,
}

struct Call {
    number: String,
    /// Our answer, for an INVITE that comes again.
    answer: String,
    /// What ends it from our side, and where that is sent.
    bye: String,
    hub: SocketAddr,
    acknowledged: bool,
    ended: Option<Instant>,
    audio: Arc<Mutex<Audio>>,
    talking: JoinHandle<()>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.talking.abort();
    }
}

/// What the owners of some calls have heard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    /// Calls.
    pub calls: usize,
    /// Of these, so many were ended meanwhile, by the hub or by their owner.
    pub ended: usize,
    /// Longest time without a packet, of all of them.
    pub longest_gap: Duration,
    /// Packets that came, as a share of one each 20 ms.
    pub share: f64,
}

impl Calls {
    /// None yet, on a port of this machine.
    ///
    /// # Errors
    /// None is free.
    pub async fn open() -> Result<Arc<Self>> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        Ok(Arc::new(Self {
            local: socket.local_addr()?,
            socket,
            all: Mutex::default(),
            asked: Mutex::default(),
        }))
    }

    /// The carrier's socket.
    pub(crate) fn socket(&self) -> Arc<UdpSocket> {
        self.socket.clone()
    }

    /// Where it is.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes what has come to the carrier; what it answers.
    pub(crate) async fn take(&self, message: &str, from: SocketAddr) -> Option<String> {
        let (method, _) = message.split_once(' ')?;
        let id = header(message, "call-id", "i")?;
        match method {
            "SIP/2.0" => {
                self.answered(message, id);
                None
            }
            "INVITE" => {
                let known = self.all().get(id).map(|call| call.answer.clone());
                match known {
                    Some(answer) => Some(answer),
                    None => self.pick_up(message, id, from).await,
                }
            }
            "ACK" => {
                if let Some(call) = self.all().get_mut(id) {
                    call.acknowledged = true;
                }
                None
            }
            "BYE" => {
                if let Some(call) = self.all().get_mut(id) {
                    call.ended.get_or_insert_with(Instant::now);
                    call.talking.abort();
                }
                answer(message)
            }
            _ => answer(message),
        }
    }

    async fn pick_up(&self, invite: &str, id: &str, from: SocketAddr) -> Option<String> {
        let (media, (payload_type, silence)) = media(invite)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
        let port = socket.local_addr().ok()?.port();
        let local = self.local;
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\na=sendrecv\r\n",
            ip = local.ip()
        );
        let repeated = repeated(invite);
        let answer = format!(
            "SIP/2.0 200 OK\r\n{repeated}Contact: <sip:{local}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        let contact = header(invite, "contact", "m").map_or_else(|| format!("sip:{from}"), address_of);
        let (called, caller) = (header(invite, "to", "t")?, header(invite, "from", "f")?);
        let bye = format!(
            "BYE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKbye{port}\r\nMax-Forwards: 70\r\n\
             From: {called}{TAG}\r\nTo: {caller}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        let audio = Arc::new(Mutex::new(Audio::begin(Instant::now())));
        let call = Call {
            number: invited(invite)?.to_owned(),
            answer: answer.clone(),
            bye,
            hub: from,
            acknowledged: false,
            ended: None,
            audio: audio.clone(),
            talking: tokio::spawn(talk(socket, media, payload_type, silence, audio)),
        };
        self.all().insert(id.to_owned(), call);
        Some(answer)
    }

    /// How many of these numbers have a call that is up and of which a packet was heard.
    pub fn up(&self, numbers: &[String]) -> usize {
        let all = self.all();
        let is_up = |call: &&Call| {
            call.acknowledged
                && call.ended.is_none()
                && audio(&call.audio).packets > 0
                && numbers.contains(&call.number)
        };
        all.values().filter(is_up).count()
    }

    /// Counts what the calls that are up hear from now on.
    pub fn listen(&self) {
        let now = Instant::now();
        for call in self.all().values() {
            *audio(&call.audio) = Audio::begin(now);
        }
    }

    /// What the calls of these numbers have heard since [`Calls::listen`]; of one that has ended since then, up to its end.
    pub fn heard(&self, numbers: &[String]) -> Heard {
        let now = Instant::now();
        let (mut heard, mut packets, mut seconds) = (Heard::default(), 0, 0.0);
        let all = self.all();
        for call in all.values().filter(|call| numbers.contains(&call.number)) {
            let audio = *audio(&call.audio);
            let until = call.ended.unwrap_or(now);
            if until <= audio.since {
                continue;
            }
            heard.calls += 1;
            heard.ended += usize::from(call.ended.is_some());
            let silent = until.saturating_duration_since(audio.last);
            heard.longest_gap = heard.longest_gap.max(audio.longest_gap).max(silent);
            packets += audio.packets;
            seconds += (until - audio.since).as_secs_f64();
        }
        heard.share = packets as f64 * PACKET_EVERY.as_secs_f64() / seconds;
        heard
    }

    /// The owner of this number hangs up; after how long the hub said that it has taken that, if it did in time.
    pub async fn hang_up(&self, number: &str, patience: Duration) -> Option<Duration> {
        let (id, bye, hub) = {
            let all = self.all();
            let (id, call) = all
                .iter()
                .find(|(_, call)| call.number == number && call.ended.is_none())?;
            (id.clone(), call.bye.clone(), call.hub)
        };
        let taken = self.ask(&id, "BYE", &bye, hub, patience).await;
        if let Some(call) = self.all().get_mut(&id) {
            call.ended.get_or_insert_with(Instant::now);
            call.talking.abort();
        }
        taken
    }

    /// Asks the hub whether it is there; after how long it answered, if it did in time. `number` tells questions apart.
    pub async fn options(&self, hub: SocketAddr, number: usize, patience: Duration) -> Option<Duration> {
        let (local, id) = (self.local, format!("options-{number}"));
        let options = format!(
            "OPTIONS sip:{hub} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:carrier@{local}>{TAG}\r\nTo: <sip:{hub}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        self.ask(&id, "OPTIONS", &options, hub, patience).await
    }

    async fn ask(
        &self,
        id: &str,
        method: &str,
        request: &str,
        hub: SocketAddr,
        patience: Duration,
    ) -> Option<Duration> {
        let key = format!("{id} {method}");
        let (told, mut answered) = oneshot::channel();
        self.asked().insert(key.clone(), told);
        let begun = Instant::now();
        let answered = loop {
            // One that is lost is sent again.
            let _ = self.socket.send_to(request.as_bytes(), hub).await;
            let left = patience.saturating_sub(begun.elapsed());
            match timeout(AGAIN.min(left), &mut answered).await {
                Ok(Ok(TAKEN)) => break Some(begun.elapsed()),
                Ok(Ok(status)) => {
                    println!("  {method} was answered {status}");
                    break None;
                }
                Ok(Err(_)) => break None,
                Err(_) if begun.elapsed() >= patience => break None,
                Err(_) => {}
            }
        };
        self.asked().remove(&key);
        answered
    }

    /// Hands on the status of a final answer.
    fn answered(&self, answer: &str, id: &str) {
        let status: Option<u16> = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let method = header(answer, "cseq", "cseq").and_then(|cseq| cseq.split_whitespace().nth(1));
        let (Some(status @ 200..), Some(method)) = (status, method) else {
            return;
        };
        let told = self.asked().remove(&format!("{id} {method}"));
        // Nobody waits any more: too late.
        let _ = told.map(|told| told.send(status));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<u16>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::INVITE;
    use super::*;

    #[tokio::test]
    async fn a_call_is_answered_once_counted_and_ended() {
        let calls = Calls::open().await.unwrap();
        let hub = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let from = hub.local_addr().unwrap();
        let answer = calls.take(INVITE, from).await.unwrap();
        assert!(
            answer.starts_with("SIP/2.0 200 OK\r\n") && answer.contains(";tag=bench\r\n"),
            "{answer}"
        );
        assert_eq!(calls.take(INVITE, from).await.as_deref(), Some(answer.as_str()));
        let numbers = ["+8613800000007".to_owned()];
        assert_eq!(calls.up(&numbers), 0, "nothing was heard yet");
        calls.listen();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let heard = calls.heard(&numbers);
        assert_eq!((heard.calls, heard.ended), (1, 0));
        assert!(heard.longest_gap >= Duration::from_millis(5), "{heard:?}");
        let patience = Duration::from_millis(100);
        assert_eq!(calls.hang_up(&numbers[0], patience).await, None, "nobody answers");
        let mut buffer = [0; 2_048];
        let length = hub.recv(&mut buffer).await.unwrap();
        let bye = String::from_utf8_lossy(&buffer[..length]);
        assert!(bye.starts_with("BYE sip:hub@127.0.0.1:5062 SIP/2.0\r\n"), "{bye}");
        assert!(
            bye.contains("\r\nFrom: <sip:+8613800000007@trunk.test>;tag=bench\r\n"),
            "{bye}"
        );
        assert_eq!(calls.hang_up(&numbers[0], patience).await, None, "it is over");
    }

    #[tokio::test]
    async fn only_200_says_that_a_question_was_taken() {
        let calls = Calls::open().await.unwrap();
        let hub = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = hub.local_addr().unwrap();
        let finals = [("200 OK", true), ("481 No Such Call", false), ("503 Busy", false)];
        for (number, (last, is_taken)) in finals.into_iter().enumerate() {
            let id = format!("\r\nCall-ID: options-{number}\r\n");
            let answers = async {
                let mut buffer = [0; 2_048];
                let (options, from) = loop {
                    let (length, from) = hub.recv_from(&mut buffer).await.unwrap();
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    // One of the question before may have been sent again.
                    if text.contains(&id) {
                        break (text, from);
                    }
                };
                for status in ["100 Trying", last] {
                    let answer = format!("SIP/2.0 {status}\r\n{}Content-Length: 0\r\n\r\n", repeated(&options));
                    assert_eq!(calls.take(&answer, from).await, None);
                }
            };
            let (taken, ()) = tokio::join!(calls.options(to, number, Duration::from_secs(20)), answers);
            assert_eq!(taken.is_some(), is_taken, "{last}");
        }
    }
}
