//! A telephone network inside the process: scripted answers, real audio over loopback. For unit tests and for programs that want
//! the hub without a trunk.

mod phone;

pub use phone::{FakePhone, FakeSeen};

use super::called::Called;
use super::identity::CallerHeaders;
use super::{CallStack, EVENTS_MAX, InboundLeg, Leg, LegControl, LegEvent, PlaceCall, PlaceError};
use crate::media::{MediaEngine, MediaError, MediaOptions, MediaSession, Negotiated, sdp};
use async_trait::async_trait;
use hub_core::phone_number::PhoneNumber;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where audio comes from that no answer announces.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// How long early media is sent before the answer, and how long it is alone after it.
const EARLY: Duration = Duration::from_millis(300);

/// A network whose phones are scripted, one script for each call in turn.
pub struct FakeTrunk {
    media: MediaEngine,
    phones: Mutex<VecDeque<FakePhone>>,
    seen: Arc<Mutex<Vec<FakeSeen>>>,
    inbound: tokio::sync::Mutex<mpsc::Receiver<InboundLeg>>,
    callers: mpsc::Sender<InboundLeg>,
}

impl FakeTrunk {
    /// A network with these phones.
    pub fn new(phones: impl IntoIterator<Item = FakePhone>) -> Result<Self, MediaError> {
        let (callers, inbound) = mpsc::channel(8);
        Ok(Self {
            media: MediaEngine::start()?,
            phones: Mutex::new(phones.into_iter().collect()),
            seen: Arc::default(),
            inbound: tokio::sync::Mutex::new(inbound),
            callers,
        })
    }

    /// From now on these are the phones that are rung, whatever was planned before.
    pub fn plug_in(&self, phones: impl IntoIterator<Item = FakePhone>) {
        let mut planned = self.phones.lock().unwrap_or_else(PoisonError::into_inner);
        *planned = phones.into_iter().collect();
    }

    /// The calls so far that have ended, in the order of their ends.
    pub fn seen(&self) -> Vec<FakeSeen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a phone ring `called` at the hub, with the number that the trunk asserts; it presses these keys and waits for the hub to hang up.
    pub async fn call_in(
        &self,
        caller: Option<PhoneNumber>,
        called: Option<PhoneNumber>,
        keys: Vec<(Duration, char)>,
    ) -> Result<(), MediaError> {
        let media = self.open(LOCAL)?;
        let offer = sdp::offer(media.local(), 1);
        let (leg, far) = self.leg(media);
        tokio::spawn(far.run_caller(keys));
        let mut headers = CallerHeaders::default();
        let asserted = caller.map_or_else(String::new, |number| format!("<tel:{}>", number.reveal()));
        headers.asserted.push(asserted);
        let call = InboundLeg {
            leg,
            caller: headers,
            called: called.as_ref().map(Called::from),
            offer,
        };
        // Nobody serving means nobody is to be rung.
        let _ = self.callers.send(call).await;
        Ok(())
    }

    fn open(&self, ip: IpAddr) -> Result<MediaSession, MediaError> {
        self.media.open(&MediaOptions {
            ip,
            ports: None,
            echo: true,
            capture_max: 8_000 * 120,
            silence_max: None,
        })
    }

    fn leg(&self, media: MediaSession) -> (Leg, FarSide) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let (commands, received) = mpsc::channel(EVENTS_MAX);
        let ended = CancellationToken::new();
        let seen = Arc::clone(&self.seen);
        let far = FarSide {
            media,
            events,
            commands: received,
            ended: ended.clone(),
            seen,
            note: FakeSeen::default(),
            beside: None,
        };
        let control = FakeControl {
            commands,
            _ended: ended.drop_guard(),
        };
        (
            Leg {
                events: receiver,
                control: Box::new(control),
                peer: LOCAL,
            },
            far,
        )
    }
}

