//! A call that comes in: the host decides, the same flow is played.

use crate::call::{STOPPING, tell};
use crate::detail::{CallDetail, Direction, EndedBy};
use crate::glare::Back;
use crate::host::{CallHost, CallProgress, InboundDecision, InboundHost, Stranger};
use crate::line::Line;
use crate::media::sdp;
use crate::order::CallOrder;
use crate::outbound::{converse, hang_up, prepare};
use crate::record::Record;
use crate::signaling::identity::Identity;
use crate::signaling::{InboundLeg, LegEvent};
use crate::trunk::NoTrunk;
use hub_core::call_result::CallResult;
use hub_core::phone_number::PhoneNumber;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// Refusals (RFC 3261 §21).
const BUSY: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const UNAVAILABLE: u16 = 480;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const DECLINE: u16 = 603;
/// In the record of a call whose answer was not acknowledged; nobody is sent these.
const NOT_ACKNOWLEDGED: u16 = 408;
const GAVE_UP: u16 = 487;

/// Takes one call from its first request to its end.
pub(crate) async fn take(line: &Line, call: InboundLeg, host: Arc<dyn InboundHost>) {
    let trunk = match line.trunks.of_inbound(call.leg.peer, call.called.as_ref()) {
        Ok(trunk) => trunk,
        Err(NoTrunk::Stranger) => {
            if line.tells("no_trunk") {
                tracing::warn!(peer = %call.leg.peer, "an incoming call was refused: it comes from no trunk");
            }
            call.leg.control.reject(FORBIDDEN);
            return;
        }
        Err(NoTrunk::NotOurs) => {
            if line.tells("not_ours") {
                tracing::warn!(peer = %call.leg.peer, "an incoming call was refused: it is for no number of the trunk");
            }
            call.leg.control.reject(NOT_FOUND);
            return;
        }
    };
    let name = &trunk.config.name;
    let Ok(channel) = Arc::clone(&trunk.channels).try_acquire_owned() else {
        if line.tells("channels") {
            tracing::warn!(
                trunk = name,
                "an incoming call was refused: all channels of its trunk are in use"
            );
        }
        call.leg.control.reject(BUSY);
        return;
    };
    let identity = Identity::of(&call.caller, trunk.config.number_plan.as_ref());
    let is_unchecked = identity.is_unchecked();
    let caller = identity.number(trunk.config.believe_from);
    if caller.is_none() && is_unchecked {
        trunk.unknown.note(Instant::now().into_std());
        if line.tells("unknown") {
            tracing::info!(
                trunk = name,
                "a caller stays unknown: the trunk asserts no number, and its settings do not say believe_from"
            );
        }
    }
    let (call, channel) = match ring_back(line, name, caller.as_ref(), Back { call, channel }) {
        Some(back) => (back.call, back.channel),
        None => return,
    };
    let called = trunk.config.caller_number.clone();
    let mut asked = ask(&host, name.clone(), caller.clone(), called);
    match timeout(line.limits.decide, &mut asked).await {
        Ok(Ok(InboundDecision::Flow(order))) => {
            let detail = answer(line, call, &order, Arc::clone(&host) as Arc<dyn CallHost>).await;
            host.finished(detail).await;
        }
        Ok(Ok(InboundDecision::Stranger(stranger))) => {
            let Stranger { order, host } = *stranger;
            answer(line, call, &order, host).await;
        }
        Ok(Ok(InboundDecision::Busy)) => call.leg.control.reject(BUSY),
        Ok(_) => {
            if line.tells("declined") {
                tracing::info!(trunk = name, ?caller, "an incoming call was declined");
            }
            call.leg.control.reject(DECLINE);
        }
        Err(_) => {
            if line.tells("undecided") {
                tracing::warn!(
                    trunk = name,
                    ?caller,
                    "an incoming call was refused: nobody decided in time"
                );
            }
            call.leg.control.reject(UNAVAILABLE);
            drop((call, channel));
            end_late(line, asked, &*host).await;
        }
    }
}

/// A caller whom we are ringing at this moment is connected in that attempt; any other call comes back.
fn ring_back(line: &Line, trunk: &str, caller: Option<&PhoneNumber>, back: Back) -> Option<Box<Back>> {
    let back = Box::new(back);
    match caller {
        Some(caller) => line.ringing.hand_over(trunk, caller, back).err(),
        None => Some(back),
    }
}

