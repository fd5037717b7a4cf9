//! A telephone that a person plays at a terminal. It is the far side of a trunk too: any number rings it, one call at a time. It is
//! for trying a hub on the same machine, so it listens on loopback only and asks for no password.

use crate::phone::{CALL_MAX, PhoneError, SETUP_MAX};
use hub_core::phone_number::PhoneNumber;
use hub_voice::media::{AudioCounts, MediaEngine, MediaOptions, MediaSession, sdp};
use hub_voice::signaling::called::Called;
use hub_voice::signaling::identity::Identity;
use hub_voice::signaling::rsip::{Peer, RsipStack};
use hub_voice::signaling::{CallStack, InboundLeg, Leg, LegEvent};
use hub_voice::whereabouts::Whereabouts;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until, timeout};

/// Samples a second of what is heard.
pub const RATE: usize = 8_000;
/// What is heard is looked at so often.
const LISTEN: Duration = Duration::from_millis(100);
/// Speech has samples beyond this, silence has none: a thirtieth of the loudest.
const LOUD: u16 = 1_000;
/// Who has spoken and is silent for so long waits for an answer. Pauses between sentences are shorter.
const WAITS: Duration = Duration::from_millis(1_500);

/// Refusals (RFC 3261 §21).
const UNAVAILABLE: u16 = 480;
const BUSY: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const DECLINED: u16 = 603;

/// What the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Answers a call that rings.
    PickUp,
    /// Presses a key of a call that is up.
    Press(char),
    /// Ends or declines the call, if there is one, and puts the telephone away.
    HangUp,
}

/// What the telephone does by itself.
#[derive(Debug, Clone, Default)]
pub struct Habits {
    /// Answers after ringing for so long; else the person does.
    pub pick_up: Option<Duration>,
    /// Keys that are pressed in turn, one each time that the other side has spoken and waits.
    pub keys: String,
}

/// What the person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A call rings. The numbers mask themselves.
    Rings {
        /// The number that rings, if it says one.
        from: Option<PhoneNumber>,
        /// The number that was called, if it is a global one.
        to: Option<PhoneNumber>,
    },
    /// Nobody answered in time.
    Missed,
    /// The call is up.
    Talking,
    /// The other side has spoken and waits.
    Waits,
    /// A key is sent.
    Pressed(char),
    /// A key cannot be sent: it is none, or too many wait.
    NotPressed(char),
}

/// A call that was answered, when it is over.
#[derive(Debug, Clone)]
pub struct Talked {
    /// We hung up, or the longest time of a call was over; else the other side did.
    pub we_ended: bool,
    /// From the answer to the end.
    pub lasted: Duration,
    /// Audio both ways, in packets of 20 ms.
    pub audio: AudioCounts,
    /// What was heard, [`RATE`] samples a second.
    pub heard: Vec<i16>,
}

/// What became of a call that rang.
enum Rang {
    Answered,
    Missed,
    Declined,
}

/// The telephone. Stops when it is dropped.
pub struct Handset {
    stack: RsipStack,
    media: MediaEngine,
}

impl Handset {
    /// Listens on `bind` for a hub on this machine.
    ///
    /// # Errors
    /// The address is not loopback, or SIP or audio do not start.
    pub async fn start(bind: SocketAddr) -> Result<Self, PhoneError> {
        if !bind.ip().is_loopback() {
            return Err(PhoneError::NotLoopback(bind.ip()));
        }
        let hub = Peer {
            place: Arc::new(Whereabouts::new(bind.into())),
            others: Vec::new(),
        };
        Ok(Self {
            stack: RsipStack::start(bind, None, &[hub]).await?,
            media: MediaEngine::start()?,
        })
    }

    /// Where it is rung: the proxy of a trunk.
    pub fn local(&self) -> SocketAddr {
        self.stack.local()
    }

    /// Waits for a call that is answered and plays it to its end, at most five minutes. None when the person put the telephone
    /// away before. Other calls are told that it is busy.
    ///
    /// # Errors
    /// There is no port for the audio.
    pub async fn take_call(
        &self,
        habits: &Habits,
        acts: &mut mpsc::Receiver<Act>,
        show: impl Fn(Shown),
    ) -> Result<Option<Talked>, PhoneError> {
        loop {
            let call = tokio::select! {
                Some(call) = self.stack.next_inbound() => call,
                act = acts.recv() => match act {
                    Some(Act::HangUp) | None => return Ok(None),
                    Some(Act::PickUp | Act::Press(_)) => continue,
                },
            };
            let InboundLeg {
                mut leg,
                caller,
                called,
                offer,
            } = call;
            show(Shown::Rings {
                from: Identity::of(&caller, None).number(true),
                to: called.as_ref().and_then(Called::global),
            });
            match self.ring(&mut leg, habits, acts).await {
                Rang::Declined => return Ok(None),
                Rang::Missed => show(Shown::Missed),
                Rang::Answered => match self.pick_up(&mut leg, &offer).await? {
                    Some(media) => {
                        show(Shown::Talking);
                        return Ok(Some(self.talk(leg, media, habits, acts, &show).await));
                    }
                    None => show(Shown::Missed),
                },
            }
        }
    }

    /// Ends all calls, and waits a little until that is said.
    pub async fn shutdown(&self) {
        self.stack.shutdown().await;
    }

