//! The simulated world: appliances that wear out and owners who pick up, or do not.
//!
//! Pure models: seed and time are arguments, nothing reads a clock, opens a socket or spawns. The same seed gives the
//! same readings, however the time is cut into steps. `hub-lab` puts these models on real sockets.
//!
//! Two worlds: the types of this module are the plain one, which the demo, the tests and the shipped washing-machine model rest
//! on; [`hard`] has the life of real homes, for detectors to be judged on.

mod climate;
mod fault;
pub mod hard;
mod noise;
pub mod owner;
pub mod profiles;
mod programme;
mod run;
pub mod scores;
mod unit;
mod washing_machine;

pub use fault::{FaultKind, FaultPlan};
pub use programme::{Phase, Programme};
pub use unit::Unit;
pub use washing_machine::WashingMachine;

use jiff::Timestamp;

/// Readings of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When, in civil time.
    pub at: Timestamp,
    /// Values by the profile's channel ids, ids rising, each within the profile's range.
    pub values: Vec<(u8, f64)>,
}