/// In a task of its own: a decision that is late is not torn off half-way.
fn ask(
    host: &Arc<dyn InboundHost>,
    trunk: String,
    caller: Option<PhoneNumber>,
    called: PhoneNumber,
) -> JoinHandle<InboundDecision> {
    let host = Arc::clone(host);
    tokio::spawn(async move { host.answer(&trunk, caller, Some(called)).await })
}

/// The caller is gone; an attempt that the host has begun all the same gets its one end.
async fn end_late(line: &Line, mut asked: JoinHandle<InboundDecision>, host: &dyn InboundHost) {
    match timeout(line.limits.decide_late, &mut asked).await {
        Ok(Ok(InboundDecision::Flow(order))) => {
            let mut record = Record::new(order.attempt, Direction::Inbound);
            let reason = "answered too late";
            record.failed(CallResult::NetworkFailure, Some(UNAVAILABLE), EndedBy::Hub, reason);
            let detail = record.finish();
            line.figures.note(&detail);
            host.finished(detail).await;
        }
        Ok(_) => {}
        Err(_) => {
            asked.abort();
            tracing::error!("a decision about an incoming call never came; an attempt may be left without its end");
        }
    }
}

async fn answer(line: &Line, call: InboundLeg, order: &CallOrder, host: Arc<dyn CallHost>) -> CallDetail {
    let _up = line.figures.begin(Direction::Inbound);
    let mut record = Record::new(order.attempt, Direction::Inbound);
    record.dialed();
    tell(&*host, &record, CallProgress::Dialing).await;
    if let Err((status, reason)) = accept(line, call, order, &host, &mut record).await {
        let by = match status {
            GAVE_UP => EndedBy::Owner,
            _ if line.ending.is_cancelled() => EndedBy::Stopping,
            _ => EndedBy::Hub,
        };
        record.failed(CallResult::NetworkFailure, Some(status), by, reason);
    }
    tell(&*host, &record, CallProgress::Ended).await;
    let detail = record.finish();
    line.figures.note(&detail);
    tracing::info!(attempt = %detail.attempt, caller = %order.to, result = detail.result.as_str(),
        reason = detail.reason, digits = detail.digits, events_unbelieved = detail.audio.events_unbelieved,
        "incoming call ended");
    detail
}

/// Whether a call offers audio that we have, or leaves the offer to us; if not, it is refused. For who has another call to lose.
pub(crate) fn can_be_taken(call: &InboundLeg) -> bool {
    let is_understood = call.offer.is_empty() || sdp::understand(&call.offer).is_ok();
    if !is_understood {
        call.leg.control.reject(NOT_ACCEPTABLE);
    }
    is_understood
}

/// Answers and talks. The error is our refusal and why.
pub(crate) async fn accept(
    line: &Line,
    call: InboundLeg,
    order: &CallOrder,
    host: &Arc<dyn CallHost>,
    record: &mut Record,
) -> Result<(), (u16, String)> {
    let InboundLeg { mut leg, offer, .. } = call;
    let refuse = |leg: &crate::signaling::Leg, status: u16, reason: String| {
        leg.control.reject(status);
        Err((status, reason))
    };
    leg.control.ringing();
    record.ringing();
    tell(&**host, record, CallProgress::Ringing).await;
    // Before anything is prepared for a call that cannot be taken. Without an offer, ours goes into the answer.
    if !offer.is_empty()
        && let Err(error) = sdp::understand(&offer)
    {
        return refuse(&leg, NOT_ACCEPTABLE, error.to_string());
    }
    let prompts = match prepare(line, order).await {
        Ok(prompts) => prompts,
        Err(not_rung) => return refuse(&leg, UNAVAILABLE, not_rung.reason),
    };
    let media = match line.open_media() {
        Ok(media) => media,
        Err(error) => return refuse(&leg, UNAVAILABLE, error.to_string()),
    };
    let local = match line.advertised(media.local()) {
        Ok(local) => local,
        Err(reason) => return refuse(&leg, UNAVAILABLE, reason),
    };
    let session = u64::from(media.local().port());
    let ours = if offer.is_empty() {
        Ok(sdp::offer(local, session))
    } else {
        sdp::answer(local, session, &offer)
    };
    match ours {
        Ok(ours) => leg.control.accept(ours),
        Err(error) => return refuse(&leg, NOT_ACCEPTABLE, error.to_string()),
    }
    let acknowledged = acknowledged(&mut leg.events, offer, line.limits.acknowledge);
    let ended = match line.ending.run_until_cancelled(acknowledged).await {
        Some(Ok((status, theirs))) => {
            record.answered(status);
            converse(line, order, host, record, (&mut leg, media, prompts), &theirs).await;
            Ok(())
        }
        Some(Err(why)) => Err(why),
        None => Err((UNAVAILABLE, STOPPING.into())),
    };
    hang_up(leg, record).await;
    ended
}

