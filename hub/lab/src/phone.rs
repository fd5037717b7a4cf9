//! Owners' phones as a real SIP user agent, which is also the far side of a trunk: no matter who is rung over it, one of its phones
//! rings, answers late, presses keys, declines, is busy or hangs up. Audio flows both ways: what is heard is sent back.

use hub_core::phone_number::PhoneNumber;
use hub_voice::config::TrunkConfig;
use hub_voice::media::{AudioCounts, MediaEngine, MediaError, MediaOptions, MediaSession, sdp};
use hub_voice::signaling::called::Called;
use hub_voice::signaling::identity::Identity;
use hub_voice::signaling::rsip::{Digest, Peer, RsipStack, StackError};
use hub_voice::signaling::{CallStack, InboundLeg, Leg, LegEvent, PlaceCall};
use hub_voice::whereabouts::Whereabouts;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests_world::owner::{Answer, OwnerAction, OwnerScript};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Seconds of a call's audio that are kept.
const HEARD_SECONDS: usize = 120;
/// No call with a phone lasts longer.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(300);
/// From our answer to the acknowledgement, and from our own call to its answer.
pub(crate) const SETUP_MAX: Duration = Duration::from_secs(30);
/// Reports that may wait to be read; what is beyond is dropped.
const REPORTS_MAX: usize = 64;

/// What a phone does when it is rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneAnswer {
    /// Answers after ringing for so long.
    After(Duration),
    /// Is busy (486).
    Busy,
    /// Declines (603) after ringing for so long.
    Declines(Duration),
    /// Rings and is never answered.
    Never,
}

/// What an owner does with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneScript {
    /// Whether and when the phone is answered. A phone that rings the hub itself does not look at it.
    pub answer: PhoneAnswer,
    /// Keys, each so long after the answer, in order.
    pub keys: Vec<(Duration, char)>,
    /// Hangs up so long after the answer; else waits for the other side to.
    pub hang_up: Option<Duration>,
}

impl From<&OwnerScript> for PhoneScript {
    fn from(owner: &OwnerScript) -> Self {
        let answer = match owner.answer {
            Answer::After(after) => PhoneAnswer::After(after),
            Answer::DeclinesAfter(after) => PhoneAnswer::Declines(after),
            Answer::Busy => PhoneAnswer::Busy,
            Answer::Never => PhoneAnswer::Never,
        };
        let keys = owner.actions().into_iter().filter_map(|(after, action)| match action {
            OwnerAction::Press(key) => Some((after, key)),
            OwnerAction::HangUp => None,
        });
        Self {
            answer,
            keys: keys.collect(),
            hang_up: owner.hangs_up_after,
        }
    }
}

/// How one call was for the phone.
#[derive(Debug, Clone)]
pub struct PhoneReport {
    /// The phone.
    pub number: PhoneNumber,
    /// The number it saw, or rang.
    pub other: Option<PhoneNumber>,
    /// Somebody talked.
    pub answered: bool,
    /// Keys pressed.
    pub pressed: String,
    /// Audio both ways, in packets of 20 ms.
    pub audio: AudioCounts,
    /// What was heard, 8,000 samples a second; the first two minutes.
    pub heard: Vec<i16>,
}

