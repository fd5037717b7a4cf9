//! One leg's dialog on rsipstack: its states become events, and every request that the far side makes in it is answered.

use super::rsip_answers::Refused;
use super::rsip_extensions::{self, content_type};
use super::rsip_session::{self, Next, Session};
use super::session_timer::Answer;
use super::{LegEvent, info};
use crate::media::sdp;
use rsipstack::dialog::dialog::{DialogState, TransactionHandle};
use rsipstack::dialog::invitation::InviteAsyncResult;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, HeadersExt, Method, Request, Response, StatusCode, StatusCodeKind};
use tokio::sync::mpsc;

/// Phones of a forked call whose early descriptions are kept.
const EARLY_MAX: usize = 8;

/// Turns states into events.
pub(super) struct Teller {
    dialog: InviteDialog,
    pub session: Session,
    events: mpsc::Sender<LegEvent>,
    /// What we last said of our audio.
    pub description: Vec<u8>,
    /// What phones said of their audio before the answer, by the tag of each.
    early: Vec<(Option<String>, Vec<u8>)>,
    /// The number of a re-INVITE that brought no offer: the answer to ours comes with its ACK.
    offered: Option<u32>,
    pub answered: bool,
    /// Nothing more happens in it.
    pub over: bool,
}

impl Teller {
    /// A teller of a leg whose audio we have described like this; empty if we have not yet.
    pub fn new(dialog: InviteDialog, events: mpsc::Sender<LegEvent>, description: Vec<u8>) -> Self {
        Self {
            session: Session::new(dialog.clone()),
            dialog,
            events,
            description,
            early: Vec::new(),
            offered: None,
            answered: false,
            over: false,
        }
    }

    /// Tells a state of a leg that we placed.
    pub async fn tell(&mut self, state: DialogState) {
        match state {
            DialogState::Trying(_) => self.send(LegEvent::Trying),
            DialogState::Early(_, response) => {
                let status = response.status_code.code();
                self.keep_early(response);
                self.send(LegEvent::Ringing(status));
            }
            DialogState::Confirmed(_, response) if !self.answered => {
                self.answered = true;
                self.session.answered(&response);
                let status = response.status_code.code();
                let description = self.described_by(response);
                self.send(LegEvent::Answered { status, description });
            }
            DialogState::Confirmed(..) => self.take_answer(),
            DialogState::Terminated(..) if self.answered => {
                self.over = true;
                self.send(LegEvent::Ended);
            }
            other => self.answer_request(other).await,
        }
    }

    /// Tells a state of a leg that came in.
    pub async fn tell_inbound(&mut self, state: DialogState) {
        match state {
            DialogState::Early(..) => {}
            DialogState::WaitAck(_, response) => self.description = response.body,
            DialogState::Terminated(..) => {
                self.over = true;
                self.send(LegEvent::Ended);
            }
            DialogState::Confirmed(..) if !self.answered => {
                self.answered = true;
                self.session.took(&self.dialog.initial_request());
                // With something in it where the offer was ours.
                let description = self.dialog.last_remote_ack().map(|ack| ack.body);
                self.send(LegEvent::Answered {
                    status: 200,
                    description: description.unwrap_or_default(),
                });
            }
            DialogState::Confirmed(..) => self.take_answer(),
            other => self.answer_request(other).await,
        }
    }

    /// Does what the session timer wants.
    pub fn keep_up(&mut self, next: Next) {
        match next {
            Next::Refresh => self.session.refresh(&self.description),
            Next::Kept(description) if description.is_empty() => {}
            Next::Kept(description) => self.send(LegEvent::Redescribed(description)),
            Next::End => {
                self.over = true;
                self.send(LegEvent::Expired);
            }
        }
    }

    /// Keeps what a provisional answer says of the phone's audio.
    fn keep_early(&mut self, response: Response) {
        if self.answered || response.body.is_empty() {
            return;
        }
        let tag = tag_of(&response);
        self.early.retain(|(of, _)| *of != tag);
        if self.early.len() < EARLY_MAX {
            self.early.push((tag, response.body));
        }
    }

    /// What the phone that answered says of its audio: in the answer, or before it, as some gateways have it.
    fn described_by(&mut self, response: Response) -> Vec<u8> {
        let early = std::mem::take(&mut self.early);
        if !response.body.is_empty() {
            return response.body;
        }
        let tag = tag_of(&response);
        let of_phone = early.into_iter().find(|(of, _)| *of == tag);
        of_phone.map(|(_, description)| description).unwrap_or_default()
    }

    /// The ACK of a re-INVITE without an offer has come, with the answer to ours (RFC 3261 §14.2).
    fn take_answer(&mut self) {
        let Some(number) = self.offered else { return };
        // Other requests end in this state too, before the ACK.
        let ack = self.dialog.last_remote_ack();
        let Some(ack) = ack.filter(|ack| number_of(ack) == Some(number)) else {
            return;
        };
        self.offered = None;
        if !ack.body.is_empty() {
            self.send(LegEvent::Redescribed(ack.body));
        }
    }

