//! Where a visit is: its zone, and who comes.

use crate::reader::Reader;
use hub_store::ticket::TicketView;
use jiff::tz::TimeZone;

/// Zone of the place where a visit happens.
pub(crate) fn zone(reader: &Reader, view: &TicketView) -> TimeZone {
    let point = view.service_point.as_ref().map(|point| point.zone.as_str());
    let owner = view.owner.as_ref().map(|owner| owner.zone.as_str());
    point
        .or(owner)
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| reader.zone.clone())
}

/// A service point's name, if it is the ticket's own.
pub(crate) fn point(reader: &Reader, view: &TicketView, id: &str) -> String {
    match &view.service_point {
        Some(point) if point.id == id => point.name.get(reader.language).to_owned(),
        _ => id.to_owned(),
    }
}