/// Why the phones do not work.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// SIP did not start.
    #[error("the phones' SIP side did not start")]
    Sip(#[from] StackError),
    /// Audio did not start.
    #[error("the phones' audio did not start")]
    Media(#[from] MediaError),
    /// A call could not be placed.
    #[error("a phone could not ring the hub: {0}")]
    Place(String),
    /// A telephone for trying is not for strangers.
    #[error("{0} is reached from elsewhere: a telephone for trying listens on loopback, such as 127.0.0.1")]
    NotLoopback(IpAddr),
}

type Scripts = Arc<Mutex<HashMap<PhoneNumber, PhoneScript>>>;

/// All phones of the lab: one SIP address, a script for each number. Stops when dropped.
pub struct Phones {
    stack: Arc<RsipStack>,
    media: Arc<MediaEngine>,
    scripts: Scripts,
    rung: Arc<AtomicUsize>,
}

impl Phones {
    /// Listens on `bind` for a hub on the same address. Each call is reported over the receiver when it is over.
    pub async fn start(bind: SocketAddr) -> Result<(Self, mpsc::Receiver<PhoneReport>), PhoneError> {
        Self::start_with(bind, None).await
    }

    /// The same; with `demanded`, like a carrier that asks each call of the hub for user name and password (407, MD5, qop=auth).
    pub async fn start_with(
        bind: SocketAddr,
        demanded: Option<Digest>,
    ) -> Result<(Self, mpsc::Receiver<PhoneReport>), PhoneError> {
        let hub = Peer {
            place: Arc::new(Whereabouts::new(bind.into())),
            others: Vec::new(),
        };
        let phones = Self {
            stack: Arc::new(RsipStack::start_with(bind, None, &[hub], demanded).await?),
            media: Arc::new(MediaEngine::start()?),
            scripts: Scripts::default(),
            rung: Arc::default(),
        };
        let (sender, reports) = mpsc::channel(REPORTS_MAX);
        tokio::spawn(serve(
            Arc::clone(&phones.stack),
            Arc::clone(&phones.media),
            Arc::clone(&phones.scripts),
            Arc::clone(&phones.rung),
            sender,
        ));
        Ok((phones, reports))
    }

    /// Where the phones are reached: the trunk's proxy for the hub.
    pub fn local(&self) -> SocketAddr {
        self.stack.local()
    }

    /// How many calls have come in so far, whatever became of them.
    pub fn rung(&self) -> usize {
        self.rung.load(Ordering::Relaxed)
    }

    /// Sets what the owner of `number` does from the next call on. A number without a script does not exist (404).
    pub fn set(&self, number: PhoneNumber, script: PhoneScript) {
        self.scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, script);
    }

    /// The phone `from` rings `main_number` at the hub's SIP address.
    pub async fn ring_hub(
        &self,
        hub: SocketAddr,
        from: PhoneNumber,
        main_number: PhoneNumber,
        script: &PhoneScript,
    ) -> Result<PhoneReport, PhoneError> {
        let media = open(&self.media, self.local())?;
        let trunk = TrunkConfig {
            name: "lab".into(),
            proxy: hub.into(),
            addresses: Vec::new(),
            domain: hub.to_string(),
            username: None,
            password: None,
            caller_number: from.clone(),
            channels: 1,
            inbound_channels: Some(0),
            believe_from: false,
            post_dial_limit_s: None,
            trying_limit_s: None,
            number_plan: None,
        };
        let offer = sdp::offer(media.local(), u64::from(media.local().port()));
        let call = PlaceCall {
            trunk,
            proxy: hub,
            to: main_number.clone(),
            offer,
        };
        let mut leg = self
            .stack
            .place(call)
            .await
            .map_err(|error| PhoneError::Place(error.to_string()))?;
        let mut talk = Talk::new(from, Some(main_number), media);
        if let Some(description) = answer_of(&mut leg).await {
            talk.run(&mut leg, &description, script).await;
        }
        Ok(talk.report())
    }

    /// Ends all calls.
    pub async fn shutdown(&self) {
        self.stack.shutdown().await;
    }
}

fn open(media: &MediaEngine, local: SocketAddr) -> Result<MediaSession, MediaError> {
    media.open(&MediaOptions {
        ip: local.ip(),
        ports: None,
        echo: true,
        capture_max: HEARD_SECONDS * 8_000,
        silence_max: None,
    })
}

/// The session description of the answer, if the call is answered in time.
async fn answer_of(leg: &mut Leg) -> Option<Vec<u8>> {
    let until = Instant::now() + SETUP_MAX;
    loop {
        match timeout_at(until, leg.events.recv()).await {
            Ok(Some(LegEvent::Answered { description, .. })) => return Some(description),
            Ok(Some(LegEvent::Trying | LegEvent::Ringing(_) | LegEvent::Redescribed(_) | LegEvent::Key(_))) => {}
            Ok(
                Some(LegEvent::Failed { .. } | LegEvent::Ended | LegEvent::Expired | LegEvent::ByeNotSent(_)) | None,
            )
            | Err(_) => return None,
        }
    }
}