#[async_trait]
impl CallStack for FakeTrunk {
    async fn place(&self, call: PlaceCall) -> Result<Leg, PlaceError> {
        let phone = self.phones.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let phone = phone.ok_or_else(|| PlaceError("the fake trunk has no more phones".into()))?;
        let open = |ip| self.open(ip).map_err(|error| PlaceError(error.to_string()));
        let media = open(LOCAL)?;
        let mut beside = None;
        match (&phone, sdp::understand(&call.offer)) {
            (FakePhone::Mute { .. } | FakePhone::Describes { .. }, _) | (_, Err(_)) => {}
            (FakePhone::MovesAtAnswer { .. } | FakePhone::Elsewhere { .. }, Ok(negotiated)) => {
                let is_elsewhere = matches!(phone, FakePhone::Elsewhere { .. });
                let session = open(if is_elsewhere { ELSEWHERE } else { LOCAL })?;
                session.connect(negotiated);
                beside = Some((session, negotiated));
            }
            (_, Ok(negotiated)) => media.connect(negotiated),
        }
        let (leg, mut far) = self.leg(media);
        far.beside = beside;
        far.note.trunk = call.trunk.name;
        tokio::spawn(far.run(phone));
        Ok(leg)
    }

    async fn next_inbound(&self) -> Option<InboundLeg> {
        self.inbound.lock().await.recv().await
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::new(LOCAL, 5060)
    }

    async fn shutdown(&self) {}
}

/// A description of the phone at `local`, with these media lines.
fn described(local: SocketAddr, lines: &str) -> Vec<u8> {
    let (ip, lines) = (local.ip(), lines.replace("PORT", &local.port().to_string()));
    format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n{lines}").into_bytes()
}

enum Command {
    Cancel,
    Accept(Vec<u8>),
    Reject,
}

struct FakeControl {
    commands: mpsc::Sender<Command>,
    _ended: DropGuard,
}

impl LegControl for FakeControl {
    fn cancel(&self) {
        let _ = self.commands.try_send(Command::Cancel);
    }
    fn ringing(&self) {}
    fn accept(&self, description: Vec<u8>) {
        let _ = self.commands.try_send(Command::Accept(description));
    }
    fn reject(&self, _: u16) {
        let _ = self.commands.try_send(Command::Reject);
    }
}

struct FarSide {
    media: MediaSession,
    events: mpsc::Sender<LegEvent>,
    commands: mpsc::Receiver<Command>,
    ended: CancellationToken,
    seen: Arc<Mutex<Vec<FakeSeen>>>,
    note: FakeSeen,
    /// The audio that comes from where no answer says, and where it goes.
    beside: Option<(MediaSession, Negotiated)>,
}

impl FarSide {
    async fn run(mut self, phone: FakePhone) {
        let ended = self.ended.clone();
        tokio::select! {
            () = ended.cancelled() => self.note.ended_by_hub = true,
            () = self.play(phone) => {}
        }
        self.note_down();
    }

    async fn run_caller(mut self, keys: Vec<(Duration, char)>) {
        let ended = self.ended.clone();
        tokio::select! {
            () = ended.cancelled() => self.note.ended_by_hub = true,
            () = async {
                let Some(Command::Accept(description)) = self.commands.recv().await else { return };
                if let Ok(negotiated) = sdp::understand(&description) {
                    self.media.connect(negotiated);
                }
                self.send(LegEvent::Answered { status: 200, description: Vec::new() }).await;
                self.press(keys).await;
                std::future::pending().await
            } => {}
        }
        self.note_down();
    }

    fn note_down(mut self) {
        self.note.heard = self.media.captured();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(self.note);
    }

    async fn send(&self, event: LegEvent) {
        let _ = self.events.send(event).await;
    }

