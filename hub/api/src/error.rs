//! Why a request was not carried out: once as problem+json (RFC 9457) for programs, once as a page for people.

use crate::limits::BODY_MAX;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub_core::account::AccountError;
use hub_core::actor::NotAllowed;
use hub_core::appointment::AppointmentError;
use hub_core::error_chain::in_full;
use hub_core::outcome::OutcomeError;
use hub_core::phone_number::PhoneNumberError;
use hub_core::ticket::TicketError;
use hub_store::StoreError;
use serde::Serialize;
use std::error::Error as _;
use utoipa::ToSchema;

/// A request that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No session, or it has ended.
    #[error("log in with POST /api/v1/session and send the token as `Authorization: Bearer …`")]
    NotLoggedIn,
    /// Name and password do not belong together.
    #[error("name or password is wrong")]
    BadLogIn,
    /// Too many wrong passwords or codes.
    #[error("too many tries; try again in {0} seconds")]
    Throttled(u64),
    /// Another site's page sent the request.
    #[error("the request comes from another site; send it from the console itself or with a bearer token only")]
    CrossSite,
    /// Called by a name that is not ours.
    #[error("the hub does not serve this host name; add it to host_names of the configuration, or use an address")]
    UnknownHost,
    /// Something in the request cannot be read.
    #[error("{0}")]
    BadRequest(String),
    /// The client has as many requests under way as it may.
    #[error("too many requests of this address, or of this log-in, are under way; wait for their answers")]
    Busy,
    /// NUL, or another control character where none belongs.
    #[error("a text holds NUL or another control character; take it out and send the request again")]
    ControlCharacters,
    /// A body beyond what is read.
    #[error("a body has at most {max} bytes", max = BODY_MAX)]
    TooLong,
    /// The address is right and the method is not.
    #[error("this address does not take this method; the header Allow says which it takes")]
    MethodNotAllowed,
    /// The body did not come, or the answer was not found, in time.
    #[error("the request was not whole, or its answer not ready, in time; send it again")]
    Late,
    /// No such address.
    #[error("there is nothing at this address; see /api/v1/openapi.json")]
    NoRoute,
    /// POST without a key.
    #[error("send an Idempotency-Key header (1 to 64 printable ASCII characters, new for each act)")]
    KeyMissing,
    /// The key belongs to another request.
    #[error("this Idempotency-Key was used for another request; make a new key for each act")]
    KeyOfOther,
    /// The key's request runs or was cut off.
    #[error("a request with this Idempotency-Key is under way or was cut off; look at the ticket before you try again")]
    KeyUnderWay,
    /// The slot is not the next free one any more.
    #[error("this slot is taken; read the ticket again for the next free one")]
    SlotTaken,
    /// A fault was found, and whether it is the predicted one is not said.
    #[error(
        "a fault was found: say in `verdict` whether it is the predicted one, right or other_fault (not_checked without a prediction)"
    )]
    VerdictMissing,
    /// The service point has no free slot.
    #[error("the service point has no free slot; add slots to the site file, or agree a visit outside")]
    NoSlot,
    /// A claim that does not hold.
    #[error(
        "serial number and code do not belong together, or the code is no longer valid; look at the label again, or ask the maker for a new code"
    )]
    ClaimRefused,
    /// A text that is no telephone number. It is in no answer and no log.
    #[error(transparent)]
    BadPhone(PhoneNumberError),
    /// Metrics are for others.
    #[error(
        "/metrics takes metrics_token of the configuration as bearer token; without one it answers this machine alone"
    )]
    MetricsRefused,
    /// All event streams are in use, or all that one log-in may have.
    #[error("as many event streams are open as may be, of this log-in or in all; close one, or try again in a minute")]
    StreamsFull,
    /// A new password that will not do.
    #[error("a new password has {min} characters or more, at most {max} bytes, and is not the old one")]
    BadPassword {
        /// Fewest characters.
        min: usize,
        /// Most bytes.
        max: usize,
    },
    /// No role of the log-in allows it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The store refused or failed.
    #[error("{}", store_detail(.0))]
    Store(#[from] StoreError),
    /// Password hashing failed: a damaged record.
    #[error("the stored password of this account cannot be read; draw a new one with `forecall account reset`")]
    Password,
}

/// Kind of a problem, left on the answer for pages, which show it to a person.
#[derive(Debug, Clone, Copy)]
pub struct ProblemKind(pub &'static str);

/// What failed on our side, left on the answer for the log ([`crate::told`]): only there it is known what was logged of late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database does not answer.
    Away { cause: String },
    /// A stored value cannot be read.
    Damaged { error: String, cause: String },
    /// The stored hash of a password cannot be read.
    Password,
}

/// Result of a request.
pub type Result<T> = std::result::Result<T, ApiError>;

