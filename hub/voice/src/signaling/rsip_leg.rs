//! One leg on rsipstack: it is placed or taken, ended, and at the end nothing of it stays behind. What happens in between is
//! told by `rsip_teller`.

use super::rsip_answers::CallAnswers;
use super::rsip_extensions::{self, content_type};
use super::rsip_hop::LegRoute;
use super::rsip_session;
use super::rsip_teller::Teller;
use super::{LegControl, LegEvent, REQUEST_DEADLINE};
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteAsyncResult;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::StatusCode;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

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
