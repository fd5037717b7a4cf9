//! Faults that have a name: each moves some channels in its own direction, and counts where the appliance has moved that way and in no
//! other, measured by how the healthy fleet wanders.
//!
//! Beside the detector that knows no fault ([`super::Unit`]): that one counts the strongest deviations, so the widest harmless one
//! of all channels sets its threshold. Here each fault has its own. What is learned is data ([`NamedFaults`]); the state of an
//! appliance is [`Signs`], and with the detector that knows no fault beside it [`NamedUnit`].

mod metric;
mod signature;
mod signs;
mod track;
mod unit;

pub use metric::{CHANNELS_MAX, Metric, MetricError};
pub use signature::{Metrics, NamedFaults, Signature, Speed};
pub use signs::{Sign, Signs, Told};
pub use unit::{NamedRule, NamedStep, NamedUnit};
