//! Visits of a span of time.

use super::{MemoryStore, page};
use crate::appointment::{AppointmentFilter, AppointmentStore, AppointmentSummary, cursor, place};
use crate::error::Result;
use crate::page::Page;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::appointment::Appointment;

#[async_trait]
impl AppointmentStore for MemoryStore {
    async fn appointments(
        &self,
        actor: &Actor,
        filter: &AppointmentFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<AppointmentSummary>> {
        actor.may(Act::ReadTickets)?;
        let place = place(after)?;
        let state = self.state();
        let of_place = |visit: &Appointment| (visit.slot.start, visit.id);
        let wanted = |visit: &&Appointment| {
            let point = filter.service_point.as_ref();
            (filter.from..filter.until).contains(&visit.slot.start)
                && point.is_none_or(|point| *point == visit.service_point)
                && place.is_none_or(|place| of_place(visit) > place)
                && state.reaches_ticket(actor, visit.ticket)
        };
        let mut visits: Vec<&Appointment> = state.appointments.values().filter(wanted).collect();
        visits.sort_by_key(|visit| of_place(visit));
        let summaries = visits.into_iter().filter_map(|visit| {
            let ticket = state.tickets.get(&visit.ticket)?;
            Some(AppointmentSummary {
                appointment: visit.clone(),
                number: ticket.number,
                appliance: state.view(state.appliances.get(&ticket.appliance)?),
            })
        });
        Ok(page(summaries, limit, |summary| cursor(&summary.appointment)))
    }
}