/// An error as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Kind of problem, `urn:forecall:problem:<kind>`; stays the same from version to version.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What was wrong here, and what to do.
    detail: String,
}

/// Another log-in may, or this one with another role.
const NOT_ALLOWED: (StatusCode, &str, &str) = (StatusCode::FORBIDDEN, "not-allowed", "Not allowed");

/// Which of the ticket's rules refused.
fn ticket_rule(rule: &TicketError) -> &'static str {
    match rule {
        TicketError::Closed(_) => "ticket-closed",
        TicketError::InCall(_) => "ticket-in-call",
        TicketError::NotPlanned(_) => "ticket-not-planned",
        TicketError::NotReadyToRing(_) => "not-ready-to-ring",
        TicketError::NoVisit(_) => "ticket-no-visit",
        TicketError::Visit { source, .. } => match source {
            AppointmentError::Over { .. } => "visit-over",
            AppointmentError::NotConfirmed { .. } => "visit-not-confirmed",
            AppointmentError::Already { .. } => "visit-already",
            AppointmentError::Passed(_) => "slot-passed",
            AppointmentError::NotBegun(_) => "slot-not-begun",
            AppointmentError::ReasonTooLong(_) => "reason-too-long",
        },
        TicketError::NothingToSay(_) => "nothing-to-say",
        TicketError::NotReported(_) => "ticket-not-reported",
        TicketError::UnknownLabel { .. } => "no-such-status",
        TicketError::ResolvedByClosing { .. } => "resolved-by-closing",
        TicketError::Text { .. } => "ticket-text",
        TicketError::PromiseInThePast(_) => "promise-in-the-past",
        TicketError::NoPromise(_) => "no-promise",
        TicketError::NotClosed(_) => "ticket-not-closed",
        TicketError::NothingCorrected(_) => "nothing-corrected",
        TicketError::CorrectedTooOften(_) => "corrected-too-often",
        TicketError::Outcome { source, .. } => match source {
            OutcomeError::Contradiction { .. } => "outcome-contradiction",
            OutcomeError::NothingPredicted => "nothing-predicted",
            OutcomeError::NoteTooLong(_) => "note-too-long",
            OutcomeError::PartLen(_) => "part-too-long",
            OutcomeError::PartWithoutRepair(_) => "part-without-repair",
        },
    }
}

fn store_detail(error: &StoreError) -> String {
    match error {
        // The rules' own words say which ticket and why; the chain's outer text alone would say nothing.
        StoreError::Ticket(inner) => in_full(inner),
        StoreError::Attempt(inner) => inner.to_string(),
        StoreError::Unavailable(_) => "the database did not answer; try again in a moment".to_owned(),
        StoreError::Deposed => "another hub has taken over; try again in a moment".to_owned(),
        StoreError::Unreadable { .. } => "a stored value cannot be read; the log says which".to_owned(),
        StoreError::NotFound { .. }
        | StoreError::Conflict(_)
        | StoreError::Refused(_)
        | StoreError::NotAllowed(_)
        | StoreError::Account(_) => error.to_string(),
    }
}

