//! GET /api/v1/tickets: tickets, newest first, or by the times of their promises, or those that are ready to ring.

use super::model::{Page, TicketSummary};
use super::{model, schema};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::ticket::{TicketCategory, TicketKind};
use hub_store::ticket::{TicketFilter, TicketSummary as Summary};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which tickets, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TicketsQuery {
    /// Only this category.
    #[param(schema_with = schema::words::<TicketCategory>)]
    pub category: Option<TicketCategory>,
    /// Only this kind.
    #[param(schema_with = schema::words::<TicketKind>)]
    pub kind: Option<TicketKind>,
    /// Only this label, by its id.
    pub label: Option<String>,
    /// Only those of this log-in name.
    pub assignee: Option<String>,
    /// Only tickets that are not closed and have a promise, the first due first: what is overdue leads the list.
    pub promised: Option<bool>,
    /// Only tickets of which a call waits for nothing but a person's approval, the longest waiting first.
    pub ready_to_ring: Option<bool>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Items on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

/// The page of tickets that a query asks for.
///
/// # Errors
///
/// The limit is out of range, or there is no such page.
pub async fn list(app: &Inner, session: &Session, query: TicketsQuery) -> Result<hub_store::page::Page<Summary>> {
    let limit = model::limit(query.limit)?;
    let filter = TicketFilter {
        category: query.category,
        kind: query.kind,
        label: query.label,
        assignee: query.assignee,
        promised: query.promised.unwrap_or(false),
        ready_to_ring: query.ready_to_ring.unwrap_or(false),
    };
    let page = app
        .store()
        .tickets(session.actor(), &filter, query.after.as_deref(), limit)
        .await?;
    Ok(page)
}

/// Lists tickets, newest first; with `promised`, by the times of their promises, else with `ready_to_ring`, oldest first.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", operation_id = "listTickets", params(TicketsQuery),
    responses(
        (status = 200, description = "A page", body = Page<TicketSummary>),
        (status = 400, description = "Unknown category or kind, or limit out of range", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<TicketsQuery>,
) -> Result<Json<Page<TicketSummary>>> {
    Ok(Json(Page::of(list(&app, &session, query).await?)))
}