async fn serve(
    stack: Arc<RsipStack>,
    media: Arc<MediaEngine>,
    scripts: Scripts,
    rung: Arc<AtomicUsize>,
    reports: mpsc::Sender<PhoneReport>,
) {
    while let Some(call) = stack.next_inbound().await {
        rung.fetch_add(1, Ordering::Relaxed);
        let number = call.called.as_ref().and_then(Called::global);
        let script = number.as_ref().and_then(|number| {
            scripts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(number)
                .cloned()
        });
        let (Some(script), Some(number)) = (script, number) else {
            call.leg.control.reject(404);
            continue;
        };
        let (session, reports) = (open(&media, stack.local()), reports.clone());
        tokio::spawn(async move {
            match session {
                Ok(session) => {
                    let report = take(call, number, session, &script).await;
                    if reports.try_send(report).is_err() {
                        tracing::warn!("a phone's report was not read");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a phone has no audio");
                    call.leg.control.reject(500);
                }
            }
        });
    }
}

/// One call to a phone.
async fn take(call: InboundLeg, number: PhoneNumber, media: MediaSession, script: &PhoneScript) -> PhoneReport {
    let InboundLeg {
        mut leg, caller, offer, ..
    } = call;
    // The hub puts the number that it shows into From.
    let mut talk = Talk::new(number, Identity::of(&caller, None).number(true), media);
    let (rings, refusal) = match script.answer {
        PhoneAnswer::Busy => (Duration::ZERO, Some(486)),
        PhoneAnswer::Declines(after) => (after, Some(603)),
        PhoneAnswer::Never => (CALL_MAX, Some(480)),
        PhoneAnswer::After(after) => (after, None),
    };
    if script.answer != PhoneAnswer::Busy {
        leg.control.ringing();
    }
    // The only event before the answer is that the caller gave up.
    if timeout(rings, leg.events.recv()).await.is_ok() {
        return talk.report();
    }
    if let Some(status) = refusal {
        leg.control.reject(status);
        // The refusal has to be out before the leg is dropped.
        let _ = timeout(SETUP_MAX, leg.events.recv()).await;
        return talk.report();
    }
    let local = talk.media.local();
    let Ok(answer) = sdp::answer(local, u64::from(local.port()), &offer) else {
        leg.control.reject(488);
        return talk.report();
    };
    leg.control.accept(answer);
    if let Ok(Some(LegEvent::Answered { .. })) = timeout(SETUP_MAX, leg.events.recv()).await {
        talk.run(&mut leg, &offer, script).await;
    }
    talk.report()
}

/// A phone in a conversation.
struct Talk {
    number: PhoneNumber,
    other: Option<PhoneNumber>,
    media: MediaSession,
    answered: bool,
    pressed: String,
}

impl Talk {
    fn new(number: PhoneNumber, other: Option<PhoneNumber>, media: MediaSession) -> Self {
        Self {
            number,
            other,
            media,
            answered: false,
            pressed: String::new(),
        }
    }

    /// Presses the script's keys until somebody hangs up; the caller drops the leg, which ends it.
    async fn run(&mut self, leg: &mut Leg, description: &[u8], script: &PhoneScript) {
        let Ok(negotiated) = sdp::understand(description) else {
            return;
        };
        self.media.connect(negotiated);
        self.answered = true;
        let start = Instant::now();
        let end = start + script.hang_up.unwrap_or(CALL_MAX).min(CALL_MAX);
        let mut keys = script.keys.iter();
        let mut next = keys.next();
        loop {
            let due = next.map_or(end, |(after, _)| (start + *after).min(end));
            tokio::select! {
                event = leg.events.recv() => match event {
                    Some(LegEvent::Redescribed(_) | LegEvent::Key(_)) => {}
                    _ => return,
                },
                () = sleep_until(due) => match next {
                    Some((_, key)) if Instant::now() < end => {
                        if self.media.press(*key) {
                            self.pressed.push(*key);
                        }
                        next = keys.next();
                    }
                    _ => return,
                },
            }
        }
    }

    fn report(self) -> PhoneReport {
        PhoneReport {
            audio: self.media.counts(),
            heard: self.media.captured(),
            number: self.number,
            other: self.other,
            answered: self.answered,
            pressed: self.pressed,
        }
    }
}