    /// The final answer of a call that was not taken; `refused` if that is a challenge.
    pub fn fail(&mut self, result: Option<InviteAsyncResult>, refused: Option<Refused>) {
        self.over = true;
        let mut retry_after_s = None;
        let (status, reason) = match (result, refused) {
            (Some(Ok((_, Some(response)))), refused) => {
                retry_after_s = retry_after(&response);
                let status = response.status_code.code();
                let challenge = refused.filter(|refused| refused.status == status);
                (
                    Some(status),
                    challenge.map_or_else(|| reason(&response), |refused| refused.reason),
                )
            }
            // The library found no challenge in it, since none could be answered.
            (Some(Err(_)), Some(refused)) => (Some(refused.status), refused.reason),
            (Some(Ok((_, None))) | None, _) => (None, "no final answer".to_owned()),
            (Some(Err(error)), None) => {
                tracing::debug!(%error, "an INVITE ended in an error");
                (None, "an answer that breaks the protocol".to_owned())
            }
        };
        self.send(LegEvent::Failed {
            status,
            reason,
            retry_after_s,
        });
    }

    /// Hands an event to the call.
    pub fn send(&self, event: LegEvent) {
        // A call that does not take its events any more has ended.
        if self.events.try_send(event).is_err() {
            tracing::debug!("a leg's event had no listener");
        }
    }

    /// Every request inside the dialog gets an answer: an unanswered one would be a 501 after 32 s.
    async fn answer_request(&mut self, state: DialogState) {
        match state {
            DialogState::Updated(_, request, handle) => self.answer_offer(&request, &handle).await,
            DialogState::Options(_, _, handle) => {
                respond(&handle, StatusCode::OK, rsip_extensions::ours(), None).await;
            }
            DialogState::Info(_, request, handle) => {
                let key = info::key(content_type_of(&request), &request.body);
                if let Some(key) = key.filter(|_| self.answered) {
                    self.send(LegEvent::Key(key));
                }
                // Whatever else an INFO carries is not ours.
                if key.is_some() || request.body.is_empty() {
                    reply(&handle, StatusCode::OK).await;
                } else {
                    let headers = vec![rsip_extensions::key_bodies()];
                    respond(&handle, StatusCode::UnsupportedMediaType, headers, None).await;
                }
            }
            DialogState::Refer(_, _, handle) => reply(&handle, StatusCode::Decline).await,
            DialogState::Notify(_, _, handle)
            | DialogState::Publish(_, _, handle)
            | DialogState::Message(_, _, handle) => {
                reply(&handle, StatusCode::NotImplemented).await;
            }
            _ => {}
        }
    }

    /// A re-INVITE or UPDATE: the far side moves its audio, or only refreshes the session.
    async fn answer_offer(&mut self, request: &Request, handle: &TransactionHandle) {
        let timer = rsip_session::asked(request);
        if timer == Answer::TooSmall {
            let headers = rsip_session::too_small(request).into_iter().collect();
            respond(handle, StatusCode::SessionIntervalTooSmall, headers, None).await;
            return;
        }
        let is_invite = request.method == Method::Invite;
        let ours = match request.body.as_slice() {
            // The offer is ours then; an UPDATE without one says nothing of audio (RFC 3311 §5.2).
            [] if is_invite => sdp::offer_again(&self.description).map(Some),
            [] => Ok(None),
            offer => sdp::answer_again(&self.description, offer).map(Some),
        };
        let Ok(ours) = ours else {
            reply(handle, StatusCode::NotAcceptableHere).await;
            return;
        };
        self.session.agree(timer);
        let mut headers = rsip_extensions::ours();
        headers.extend(rsip_session::headers(timer));
        if let Some(ours) = &ours {
            headers.push(content_type());
            self.description.clone_from(ours);
        }
        if is_invite {
            self.offered = number_of(request).filter(|_| request.body.is_empty());
        }
        respond(handle, StatusCode::OK, headers, ours).await;
        if !request.body.is_empty() {
            self.send(LegEvent::Redescribed(request.body.clone()));
        }
    }
}

/// What a request says of its body; empty when it says nothing.
fn content_type_of(request: &Request) -> &str {
    let stated = request.headers.iter().find_map(|header| match header {
        Header::ContentType(stated) => Some(stated.value()),
        _ => None,
    });
    stated.unwrap_or_default()
}

/// The far side's tag in a response.
fn tag_of(response: &Response) -> Option<String> {
    let tag = response.to_header().ok()?.tag().ok()??;
    Some(tag.value().to_owned())
}

/// A request's number.
fn number_of(request: &Request) -> Option<u32> {
    request.cseq_header().ok()?.seq().ok()
}

async fn reply(handle: &TransactionHandle, status: StatusCode) {
    respond(handle, status, vec![], None).await;
}

async fn respond(handle: &TransactionHandle, status: StatusCode, headers: Vec<Header>, body: Option<Vec<u8>>) {
    if handle.respond(status, Some(headers), body).await.is_err() {
        tracing::debug!("a request's transaction had ended before its answer");
    }
}

/// Seconds after which the far side wants to be asked again; a comment or parameters may follow them (RFC 3261 §20.33).
fn retry_after(response: &Response) -> Option<u32> {
    let stated = response.headers.iter().find_map(|header| match header {
        Header::RetryAfter(stated) => Some(stated.value().trim()),
        _ => None,
    })?;
    let digits = stated.find(|c: char| !c.is_ascii_digit()).unwrap_or(stated.len());
    stated.get(..digits)?.parse().ok()
}

/// The final answer in words.
fn reason(response: &Response) -> String {
    if response.status_code.kind() == StatusCodeKind::Successful {
        return "answered just as we gave up; ended at once".to_owned();
    }
    let phrase = response.reason_phrase().unwrap_or_else(|| response.status_code.text());
    phrase.chars().filter(|c| !c.is_control()).take(80).collect()
}