/// Waits until our answer to a call with this `offer` is acknowledged. Gives the status, and what the caller says of its audio
/// by then; the error is a status and why there is no conversation.
async fn acknowledged(
    events: &mut mpsc::Receiver<LegEvent>,
    offer: Vec<u8>,
    within: Duration,
) -> Result<(u16, Vec<u8>), (u16, String)> {
    let until = Instant::now() + within;
    let waits_for_ours = offer.is_empty();
    let mut theirs = offer;
    loop {
        let Ok(event) = timeout_at(until, events.recv()).await else {
            return Err((NOT_ACKNOWLEDGED, "the caller did not acknowledge our answer".into()));
        };
        match event {
            Some(LegEvent::Answered { status, description }) => {
                if waits_for_ours && !description.is_empty() {
                    theirs = description;
                }
                return Ok((status, theirs));
            }
            // It wants its audio elsewhere before it has heard any.
            Some(LegEvent::Redescribed(description)) => theirs = description,
            Some(LegEvent::Trying | LegEvent::Ringing(_) | LegEvent::Key(_)) => {}
            Some(LegEvent::Ended) => return Err((GAVE_UP, "the caller gave up before the answer".into())),
            Some(LegEvent::Expired) => return Err((GAVE_UP, "nobody refreshed the session in time".into())),
            Some(LegEvent::Failed { status, reason, .. }) => return Err((status.unwrap_or(GAVE_UP), reason)),
            Some(LegEvent::ByeNotSent(reason)) => return Err((GAVE_UP, reason)),
            None => return Err((GAVE_UP, "signalling ended before the answer was acknowledged".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_before_the_acknowledgement_is_judged_by_itself() {
        let text = |text: &str| text.as_bytes().to_vec();
        let answered = |description| LegEvent::Answered {
            status: 200,
            description: text(description),
        };
        let moved = || LegEvent::Redescribed(text("moved"));
        let failed = LegEvent::Failed {
            retry_after_s: None,
            status: Some(500),
            reason: "why".to_owned(),
        };
        let taken = |theirs| Ok((200, text(theirs)));
        let gave_up = "the caller gave up before the answer".to_owned();
        let over = "signalling ended before the answer was acknowledged".to_owned();
        let table = [
            ("offer", vec![answered("")], taken("offer")),
            ("", vec![answered("answer")], taken("answer")),
            ("", vec![answered("")], taken("")),
            ("offer", vec![moved(), answered("")], taken("moved")),
            (
                "offer",
                vec![LegEvent::Ringing(180), LegEvent::Key('1'), answered("")],
                taken("offer"),
            ),
            ("offer", vec![LegEvent::Ended], Err((487, gave_up.clone()))),
            ("offer", vec![moved(), LegEvent::Ended], Err((487, gave_up))),
            ("offer", vec![failed], Err((500, "why".to_owned()))),
            ("offer", vec![moved()], Err((487, over))),
        ];
        for (offer, events, expected) in table {
            let case = format!("{offer:?} {events:?}");
            let (sender, mut receiver) = mpsc::channel(8);
            for event in events {
                sender.send(event).await.unwrap();
            }
            drop(sender);
            let outcome = acknowledged(&mut receiver, text(offer), Duration::from_secs(60)).await;
            assert_eq!(outcome, expected, "{case}");
        }
        let (sender, mut receiver) = mpsc::channel(8);
        sender.send(moved()).await.unwrap();
        let late = acknowledged(&mut receiver, text("offer"), Duration::from_millis(50)).await;
        assert_eq!(late.map_err(|(status, _)| status), Err(408), "nobody acknowledges");
    }
}