    /// Rings until somebody acts.
    async fn ring(&self, leg: &mut Leg, habits: &Habits, acts: &mut mpsc::Receiver<Act>) -> Rang {
        leg.control.ringing();
        let due = Instant::now() + habits.pick_up.unwrap_or(CALL_MAX);
        loop {
            tokio::select! {
                // The only event before the answer is that the caller gave up.
                _ = leg.events.recv() => return Rang::Missed,
                act = acts.recv() => match act {
                    Some(Act::PickUp) => return Rang::Answered,
                    Some(Act::Press(_)) => {}
                    Some(Act::HangUp) | None => {
                        refuse(leg, DECLINED).await;
                        return Rang::Declined;
                    }
                },
                () = sleep_until(due) => {
                    if habits.pick_up.is_some() {
                        return Rang::Answered;
                    }
                    refuse(leg, UNAVAILABLE).await;
                    return Rang::Missed;
                }
                Some(other) = self.stack.next_inbound() => busy(other),
            }
        }
    }

    /// Answers; the audio of the call, or none where the caller gave up or agrees to no audio that we have.
    async fn pick_up(&self, leg: &mut Leg, offer: &[u8]) -> Result<Option<MediaSession>, PhoneError> {
        let media = self.media.open(&MediaOptions {
            ip: self.local().ip(),
            ports: None,
            echo: false,
            capture_max: usize::try_from(CALL_MAX.as_secs()).unwrap_or(0) * RATE,
            silence_max: None,
        })?;
        let local = media.local();
        let answer = sdp::answer(local, u64::from(local.port()), offer);
        let (Ok(answer), Ok(agreed)) = (answer, sdp::understand(offer)) else {
            refuse(leg, NOT_ACCEPTABLE).await;
            return Ok(None);
        };
        leg.control.accept(answer);
        let Ok(Some(LegEvent::Answered { .. })) = timeout(SETUP_MAX, leg.events.recv()).await else {
            return Ok(None);
        };
        media.connect(agreed);
        Ok(Some(media))
    }

    async fn talk(
        &self,
        mut leg: Leg,
        media: MediaSession,
        habits: &Habits,
        acts: &mut mpsc::Receiver<Act>,
        show: &impl Fn(Shown),
    ) -> Talked {
        let start = Instant::now();
        let (mut ear, mut keys, mut looks) = (Ear::default(), habits.keys.chars(), interval(LISTEN));
        let press = |key| {
            show(if media.press(key) {
                Shown::Pressed(key)
            } else {
                Shown::NotPressed(key)
            })
        };
        let we_ended = loop {
            tokio::select! {
                event = leg.events.recv() => match event {
                    Some(LegEvent::Redescribed(description)) => {
                        if let Ok(agreed) = sdp::understand(&description) {
                            media.connect(agreed);
                        }
                    }
                    Some(LegEvent::Trying | LegEvent::Ringing(_) | LegEvent::Answered { .. } | LegEvent::Key(_)) => {}
                    Some(LegEvent::Failed { .. } | LegEvent::Ended | LegEvent::Expired | LegEvent::ByeNotSent(_)) | None => {
                        break false;
                    }
                },
                act = acts.recv() => match act {
                    Some(Act::Press(key)) => press(key),
                    Some(Act::PickUp) => {}
                    Some(Act::HangUp) | None => break true,
                },
                _ = looks.tick() => {
                    ear.hear(media.captured_after(ear.heard.len()), Instant::now());
                    if ear.has_fallen_silent(Instant::now()) {
                        show(Shown::Waits);
                        keys.next().into_iter().for_each(press);
                    }
                }
                () = sleep_until(start + CALL_MAX) => break true,
                Some(other) = self.stack.next_inbound() => busy(other),
            }
        };
        let (lasted, audio) = (start.elapsed(), media.counts());
        ear.hear(media.captured_after(ear.heard.len()), Instant::now());
        if let Err(reason) = leg.hang_up().await {
            tracing::warn!(reason, "the other side was not told that the call is over");
        }
        Talked {
            we_ended,
            lasted,
            audio,
            heard: ear.heard,
        }
    }
}

/// Refuses a call, and waits until that is out: the leg may be dropped then.
async fn refuse(leg: &mut Leg, status: u16) {
    leg.control.reject(status);
    let _ = timeout(SETUP_MAX, leg.events.recv()).await;
}

/// Another call while one is up.
fn busy(call: InboundLeg) {
    let mut leg = call.leg;
    tokio::spawn(async move { refuse(&mut leg, BUSY).await });
}

/// What is heard, and whether the other side speaks.
#[derive(Default)]
struct Ear {
    heard: Vec<i16>,
    /// When it last spoke, as long as that is no longer ago than a pause.
    spoke: Option<Instant>,
}

impl Ear {
    fn hear(&mut self, samples: Vec<i16>, now: Instant) {
        if samples.iter().any(|sample| sample.unsigned_abs() > LOUD) {
            self.spoke = Some(now);
        }
        self.heard.extend(samples);
    }

    /// True once each time that it has spoken and waits.
    fn has_fallen_silent(&mut self, now: Instant) -> bool {
        let waits = self.spoke.is_some_and(|at| now.duration_since(at) >= WAITS);
        if waits {
            self.spoke = None;
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_spoken_and_is_silent_waits_once() {
        let mut ear = Ear::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (word, silence) = (vec![0, -9_000, 8], vec![8, -8, 0]);
        // Before the first word nobody waits for anything.
        ear.hear(silence.clone(), at(0));
        assert!(!ear.has_fallen_silent(at(9_000)));
        ear.hear(word.clone(), at(10_000));
        ear.hear(silence.clone(), at(10_100));
        assert!(!ear.has_fallen_silent(at(11_400)), "a pause between sentences");
        ear.hear(word, at(11_450));
        assert!(!ear.has_fallen_silent(at(12_900)));
        assert!(ear.has_fallen_silent(at(12_950)));
        assert!(!ear.has_fallen_silent(at(20_000)), "told once");
        assert_eq!(ear.heard.len(), 12);
    }
}
