//! The forms of the ticket page. Each calls the function of the API's endpoint and goes back to the ticket.

use crate::visitor::Visitor;
use axum::response::Redirect;
use hub_api::error::Result;
use hub_api::extract::{FormBody, Path};
use hub_api::{ticket_appointment, ticket_book, ticket_call, ticket_close, ticket_false_alarm, ticket_take};
use hub_core::id::TicketId;
use uuid::Uuid;

fn back(id: Uuid) -> Redirect {
    Redirect::to(&format!("/tickets/{id}"))
}

/// Takes the ticket.
pub(crate) async fn take(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Redirect> {
    ticket_take::act(&visitor.app, &visitor.session, TicketId(id)).await?;
    Ok(back(id))
}

/// Asks for a call now.
pub(crate) async fn call(visitor: Visitor, Path(id): Path<Uuid>) -> Result<Redirect> {
    ticket_call::act(&visitor.app, &visitor.session, TicketId(id)).await?;
    Ok(back(id))
}

/// Books the slot that the page showed.
pub(crate) async fn book(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_book::Booking>,
) -> Result<Redirect> {
    ticket_book::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// Says what happened to the visit.
pub(crate) async fn appointment(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_appointment::VisitEvent>,
) -> Result<Redirect> {
    ticket_appointment::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// Closes as a false alarm.
pub(crate) async fn false_alarm(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_false_alarm::Note>,
) -> Result<Redirect> {
    ticket_false_alarm::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// Closes with outcome and verdict.
pub(crate) async fn close(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_close::Outcome>,
) -> Result<Redirect> {
    ticket_close::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}
