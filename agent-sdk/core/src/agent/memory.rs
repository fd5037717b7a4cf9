//! The memory that an agent works in. All of it is the caller's, and this is all of it.

use super::metric::MetricSlot;
use super::readings::Reading;

/// Memory for an agent, sized by its type: for a `static`, or for the stack of the task that the agent runs in.
///
/// * `METRICS`: how many metrics can be declared; 32 bytes each.
/// * `READINGS`: how many readings an open batch can hold, of all metrics together; 12 bytes each.
/// * `OUTBOX`: bytes for what waits for the hub, each message with [`crate::RECORD_HEAD_BYTES`] beside topic and payload.
/// * `PACKET`: bytes for the longest message either way, taken twice: at least [`crate::RECEIVE_BYTES_MIN`]. A batch that
///   needs more is sent in several; a longer message of the hub is passed over. With 256 bytes all that the hub says by
///   itself comes through; settings of many metrics and commands may need more.
pub struct AgentMem<const METRICS: usize, const READINGS: usize, const OUTBOX: usize, const PACKET: usize> {
    metrics: [MetricSlot; METRICS],
    readings: [Reading; READINGS],
    outbox: [u8; OUTBOX],
    receive: [u8; PACKET],
    scratch: [u8; PACKET],
}

impl<const METRICS: usize, const READINGS: usize, const OUTBOX: usize, const PACKET: usize>
    AgentMem<METRICS, READINGS, OUTBOX, PACKET>
{
    /// Empty memory.
    pub const fn new() -> Self {
        Self {
            metrics: [MetricSlot::EMPTY; METRICS],
            readings: [Reading::EMPTY; READINGS],
            outbox: [0; OUTBOX],
            receive: [0; PACKET],
            scratch: [0; PACKET],
        }
    }

    /// Lends it to an agent.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            metrics: &mut self.metrics,
            readings: &mut self.readings,
            outbox: &mut self.outbox,
            receive: &mut self.receive,
            scratch: &mut self.scratch,
        }
    }
}

impl<const METRICS: usize, const READINGS: usize, const OUTBOX: usize, const PACKET: usize> Default
    for AgentMem<METRICS, READINGS, OUTBOX, PACKET>
{
    fn default() -> Self {
        Self::new()
    }
}

/// The parts of an agent's memory, where [`AgentMem`] does not fit: their lengths may be chosen at run time. What they
/// hold is overwritten.
pub struct Memory<'m> {
    /// One for each metric that will be declared; what they hold does not matter. At most 255 are used.
    pub metrics: &'m mut [MetricSlot],
    /// For the readings of an open batch; what they hold does not matter.
    pub readings: &'m mut [Reading],
    /// For what waits for the hub.
    pub outbox: &'m mut [u8],
    /// For one message of the hub.
    pub receive: &'m mut [u8],
    /// For one message to the hub while it is written.
    pub scratch: &'m mut [u8],
}
