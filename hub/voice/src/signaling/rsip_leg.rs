//! One leg on rsipstack: its dialog's states become events; every request the far side makes in it is answered; at the end
//! nothing of it stays behind.

use super::rsip_answers::{CallAnswers, Refused};
use super::rsip_hop::LegRoute;
use super::rsip_session::{self, Next, Session};
use super::session_timer::Answer;
use super::{LegControl, LegEvent, info, rsip_extensions};
use crate::media::sdp;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TransactionHandle};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteAsyncResult;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, HeadersExt, Method, Request, Response, StatusCode, StatusCodeKind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The library's BYE or CANCEL towards a dead peer ends after 64 times T1; a little more is our own limit.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(33);
/// Phones of a forked call whose early descriptions are kept.
const EARLY_MAX: usize = 8;

/// The handle that the call holds.
pub(super) struct Control {
    pub dialog: InviteDialog,
    pub _ended: DropGuard,
}

impl LegControl for Control {
    fn cancel(&self) {
        let dialog = self.dialog.clone();
        tokio::spawn(async move {
            match timeout(REQUEST_DEADLINE, dialog.cancel()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a CANCEL was not accepted"),
                Err(_) => tracing::debug!("a CANCEL was not answered"),
            }
        });
    }

    fn ringing(&self) {
        log(self.dialog.ringing(None, None));
    }

    fn accept(&self, description: Vec<u8>) {
        let mut headers = rsip_extensions::ours();
        headers.push(content_type());
        headers.extend(rsip_session::headers(rsip_session::asked(
            &self.dialog.initial_request(),
        )));
        log(self.dialog.accept(Some(headers), Some(description)));
    }

    fn reject(&self, status: u16) {
        log(self.dialog.reject(Some(StatusCode::from(status)), None));
    }
}

fn log(result: rsipstack::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a SIP answer could not be sent");
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

pub(super) fn content_type() -> Header {
    Header::ContentType("application/sdp".into())
}

/// What an outbound leg's task owns.
pub(super) struct OutboundLeg {
    pub layer: Arc<DialogLayer>,
    pub dialog: InviteDialog,
    pub outcome: JoinHandle<InviteAsyncResult>,
    pub states: DialogStateReceiver,
    pub events: mpsc::Sender<LegEvent>,
    pub ended: CancellationToken,
    pub description: Vec<u8>,
    pub answers: CallAnswers,
    pub route: LegRoute,
}

/// Runs an outbound leg to its end.
pub(super) async fn run_outbound(leg: OutboundLeg) {
    let OutboundLeg {
        layer,
        dialog,
        mut outcome,
        mut states,
        events,
        ended,
        description,
        answers,
        mut route,
    } = leg;
    let mut teller = Teller::new(dialog.clone(), events, description);
    let mut decided = false;
    while !teller.over {
        tokio::select! {
            biased;
            () = ended.cancelled() => break,
            Some(state) = states.recv() => teller.tell(state).await,
            result = &mut outcome, if !decided => {
                decided = true;
                while let Ok(state) = states.try_recv() {
                    teller.tell(state).await;
                }
                if !teller.answered {
                    teller.fail(result.ok(), answers.refused());
                }
            }
            next = teller.session.next() => teller.keep_up(next),
        }
    }
    if !decided {
        // The library's guard stops the retransmissions, cancels what rings and ends what is answered all the same.
        outcome.abort();
    }
    finish(&layer, &dialog, &mut route, teller).await;
    // Until here: a BYE can be challenged too, and has to find its way.
    drop((answers, route));
}

/// Runs an inbound leg to its end; the dialog's own task answers the INVITE.
pub(super) async fn run_inbound(
    layer: Arc<DialogLayer>,
    dialog: InviteDialog,
    mut states: DialogStateReceiver,
    events: mpsc::Sender<LegEvent>,
    ended: CancellationToken,
    mut route: LegRoute,
) {
    let mut teller = Teller::new(dialog.clone(), events, Vec::new());
    while !teller.over {
        tokio::select! {
            biased;
            () = ended.cancelled() => break,
            Some(state) = states.recv() => teller.tell_inbound(state).await,
            next = teller.session.next() => teller.keep_up(next),
        }
    }
    if dialog.state().can_cancel() {
        log(dialog.reject(Some(StatusCode::TemporarilyUnavailable), None));
    }
    let is_answered = !teller.description.is_empty();
    finish(&layer, &dialog, &mut route, teller).await;
    if !is_answered {
        // It was never answered: no request of ours follows.
        route.forget();
    }
}

/// BYE if the dialog lives, then nothing of it stays in the library's tables. Who waits for the end is told as soon as the BYE
/// is on its way.
async fn finish(layer: &DialogLayer, dialog: &InviteDialog, route: &mut LegRoute, teller: Teller) {
    let state = dialog.state();
    if state.is_confirmed() || state.waiting_ack() {
        let phone = dialog.id().remote_tag;
        let mut bye = pin!(timeout(REQUEST_DEADLINE, dialog.bye()));
        let (sent, ended) = tokio::select! {
            biased;
            sent = route.bye_left(&phone) => (sent, None),
            ended = &mut bye => (unsent(&ended), Some(ended)),
        };
        if let Err(reason) = sent {
            let tag = dialog.id().local_tag;
            tracing::warn!(
                tag,
                reason,
                "a BYE could not be sent: the far side may believe that the call is up"
            );
            teller.send(LegEvent::ByeNotSent(reason));
        }
        drop(teller);
        let ended = match ended {
            Some(ended) => ended,
            None => bye.await,
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a BYE was not accepted"),
            Err(_) => tracing::debug!("a BYE was not answered"),
        }
    }
    layer.remove_dialog(&dialog.id());
}

/// Why a BYE that ended without having left was not sent; nothing if the far side was faster.
fn unsent(ended: &Result<rsipstack::Result<()>, Elapsed>) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it did not leave in time".to_owned()),
    }
}

/// Turns states into events.
struct Teller {
    dialog: InviteDialog,
    session: Session,
    events: mpsc::Sender<LegEvent>,
    /// What we last said of our audio.
    description: Vec<u8>,
    /// What phones said of their audio before the answer, by the tag of each.
    early: Vec<(Option<String>, Vec<u8>)>,
    /// The number of a re-INVITE that brought no offer: the answer to ours comes with its ACK.
    offered: Option<u32>,
    answered: bool,
    over: bool,
}

impl Teller {
    fn new(dialog: InviteDialog, events: mpsc::Sender<LegEvent>, description: Vec<u8>) -> Self {
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

    async fn tell(&mut self, state: DialogState) {
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

    async fn tell_inbound(&mut self, state: DialogState) {
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
    fn keep_up(&mut self, next: Next) {
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
    fn fail(&mut self, result: Option<InviteAsyncResult>, refused: Option<Refused>) {
        self.over = true;
        let (status, reason) = match (result, refused) {
            (Some(Ok((_, Some(response)))), refused) => {
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
        self.send(LegEvent::Failed { status, reason });
    }

    fn send(&self, event: LegEvent) {
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

/// The final answer in words.
fn reason(response: &Response) -> String {
    if response.status_code.kind() == StatusCodeKind::Successful {
        return "answered just as we gave up; ended at once".to_owned();
    }
    let phrase = response.reason_phrase().unwrap_or_else(|| response.status_code.text());
    phrase.chars().filter(|c| !c.is_control()).take(80).collect()
}
