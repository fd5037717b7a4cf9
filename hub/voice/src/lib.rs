//! The telephone side of the hub: places and takes calls over SIP trunks, speaks the prompts, reads keys, and hands back
//! exactly one call-detail record for each call.
//!
//! Absences that hold: rsipstack's types never leave `signaling`; the call flow knows neither SIP nor tokio; nothing here
//! knows tickets, consent or a database: the caller decides whether a call may be placed.

mod call;
pub mod config;
pub mod detail;
mod figures;
pub mod flow;
mod glare;
pub mod host;
mod inbound;
mod keys;
mod limits;
mod line;
pub mod media;
pub mod order;
mod outbound;
pub mod prompt;
mod record;
pub mod signaling;
mod texts;
mod trunk;
mod unknown;
pub mod value;
mod voice;
pub mod whereabouts;

pub use config::{Limits, Secret, TrunkConfig, VoiceConfig};
pub use detail::{CallDetail, Direction, EndedBy, Speaker, TranscriptLine};
pub use flow::Flow;
pub use host::{CallHost, CallProgress, CommitRefused, InboundDecision, InboundHost, Stranger};
pub use media::AudioCounts;
pub use order::CallOrder;
pub use trunk::Channel;
pub use value::{Value, Values};
pub use voice::{Voice, VoiceError};
