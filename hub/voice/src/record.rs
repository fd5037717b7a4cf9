//! Gathers a call's detail while the call goes on. `finish` consumes it, so that there is exactly one.

use crate::detail::{CallDetail, Direction, EndedBy, Speaker, TranscriptLine};
use crate::media::{AudioCounts, SdpError};
use hub_core::call_result::{CallResult, Disposition, HUNG_UP_EARLY};
use hub_core::id::AttemptId;
use std::time::Duration;
use tokio::time::Instant;

/// Keys kept.
const DIGITS_MAX: usize = 64;
/// Lines of transcript kept.
const LINES_MAX: usize = 100;

pub(crate) struct Record {
    attempt: AttemptId,
    direction: Direction,
    dialed: Option<Instant>,
    rang: Option<Instant>,
    answered: Option<Instant>,
    decided: Option<Instant>,
    result: CallResult,
    sip_status: Option<u16>,
    reason: String,
    ended_by: Option<EndedBy>,
    pub retry_after_s: Option<u32>,
    digits: String,
    transcript: Vec<TranscriptLine>,
    pub audio: AudioCounts,
    pub no_key_way: bool,
    pub rang_back: bool,
    pub this_call_only: bool,
    pub saved: Option<Disposition>,
    pub refused: Option<Disposition>,
    bye_error: Option<String>,
}

impl Record {
    pub fn new(attempt: AttemptId, direction: Direction) -> Self {
        Self {
            attempt,
            direction,
            dialed: None,
            rang: None,
            answered: None,
            decided: None,
            result: CallResult::NetworkFailure,
            sip_status: None,
            reason: String::new(),
            ended_by: None,
            retry_after_s: None,
            digits: String::new(),
            transcript: Vec::new(),
            audio: AudioCounts::default(),
            no_key_way: false,
            rang_back: false,
            this_call_only: false,
            saved: None,
            refused: None,
            bye_error: None,
        }
    }

    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    pub fn dialed(&mut self) {
        self.dialed = Some(Instant::now());
    }

    /// The first sign of ringing; true if it is the first.
    pub fn ringing(&mut self) -> bool {
        let first = self.rang.is_none();
        self.rang.get_or_insert_with(Instant::now);
        first
    }

    /// Nothing rang yet.
    pub fn ringing_is_missing(&self) -> bool {
        self.rang.is_none()
    }

    /// What a final answer other than 2xx means after what has happened so far.
    pub fn refused(&self, status: u16) -> CallResult {
        let after = self.dialed.map_or(Duration::ZERO, |dialed| dialed.elapsed());
        CallResult::from_refusal(status, self.rang.is_some(), after)
    }

    pub fn answered(&mut self, status: u16) {
        self.answered = Some(Instant::now());
        self.result = CallResult::Answered;
        self.sip_status = Some(status);
    }

    /// The call was not answered. Its one final state.
    pub fn failed(&mut self, result: CallResult, status: Option<u16>, by: EndedBy, reason: impl Into<String>) {
        self.decided = Some(Instant::now());
        self.ended_by.get_or_insert(by);
        self.result = result;
        self.sip_status = status;
        if self.reason.is_empty() {
            self.reason = reason.into();
        }
    }

    /// Every call has to end; nothing that follows from it replaces this.
    pub fn stopping(&mut self, reason: &str) {
        reason.clone_into(&mut self.reason);
        self.ended_by = Some(EndedBy::Stopping);
    }

    /// Whether it ends since every call has to.
    pub fn is_stopping(&self) -> bool {
        self.ended_by == Some(EndedBy::Stopping)
    }

    /// The call was answered, but its audio cannot be used. Nobody was spoken with.
    pub fn without_audio(&mut self, why: SdpError) {
        self.result = CallResult::NoAudio;
        self.ended(EndedBy::Hub, &format!("answered without audio that we can use: {why}"));
    }

    /// The call was answered, and not one packet of sound came from where the far side said that it is, though it did not say
    /// that it sends nothing: we took it for dead, or audio came from elsewhere only. That is a fault of the line, unless a key
    /// was pressed all the same, inside signalling say. Nothing from anywhere in a call that others ended is none: a phone that
    /// is silent while nobody speaks looks the same until we give it up.
    pub fn unheard(&mut self, why: &str) {
        if !self.digits.is_empty() {
            return;
        }
        self.result = CallResult::NoAudio;
        if self.reason != why {
            self.reason.push_str("; ");
            self.reason.push_str(why);
        }
    }

    /// How an answered call ended.
    pub fn ended(&mut self, by: EndedBy, reason: &str) {
        self.decided = Some(Instant::now());
        self.ended_by.get_or_insert(by);
        if self.reason.is_empty() {
            reason.clone_into(&mut self.reason);
        }
    }

    /// The far side does not know that the call is over.
    pub fn bye_not_sent(&mut self, reason: String) {
        self.bye_error = Some(reason);
    }

    pub fn said(&mut self, text: &str) {
        self.line(Speaker::Hub, text.to_owned());
    }

    pub fn pressed(&mut self, key: char) {
        if self.digits.len() < DIGITS_MAX {
            self.digits.push(key);
        }
        self.line(Speaker::Owner, key.to_string());
    }

    fn line(&mut self, speaker: Speaker, text: String) {
        if self.transcript.len() < LINES_MAX {
            let at_ms = self.answered.map_or(0, |answered| millis(answered.elapsed()));
            self.transcript.push(TranscriptLine { at_ms, speaker, text });
        }
    }

    /// The owner was gone before they can have heard what the call is about.
    fn was_hung_up_early(&self, end: Instant) -> bool {
        let talk = self.answered.map(|answered| end.saturating_duration_since(answered));
        self.result == CallResult::Answered
            && self.ended_by == Some(EndedBy::Owner)
            && self.digits.is_empty()
            && talk.is_some_and(|talk| talk < HUNG_UP_EARLY)
    }

    /// The detail.
    pub fn finish(mut self) -> CallDetail {
        if let Some(error) = &self.bye_error {
            self.reason.push_str("; the BYE could not be sent: ");
            self.reason.push_str(error);
        }
        let end = self.decided.unwrap_or_else(Instant::now);
        let between = |from: Option<Instant>, to: Option<Instant>| {
            from.zip(to)
                .map_or(0, |(from, to)| millis(to.saturating_duration_since(from)))
        };
        if self.was_hung_up_early(end) {
            self.result = CallResult::HungUpEarly;
        }
        let answered = self.result == CallResult::Answered;
        let nothing = (answered && self.refused.is_none()).then_some(Disposition::NothingChosen);
        CallDetail {
            attempt: self.attempt,
            direction: self.direction,
            result: self.result,
            sip_status: self.sip_status,
            reason: self.reason,
            ended_by: self.ended_by,
            retry_after_s: self.retry_after_s,
            disposition: self.saved.or(nothing),
            refused: self.refused,
            digits: self.digits,
            no_key_way: self.no_key_way,
            rang_back: self.rang_back,
            this_call_only: self.this_call_only,
            post_dial_ms: between(self.dialed, self.rang.or(self.answered).or(Some(end))),
            ring_ms: between(self.rang, self.answered.or(Some(end))),
            talk_ms: between(self.answered, Some(end)),
            transcript: self.transcript,
            audio: self.audio,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
