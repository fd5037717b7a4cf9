//! The conversation of an answered call, the same for both directions: audio, keys and the flow meet here.

use crate::config::Limits;
use crate::detail::EndedBy;
use crate::flow::{FlowAction, Walk};
use crate::host::{CallHost, CallProgress};
use crate::keys::{Keys, Way};
use crate::media::{MediaEvent, MediaSession, Negotiated, SdpError, sdp};
use crate::prompt::Prompts;
use crate::record::Record;
use crate::signaling::{Leg, LegEvent};
use hub_core::call_result::Disposition;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Timeout};
use tokio_util::sync::CancellationToken;

/// A watcher of the live page that is slower than this is not waited for.
const PROGRESS_MAX: Duration = Duration::from_secs(1);
/// Why a call ended or was not placed when every call has to end.
pub(crate) const STOPPING: &str = "the hub is stopping";
/// Why a call ended that went on for as long as it may.
const LONGEST: &str = "the longest time of a call was reached";
/// Why a call ended that could not be heard, though somebody sent.
const ELSEWHERE: &str = "audio came only from addresses that were not announced";
/// When every call has to end, nothing that a call still waits for takes longer than this.
pub(crate) const STOP_MAX: Duration = Duration::from_millis(1_500);

/// Tells the host a step.
pub(crate) async fn tell(host: &dyn CallHost, record: &Record, progress: CallProgress) {
    if tokio::time::timeout(PROGRESS_MAX, host.progress(record.attempt(), progress))
        .await
        .is_err()
    {
        tracing::warn!(attempt = %record.attempt(), "progress of a call not taken in time");
    }
}

/// What a conversation needs.
pub(crate) struct Conversation<'a> {
    pub leg: &'a mut Leg,
    pub media: MediaSession,
    pub prompts: Prompts,
    pub walk: Walk,
    pub host: Arc<dyn CallHost>,
    pub limits: Limits,
    pub ending: &'a CancellationToken,
    pub record: &'a mut Record,
}

type Saving = Option<Pin<Box<Timeout<JoinHandle<bool>>>>>;