impl ApiError {
    /// Status, kind and title.
    pub fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            ApiError::NotLoggedIn => (S::UNAUTHORIZED, "not-logged-in", "Not logged in"),
            ApiError::BadLogIn => (S::UNAUTHORIZED, "bad-log-in", "Log-in refused"),
            ApiError::Throttled(_) => (S::TOO_MANY_REQUESTS, "throttled", "Too many attempts"),
            ApiError::CrossSite => (S::FORBIDDEN, "cross-site", "Request from another site"),
            ApiError::UnknownHost => (S::MISDIRECTED_REQUEST, "unknown-host", "Host name not known"),
            ApiError::BadRequest(_) => (S::BAD_REQUEST, "bad-request", "Request cannot be read"),
            ApiError::BadPhone(_) => (S::BAD_REQUEST, "bad-phone", "Telephone number cannot be read"),
            ApiError::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Too many requests under way"),
            ApiError::ControlCharacters => (S::UNPROCESSABLE_ENTITY, "control-characters", "Control characters"),
            ApiError::TooLong => (S::PAYLOAD_TOO_LARGE, "body-too-long", "Body too long"),
            ApiError::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            ApiError::Late => (S::GATEWAY_TIMEOUT, "late", "Not in time"),
            ApiError::NoRoute => (S::NOT_FOUND, "no-such-address", "No such address"),
            ApiError::KeyMissing => (S::BAD_REQUEST, "idempotency-key-missing", "Idempotency key missing"),
            ApiError::KeyOfOther => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "Idempotency key reused",
            ),
            ApiError::KeyUnderWay => (S::CONFLICT, "idempotency-key-under-way", "Request under way"),
            ApiError::SlotTaken => (S::CONFLICT, "slot-taken", "Slot taken"),
            ApiError::VerdictMissing => (S::BAD_REQUEST, "verdict-missing", "Verdict missing"),
            ApiError::NoSlot => (S::CONFLICT, "no-slot", "No free slot"),
            ApiError::ClaimRefused => (S::FORBIDDEN, "claim-refused", "Claim refused"),
            ApiError::MetricsRefused => (S::FORBIDDEN, "metrics-refused", "Metrics refused"),
            ApiError::StreamsFull => (S::SERVICE_UNAVAILABLE, "streams-full", "Too many event streams"),
            ApiError::BadPassword { .. } => (S::UNPROCESSABLE_ENTITY, "bad-password", "Password will not do"),
            ApiError::NotAllowed(_) => NOT_ALLOWED,
            ApiError::Password => (S::INTERNAL_SERVER_ERROR, "damaged", "Stored value damaged"),
            ApiError::Store(error) => match error {
                StoreError::Unavailable(_) => (S::SERVICE_UNAVAILABLE, "unavailable", "Database unavailable"),
                StoreError::Deposed => (S::SERVICE_UNAVAILABLE, "taken-over", "Another hub has taken over"),
                StoreError::NotFound { .. } => (S::NOT_FOUND, "not-found", "Not found"),
                StoreError::Conflict(_) => (S::CONFLICT, "conflict", "Somebody was faster"),
                StoreError::Ticket(rule) => (S::CONFLICT, ticket_rule(rule), "Refused by a rule"),
                StoreError::Attempt(_) => (S::CONFLICT, "attempt-ended", "Refused by a rule"),
                StoreError::Unreadable { .. } => (S::INTERNAL_SERVER_ERROR, "damaged", "Stored value damaged"),
                StoreError::Refused(_) => (S::UNPROCESSABLE_ENTITY, "refused", "Refused"),
                StoreError::NotAllowed(_) | StoreError::Account(AccountError::NotAllowed(_)) => NOT_ALLOWED,
                StoreError::Account(AccountError::Unknown(_)) => (S::NOT_FOUND, "not-found", "Not found"),
                StoreError::Account(_) => (S::CONFLICT, "account", "Refused by a rule of accounts"),
            },
        }
    }

    /// Seconds after which trying again may help.
    fn retry_after_s(&self) -> Option<u64> {
        match self {
            ApiError::Throttled(seconds) => Some(*seconds),
            ApiError::StreamsFull => Some(60),
            ApiError::Busy => Some(2),
            ApiError::Store(StoreError::Unavailable(_) | StoreError::Deposed) => Some(2),
            _ => None,
        }
    }

    /// What a person must look at; the rest is nobody's fault but the client's.
    fn fault(&self) -> Option<Fault> {
        match self {
            ApiError::Store(error @ (StoreError::Unavailable(_) | StoreError::Unreadable { .. })) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                Some(match error {
                    StoreError::Unavailable(_) => Fault::Away { cause },
                    _ => Fault::Damaged {
                        error: error.to_string(),
                        cause,
                    },
                })
            }
            ApiError::Password => Some(Fault::Password),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, kind, title) = self.kind();
        let problem = Problem {
            kind: format!("urn:forecall:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
        };
        let mut response = (status, axum::Json(problem)).into_response();
        response.extensions_mut().insert(ProblemKind(kind));
        if let Some(fault) = self.fault() {
            response.extensions_mut().insert(fault);
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Gives a page that shows a problem what the problem itself says to others: when to try again, and what is to be logged.
pub fn carry_over(problem: &Response, page: &mut Response) {
    if let Some(wait) = problem.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    if let Some(fault) = problem.extensions().get::<Fault>() {
        page.extensions_mut().insert(fault.clone());
    }
}

/// Says in words what the parts below every handler refuse with a status alone.
pub(crate) async fn in_words(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || response.extensions().get::<ProblemKind>().is_some() {
        return response;
    }
    match response.status() {
        // The router adds Allow behind this.
        StatusCode::METHOD_NOT_ALLOWED => ApiError::MethodNotAllowed.into_response(),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLong.into_response(),
        StatusCode::GATEWAY_TIMEOUT => ApiError::Late.into_response(),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_on_our_side_goes_along_for_the_log() {
        let fault = |error: ApiError| error.into_response().extensions().get::<Fault>().cloned();
        let away = StoreError::Unavailable("gone".into());
        let cause = "gone".to_owned();
        assert_eq!(fault(away.into()), Some(Fault::Away { cause }));
        assert_eq!(fault(ApiError::Password), Some(Fault::Password));
        assert_eq!(fault(ApiError::NoRoute), None);
    }
}
