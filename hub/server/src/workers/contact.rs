//! ticket → contact: owners whose contact is due are rung, and answered when they ring back.

mod call;
mod dial;
mod doubt;
mod inbound;
mod order;
mod stranger;
mod ways;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod outage;

pub use call::Calls;
pub use dial::Dialler;
pub use ways::Ways;
