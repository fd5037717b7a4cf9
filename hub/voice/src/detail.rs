//! The call-detail record: what became of one call.

use crate::media::AudioCounts;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::id::AttemptId;
use serde::{Deserialize, Serialize};

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The hub rang.
    Outbound,
    /// The owner rang the main number.
    Inbound,
}

/// Who said a line of the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The automatic call.
    Hub,
    /// The owner, by key.
    Owner,
}

/// Who gave a call up, or hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The owner, or their line: declined, busy, hung up, or gave up calling.
    Owner,
    /// The hub: the flow was over, a limit was reached, nothing could be heard or placed.
    Hub,
    /// The trunk, or what lies behind it.
    Trunk,
    /// The hub, since it was stopping.
    Stopping,
}

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptLine {
    /// Milliseconds since the answer.
    pub at_ms: u64,
    /// The one who speaks.
    pub speaker: Speaker,
    /// What was said, or the key that was pressed.
    pub text: String,
}

/// What became of one call. There is exactly one for each call, whatever happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDetail {
    /// The attempt it belongs to.
    pub attempt: AttemptId,
    /// Which way it went.
    pub direction: Direction,
    /// What the network said.
    pub result: CallResult,
    /// The final SIP status, if there was one.
    pub sip_status: Option<u16>,
    /// The same in words, or why there was no call at all.
    pub reason: String,
    /// Who gave it up; none in records of before this was kept.
    #[serde(default)]
    pub ended_by: Option<EndedBy>,
    /// Seconds after which the trunk wants to be asked again (`Retry-After` of the final answer), if it said so.
    #[serde(default)]
    pub retry_after_s: Option<u32>,
    /// What the conversation produced and the host has saved; `NothingChosen` after an answer without a choice.
    pub disposition: Option<Disposition>,
    /// What the owner pressed for and the host could not save: a person has to ring.
    pub refused: Option<Disposition>,
    /// All keys in order, at most 64.
    pub digits: String,
    /// The session descriptions agreed on no way of sending keys. A key that came all the same, by an event or an INFO that
    /// was never announced, is in `digits`.
    #[serde(default)]
    pub no_key_way: bool,
    /// The owner rang us while we rang them: that call was taken in the place of ours.
    #[serde(default)]
    pub rang_back: bool,
    /// Nobody was rung for a reason that lies in this call alone: what it is to say cannot be said. Other calls may go out.
    #[serde(default)]
    pub this_call_only: bool,
    /// From INVITE to the first sign of ringing or the final answer, in milliseconds.
    pub post_dial_ms: u64,
    /// From the first sign of ringing to the answer or the end, in milliseconds.
    pub ring_ms: u64,
    /// From the answer to the end, in milliseconds.
    pub talk_ms: u64,
    /// The conversation; at most 100 lines.
    pub transcript: Vec<TranscriptLine>,
    /// How the audio went.
    pub audio: AudioCounts,
}
