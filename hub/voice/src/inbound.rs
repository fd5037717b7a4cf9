//! A call that comes in: the host decides, the same flow is played.

use crate::call::{STOPPING, tell};
use crate::detail::{CallDetail, Direction};
use crate::host::{CallHost, CallProgress, InboundDecision, InboundHost};
use crate::media::sdp;
use crate::order::CallOrder;
use crate::outbound::{converse, hang_up, prepare};
use crate::record::Record;
use crate::signaling::{InboundLeg, LegEvent};
use crate::voice::{Line, NoTrunk};
use hub_core::call_result::CallResult;
use hub_core::phone_number::PhoneNumber;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Refusals (RFC 3261 §21).
const BUSY: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const UNAVAILABLE: u16 = 480;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const DECLINE: u16 = 603;

/// Takes one call from its first request to its end.
pub(crate) async fn take(line: &Line, call: InboundLeg, host: Arc<dyn InboundHost>) {
    let trunk = match line.inbound_trunk(call.leg.peer, call.called.as_ref()) {
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
    let caller = call.caller.clone().number(trunk.config.believe_from);
    if caller.is_none() && call.caller.is_unchecked() {
        trunk.unknown.note(Instant::now().into_std());
        if line.tells("unknown") {
            tracing::info!(
                trunk = name,
                "a caller stays unknown: the trunk asserts no number, and its settings do not say believe_from"
            );
        }
    }
    let called = trunk.config.caller_number.clone();
    let mut asked = ask(&host, name.clone(), caller.clone(), called);
    match timeout(line.limits.decide, &mut asked).await {
        Ok(Ok(InboundDecision::Flow(order))) => {
            let detail = answer(line, call, &order, Arc::clone(&host) as Arc<dyn CallHost>).await;
            host.finished(detail).await;
        }
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
            record.failed(CallResult::NetworkFailure, Some(UNAVAILABLE), "answered too late");
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
        record.failed(CallResult::NetworkFailure, Some(status), reason);
    }
    tell(&*host, &record, CallProgress::Ended).await;
    let detail = record.finish();
    line.figures.note(&detail);
    tracing::info!(attempt = %detail.attempt, caller = %order.to, result = detail.result.as_str(),
        reason = detail.reason, digits = detail.digits, events_unbelieved = detail.audio.events_unbelieved,
        "incoming call ended");
    detail
}

/// The error is our refusal and why.
async fn accept(
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
        Err(reason) => return refuse(&leg, UNAVAILABLE, reason),
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
    let acknowledged = timeout(line.limits.acknowledge, leg.events.recv());
    let ended = match line.ending.run_until_cancelled(acknowledged).await {
        Some(Ok(Some(LegEvent::Answered { status, description }))) => {
            record.answered(status);
            let theirs = if offer.is_empty() { description } else { offer };
            converse(line, order, host, record, (&mut leg, media, prompts), &theirs).await;
            Ok(())
        }
        None => Err((UNAVAILABLE, STOPPING.into())),
        Some(Ok(_)) => Err((487, "the caller gave up before the answer".into())),
        Some(Err(_)) => Err((408, "the caller did not acknowledge our answer".into())),
    };
    hang_up(leg, record).await;
    ended
}
