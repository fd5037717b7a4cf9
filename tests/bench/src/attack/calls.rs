//! Owners who answer, listen and say nothing, as the far side of a trunk: so that a call is up while the hub is attacked, its
//! audio is counted, and its owner can hang up. Only as much of SIP, SDP and RTP as that takes (RFC 3261, 4566, 3550).

use crate::steady::trunk::{TAG, answer, invited, repeated};
use anyhow::Result;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// A packet of audio, either way.
const PACKET_EVERY: Duration = Duration::from_millis(20);
/// Header of an RTP packet (§5.1).
const RTP_HEADER_BYTES: usize = 12;
/// Samples of 20 ms.
const SAMPLES: usize = 160;
/// Codecs that are taken: G.711, by payload type, with the byte that is silence in each.
const CODECS: [(u8, u8); 2] = [(8, 0xD5), (0, 0xFF)];
/// A request that is not answered is sent again, as over UDP it must be (T1).
const AGAIN: Duration = Duration::from_millis(500);

/// See the module. All calls of one carrier.
pub struct Calls {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    all: Mutex<HashMap<String, Call>>,
    /// Requests of ours that wait for a final answer, by Call-ID and method.
    asked: Mutex<HashMap<String, oneshot::Sender<()>>>,
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

/// What was heard since it was last asked.
#[derive(Debug, Clone, Copy)]
struct Audio {
    since: Instant,
    last: Instant,
    packets: u64,
    longest_gap: Duration,
}

/// What the owners of some calls have heard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    /// Calls.
    pub calls: usize,
    /// Of these, the hub has ended so many meanwhile.
    pub ended: usize,
    /// Longest time without a packet, of all of them.
    pub longest_gap: Duration,
    /// Packets that came, as a share of one each 20 ms.
    pub share: f64,
}

impl Audio {
    fn begin(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            packets: 0,
            longest_gap: Duration::ZERO,
        }
    }

    fn note(&mut self, now: Instant) {
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(self.last));
        self.last = now;
        self.packets += 1;
    }
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
                Ok(Ok(())) => break Some(begun.elapsed()),
                Ok(Err(_)) => break None,
                Err(_) if begun.elapsed() >= patience => break None,
                Err(_) => {}
            }
        };
        self.asked().remove(&key);
        answered
    }

    /// Any final answer says that it was taken.
    fn answered(&self, answer: &str, id: &str) {
        let status: Option<u16> = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let method = header(answer, "cseq", "cseq").and_then(|cseq| cseq.split_whitespace().nth(1));
        let (Some(200..), Some(method)) = (status, method) else {
            return;
        };
        let told = self.asked().remove(&format!("{id} {method}"));
        // Nobody waits any more: too late.
        let _ = told.map(|told| told.send(()));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn audio(audio: &Mutex<Audio>) -> MutexGuard<'_, Audio> {
    audio.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends silence and counts what is heard, until it is ended from outside.
async fn talk(socket: UdpSocket, hub: SocketAddr, payload_type: u8, silence: u8, heard: Arc<Mutex<Audio>>) {
    let mut packet = [silence; RTP_HEADER_BYTES + SAMPLES];
    let mut buffer = [0; 2_048];
    let mut ticks = interval(PACKET_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sequence, mut samples) = (0u16, 0u32);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                packet[0] = 0x80;
                packet[1] = payload_type;
                packet[2..4].copy_from_slice(&sequence.to_be_bytes());
                packet[4..8].copy_from_slice(&samples.to_be_bytes());
                packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
                (sequence, samples) = (sequence.wrapping_add(1), samples.wrapping_add(SAMPLES as u32));
                // The next one may arrive.
                let _ = socket.send_to(&packet, hub).await;
            }
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received && from == hub && length > RTP_HEADER_BYTES {
                    audio(&heard).note(Instant::now());
                }
            }
        }
    }
}

/// Where the offer wants audio, and the first of our codecs that it has.
pub(crate) fn media(invite: &str) -> Option<(SocketAddr, (u8, u8))> {
    let (_, sdp) = invite.split_once("\r\n\r\n")?;
    let line = |prefix: &str| sdp.lines().find_map(|line| line.strip_prefix(prefix));
    let ip: IpAddr = line("c=IN IP4 ")?.trim().parse().ok()?;
    let mut words = line("m=audio ")?.split_whitespace();
    let port: u16 = words.next()?.parse().ok()?;
    let codec = words
        .skip(1)
        .filter_map(|offered| offered.parse::<u8>().ok())
        .find_map(|offered| CODECS.into_iter().find(|(payload_type, _)| *payload_type == offered))?;
    Some((SocketAddr::new(ip, port), codec))
}

/// The value of a header, by its long or its short name.
pub(crate) fn header<'a>(message: &'a str, long: &str, short: &str) -> Option<&'a str> {
    let headers = message.lines().skip(1).take_while(|line| !line.is_empty());
    headers
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| {
            let name = name.trim();
            name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short)
        })
        .map(|(_, value)| value.trim())
}

/// The address in a Contact.
pub(crate) fn address_of(contact: &str) -> String {
    let inner = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let plain = contact.split(';').next().unwrap_or(contact);
    inner.map_or(plain, |(address, _)| address).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+8613800000007@trunk.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n\
         From: <sip:+862155500100@trunk.test>;tag=a\r\nTo: <sip:+8613800000007@trunk.test>\r\ni: c1\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:hub@127.0.0.1:5062>;x\r\nContent-Length: 99\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\n\
         m=audio 40000 RTP/AVP 0 8 101\r\n";

    #[test]
    fn an_offer_is_read() {
        assert_eq!(
            media(INVITE),
            Some((SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)), (0, 0xFF)))
        );
        assert_eq!(header(INVITE, "call-id", "i"), Some("c1"));
        assert_eq!(
            header(INVITE, "contact", "m").map(address_of).as_deref(),
            Some("sip:hub@127.0.0.1:5062")
        );
    }

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
}
