//! The audio of a call: RTP, G.711 and telephone events, all calls on one 20 ms ticker.

pub mod digits;
pub mod engine;
pub mod g711;
mod latch;
mod receiver;
mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sound;
mod sources;
pub mod stream;
mod watchdog;

pub use engine::{MediaEngine, MediaError, MediaOptions, MediaSession};
pub use sdp::{Negotiated, SdpError};
pub use sound::{Piece, Sound};
pub use stream::{AudioCounts, MediaEvent};
