//! The forms of the ticket page. Each calls the function of the API's endpoint and goes back to the ticket.

use crate::pages::parts::address::local;
use crate::visitor::Visitor;
use axum::response::Redirect;
use hub_api::error::{ApiError, Result};
use hub_api::extract::{FormBody, Path};
use hub_api::{
    ticket_appointment, ticket_book, ticket_call, ticket_call_approve, ticket_call_refuse, ticket_close,
    ticket_correction, ticket_false_alarm, ticket_note, ticket_open, ticket_promise, ticket_promise_kept,
    ticket_promise_released, ticket_status, ticket_take,
};
use hub_core::id::TicketId;
use hub_core::outcome::{Resolution, Verdict};
use hub_core::ticket::TicketKind;
use hub_store::ticket::TicketView;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// Where the form of an act is sent.
pub(super) fn action(view: &TicketView, act: &str) -> String {
    format!("/tickets/{}/{act}", view.ticket.id)
}

fn back(id: Uuid) -> Redirect {
    Redirect::to(&format!("/tickets/{id}"))
}

/// What a person wants done at an appliance.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    kind: TicketKind,
    note: String,
}

/// Opens a ticket of an appliance and goes to it.
pub(crate) async fn open(
    visitor: Visitor,
    Path(appliance): Path<i64>,
    FormBody(form): FormBody<Wanted>,
) -> Result<Redirect> {
    let wanted = ticket_open::Wanted {
        appliance,
        kind: form.kind,
        note: form.note,
    };
    let ticket = ticket_open::act(&visitor.app, &visitor.session, wanted).await?;
    Ok(back(ticket.id.0))
}

/// Gives the ticket another label.
pub(crate) async fn status(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_status::Choice>,
) -> Result<Redirect> {
    ticket_status::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// Writes a note.
pub(crate) async fn note(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_note::Text>,
) -> Result<Redirect> {
    ticket_note::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// A promise as the form has it: by a time of the reader's zone.
#[derive(Deserialize)]
pub(crate) struct Promised {
    what: String,
    to: String,
    by: jiff::civil::DateTime,
}

/// Notes a promise.
pub(crate) async fn promise(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<Promised>,
) -> Result<Redirect> {
    let by = form.by.to_zoned(visitor.reader.zone.clone());
    let promise = ticket_promise::Promised {
        what: form.what,
        to: form.to,
        by: by.map_err(|error| ApiError::BadRequest(error.to_string()))?.timestamp(),
    };
    ticket_promise::act(&visitor.app, &visitor.session, TicketId(id), promise).await?;
    Ok(back(id))
}

/// Takes a promise off the ticket.
pub(crate) async fn promise_kept(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_promise_kept::Kept>,
) -> Result<Redirect> {
    ticket_promise_kept::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
}

/// Takes a promise off the ticket though it was not kept.
pub(crate) async fn promise_released(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<ticket_promise_released::Release>,
) -> Result<Redirect> {
    ticket_promise_released::act(&visitor.app, &visitor.session, TicketId(id), form).await?;
    Ok(back(id))
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

/// The page from which a call was decided about: the ticket's own where none is named.
fn back_to(id: Uuid, page: &str) -> Redirect {
    if page.is_empty() {
        return back(id);
    }
    Redirect::to(local(page))
}

/// An approval, and the page to go back to.
#[derive(Deserialize)]
pub(crate) struct Approved {
    #[serde(default)]
    back: String,
}

/// Approves the call.
pub(crate) async fn approve_call(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<Approved>,
) -> Result<Redirect> {
    ticket_call_approve::act(&visitor.app, &visitor.session, TicketId(id)).await?;
    Ok(back_to(id, &form.back))
}

/// A refusal with its reason, and the page to go back to.
#[derive(Deserialize)]
pub(crate) struct Refused {
    reason: String,
    #[serde(default)]
    back: String,
}

/// Refuses the call.
pub(crate) async fn refuse_call(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<Refused>,
) -> Result<Redirect> {
    let refusal = ticket_call_refuse::Refusal { reason: form.reason };
    ticket_call_refuse::act(&visitor.app, &visitor.session, TicketId(id), refusal).await?;
    Ok(back_to(id, &form.back))
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

/// An end as the forms have it.
#[derive(Deserialize)]
pub(crate) struct Ended {
    resolution: Resolution,
    #[serde(default, deserialize_with = "chosen")]
    verdict: Option<Verdict>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    part: String,
    /// Why another end takes its place, if one does.
    #[serde(default)]
    reason: String,
}

impl Ended {
    /// What is asked of a fault that was found does not count where the resolution says that there was none, or nobody looked.
    fn verdict(&self) -> Option<Verdict> {
        match self.verdict {
            Some(Verdict::Right | Verdict::OtherFault) => self.resolution.implied_verdict().or(self.verdict),
            other => other,
        }
    }
}

/// A choice that was left open is an empty word.
fn chosen<'de, D: Deserializer<'de>>(form: D) -> std::result::Result<Option<Verdict>, D::Error> {
    let word = String::deserialize(form)?;
    if word.is_empty() {
        return Ok(None);
    }
    Verdict::deserialize(word.into_deserializer()).map(Some)
}

/// Closes with outcome and verdict.
pub(crate) async fn close(visitor: Visitor, Path(id): Path<Uuid>, FormBody(form): FormBody<Ended>) -> Result<Redirect> {
    let outcome = ticket_close::Outcome {
        resolution: form.resolution,
        verdict: form.verdict(),
        note: form.note,
        part: Some(form.part),
    };
    ticket_close::act(&visitor.app, &visitor.session, TicketId(id), outcome).await?;
    Ok(back(id))
}

/// Corrects outcome and verdict.
pub(crate) async fn correction(
    visitor: Visitor,
    Path(id): Path<Uuid>,
    FormBody(form): FormBody<Ended>,
) -> Result<Redirect> {
    let correction = ticket_correction::Correction {
        resolution: form.resolution,
        verdict: form.verdict(),
        note: form.note,
        part: Some(form.part),
        reason: form.reason,
    };
    ticket_correction::act(&visitor.app, &visitor.session, TicketId(id), correction).await?;
    Ok(back(id))
}