    async fn play(&mut self, phone: FakePhone) {
        match phone {
            FakePhone::Silence => std::future::pending().await,
            FakePhone::Stuck => {
                self.send(LegEvent::Trying).await;
                self.after_cancel(Some(487)).await;
            }
            FakePhone::RingsLate(after) => {
                self.send(LegEvent::Trying).await;
                tokio::time::sleep(after).await;
                self.send(LegEvent::Ringing(180)).await;
                self.fail(486).await;
            }
            FakePhone::Unreached { status, retry_after_s } => {
                self.send(LegEvent::Failed {
                    status: Some(status),
                    reason: format!("status {status}"),
                    retry_after_s,
                })
                .await;
            }
            FakePhone::Refuses { after, status } => {
                self.send(LegEvent::Ringing(180)).await;
                tokio::time::sleep(after).await;
                self.fail(status).await;
            }
            FakePhone::Rings { after_cancel } => {
                self.send(LegEvent::Ringing(180)).await;
                self.after_cancel(after_cancel).await;
            }
            FakePhone::Answers { after, keys, hangs_up } => {
                self.send(LegEvent::Ringing(180)).await;
                tokio::time::sleep(after).await;
                let description = sdp::offer(self.media.local(), 1);
                self.send(LegEvent::Answered {
                    status: 200,
                    description,
                })
                .await;
                self.press(keys).await;
                match hangs_up {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
                self.send(LegEvent::Ended).await;
            }
            FakePhone::Mute { keys } => {
                self.answer_at_once().await;
                self.signal(keys).await;
                std::future::pending().await
            }
            FakePhone::Elsewhere { keys, hangs_up } => {
                self.answer_at_once().await;
                self.signal(keys).await;
                match hangs_up {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
                self.send(LegEvent::Ended).await;
            }
            FakePhone::Describes { lines, hangs_up } => {
                self.send(LegEvent::Answered {
                    status: 200,
                    description: described(self.media.local(), &lines),
                })
                .await;
                tokio::time::sleep(hangs_up).await;
                self.send(LegEvent::Ended).await;
            }
            FakePhone::MovesAtAnswer { keys } => {
                self.send(LegEvent::Ringing(183)).await;
                tokio::time::sleep(EARLY).await;
                let description = sdp::offer(self.media.local(), 1);
                self.send(LegEvent::Answered {
                    status: 200,
                    description,
                })
                .await;
                tokio::time::sleep(EARLY).await;
                if let Some((_, negotiated)) = &self.beside {
                    self.media.connect(*negotiated);
                }
                self.press(keys).await;
                std::future::pending().await
            }
            FakePhone::Signals { keys, events } => {
                let description = if events {
                    sdp::offer(self.media.local(), 1)
                } else {
                    described(self.media.local(), "m=audio PORT RTP/AVP 8\r\n")
                };
                self.send(LegEvent::Answered {
                    status: 200,
                    description,
                })
                .await;
                for (after, key) in keys {
                    tokio::time::sleep(after).await;
                    self.send(LegEvent::Key(key)).await;
                    if events {
                        self.media.press(key);
                    }
                }
                std::future::pending().await
            }
        }
    }

    async fn answer_at_once(&self) {
        let description = sdp::offer(self.media.local(), 1);
        self.send(LegEvent::Answered {
            status: 200,
            description,
        })
        .await;
    }

    /// Sends keys inside signalling.
    async fn signal(&self, keys: Vec<(Duration, char)>) {
        for (after, key) in keys {
            tokio::time::sleep(after).await;
            self.send(LegEvent::Key(key)).await;
        }
    }

    async fn press(&self, keys: Vec<(Duration, char)>) {
        for (after, key) in keys {
            tokio::time::sleep(after).await;
            self.media.press(key);
        }
    }

    async fn after_cancel(&mut self, status: Option<u16>) {
        while let Some(command) = self.commands.recv().await {
            if matches!(command, Command::Cancel) {
                self.note.cancelled = true;
                break;
            }
        }
        match status {
            Some(status) => self.fail(status).await,
            None => std::future::pending().await,
        }
    }

    async fn fail(&self, status: u16) {
        self.send(LegEvent::Failed {
            status: Some(status),
            reason: format!("status {status}"),
            retry_after_s: None,
        })
        .await;
    }
}
