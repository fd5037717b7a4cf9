//! Why nobody was rung.

use crate::reader::Reader;
use crate::words::hold;
use hub_core::call_rules::HoldReason;
use hub_store::ticket::TicketView;

/// Why nobody was rung, or what a person has to do now that the owner was reached.
pub(crate) fn held_sentence(reader: &Reader, view: &TicketView, reason: HoldReason) -> String {
    let why = hold(reader, reason, view.owner.as_ref());
    match reason {
        HoldReason::Reached => why,
        _ => reader.with("event-held", &[("reason", &why)]),
    }
}