impl Conversation<'_> {
    /// Talks until somebody hangs up. The leg is ended by the code that drops it.
    pub async fn run(mut self) {
        tell(&*self.host, self.record, CallProgress::Answered).await;
        let until = Instant::now() + self.limits.talk;
        let mut goodbye = Some(until - self.limits.goodbye.min(self.limits.talk / 2));
        let (mut time_is_up, mut died) = (false, false);
        let mut clip = 0;
        let mut saving: Saving = None;
        let mut keys = Keys::default();
        self.walk.handle_answered();
        let (by, reason) = loop {
            if self.act(&mut clip, &mut saving).await {
                break (EndedBy::Hub, if time_is_up { LONGEST } else { "we hung up at the end" });
            }
            let due = self.walk.poll_timeout().map_or(until, |due| until.min(due.into()));
            let due = goodbye.map_or(due, |at| due.min(at));
            tokio::select! {
                () = self.ending.cancelled() => break (EndedBy::Stopping, STOPPING),
                event = self.leg.events.recv() => match event {
                    Some(LegEvent::Key(key)) => {
                        self.media.note_life();
                        self.handle_key(key, Way::Signalling, &mut keys).await;
                    }
                    Some(LegEvent::Expired) => break (EndedBy::Trunk, "nobody refreshed the session in time"),
                    Some(LegEvent::Failed { .. }) => break (EndedBy::Trunk, "signalling failed"),
                    event => if self.handle_leg(event) { break (EndedBy::Owner, "the owner hung up") },
                },
                Some(event) = self.media.event() => match event {
                    MediaEvent::Digit(key) => self.handle_key(key, Way::Media, &mut keys).await,
                    MediaEvent::PlayFinished(number) if number == clip => {
                        self.walk.handle_prompt_finished(Instant::now().into());
                    }
                    MediaEvent::PlayFinished(_) => {}
                    MediaEvent::Silent => {
                        died = true;
                        break (EndedBy::Hub, "nothing came from the far side any more");
                    }
                    MediaEvent::Elsewhere => {
                        died = true;
                        break (EndedBy::Hub, ELSEWHERE);
                    }
                },
                saved = finished(&mut saving) => self.walk.handle_commit(saved),
                () = tokio::time::sleep_until(due) => {
                    let now = Instant::now();
                    if now >= until {
                        break (EndedBy::Hub, LONGEST);
                    }
                    if goodbye.is_some_and(|at| now >= at) {
                        goodbye = None;
                        time_is_up = self.walk.handle_time_up();
                    }
                    self.walk.handle_timeout(now.into());
                }
            }
        };
        self.record.ended(by, reason);
        self.media.stop_playing();
        self.settle(saving).await;
        self.record.audio = self.media.counts();
        if self.media.is_all_elsewhere() {
            self.record.unheard(ELSEWHERE);
        } else if died && self.record.audio.packets_received == 0 {
            self.record.unheard(reason);
        }
    }

    /// Does what the flow wants; true when it wants to hang up.
    async fn act(&mut self, clip: &mut u64, saving: &mut Saving) -> bool {
        while let Some(action) = self.walk.poll_action() {
            match action {
                FlowAction::Say(node) => {
                    *clip += 1;
                    self.say(&node, *clip).await;
                }
                FlowAction::Hush => self.media.stop_playing(),
                FlowAction::Commit(disposition) => *saving = Some(Box::pin(self.save(disposition))),
                FlowAction::Find(figures) => *saving = Some(Box::pin(self.find(figures))),
                FlowAction::HangUp => return true,
            }
        }
        false
    }

    async fn say(&mut self, node: &str, clip: u64) {
        let Some(prompt) = self.prompts.of_nodes.get(node) else {
            return;
        };
        self.media.play(clip, &prompt.sound);
        self.record.said(&prompt.text);
        let progress = CallProgress::Saying {
            text: prompt.text.clone(),
        };
        tell(&*self.host, self.record, progress).await;
    }

    /// In a task of its own: a commit that is late is not torn off half-way.
    fn save(&self, disposition: Disposition) -> Timeout<JoinHandle<bool>> {
        let (host, attempt) = (Arc::clone(&self.host), self.record.attempt());
        let commit = tokio::spawn(async move { host.commit(attempt, disposition).await.is_ok() });
        tokio::time::timeout(self.limits.commit, commit)
    }

    /// In a task of its own too: what is found is noted.
    fn find(&self, figures: String) -> Timeout<JoinHandle<bool>> {
        let (host, attempt) = (Arc::clone(&self.host), self.record.attempt());
        let find = tokio::spawn(async move { host.find(attempt, &figures).await });
        tokio::time::timeout(self.limits.commit, find)
    }

    /// True when the far side is gone.
    fn handle_leg(&mut self, event: Option<LegEvent>) -> bool {
        match event {
            Some(LegEvent::Redescribed(description)) => {
                if connect(&self.media, &description).is_ok_and(|agreed| agreed.event_type.is_some()) {
                    self.record.no_key_way = false;
                }
                false
            }
            Some(LegEvent::Ended | LegEvent::Expired | LegEvent::Failed { .. }) | None => true,
            Some(_) => false,
        }
    }

    async fn handle_key(&mut self, key: char, way: Way, keys: &mut Keys) {
        if !keys.handle(way, Instant::now().into()) {
            return;
        }
        self.record.pressed(key);
        // First the reaction, then the page: the owner should not wait.
        self.walk.handle_digit(key, Instant::now().into());
        tell(&*self.host, self.record, CallProgress::Pressed { key }).await;
    }

    /// A key that was pressed before the end still counts.
    async fn settle(&mut self, mut saving: Saving) {
        self.walk.handle_hang_up();
        let (mut clip, mut none) = (0, None);
        self.act(&mut clip, &mut none).await;
        if none.is_some() {
            saving = none;
        }
        if self.walk.is_saving() {
            // A commit has its own limit; when all calls have to end, a shorter one.
            let hurry = async {
                self.ending.cancelled().await;
                tokio::time::sleep(STOP_MAX).await;
            };
            let saved = tokio::select! {
                saved = finished(&mut saving) => saved,
                () = hurry => false,
            };
            self.walk.handle_commit(saved);
        }
        (self.record.saved, self.record.refused) = (self.walk.saved(), self.walk.refused());
    }
}

/// Waits for a commit under way; without end when there is none.
async fn finished(saving: &mut Saving) -> bool {
    let Some(commit) = saving else {
        return std::future::pending().await;
    };
    // Only borrowed: when another branch of `select!` wins, the commit goes on.
    let saved = matches!(commit.await, Ok(Ok(true)));
    *saving = None;
    saved
}

/// Connects the audio to a description and returns what it says, or why it cannot be used.
pub(crate) fn connect(media: &MediaSession, description: &[u8]) -> Result<Negotiated, SdpError> {
    let negotiated = sdp::understand(description)
        .inspect_err(|error| tracing::warn!(%error, "a session description cannot be used"))?;
    media.connect(negotiated);
    Ok(negotiated)
}
