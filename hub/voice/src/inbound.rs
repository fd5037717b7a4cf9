//! A call that comes in: the host decides, the same flow is played.

use crate::call::tell;
use crate::detail::{CallDetail, Direction};
use crate::host::{CallHost, CallProgress, InboundDecision, InboundHost};
use crate::media::sdp;
use crate::order::CallOrder;
use crate::outbound::{converse, prepare};
use crate::record::Record;
use crate::signaling::{InboundLeg, LegEvent};
use crate::voice::Line;
use hub_core::call_result::CallResult;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The host decides within this time.
const DECIDE: Duration = Duration::from_secs(5);
/// Refusals (RFC 3261 §21).
const BUSY: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const UNAVAILABLE: u16 = 480;
const DECLINE: u16 = 603;

/// Takes one call from its first request to its end.
pub(crate) async fn take(line: &Line, call: InboundLeg, host: Arc<dyn InboundHost>) {
    let Some(_channel) = line.inbound_channel(call.leg.peer) else {
        tracing::warn!(peer = %call.leg.peer, "an incoming call was refused: all channels of its trunk are in use");
        call.leg.control.reject(BUSY);
        return;
    };
    let decision = timeout(DECIDE, host.answer(call.caller.clone(), call.called.clone())).await;
    let Ok(InboundDecision::Flow(order)) = decision else {
        tracing::info!(caller = ?call.caller, in_time = decision.is_ok(), "an incoming call was declined");
        call.leg.control.reject(DECLINE);
        return;
    };
    let detail = answer(line, call, &order, Arc::clone(&host) as Arc<dyn CallHost>).await;
    host.finished(detail).await;
}

async fn answer(line: &Line, call: InboundLeg, order: &CallOrder, host: Arc<dyn CallHost>) -> CallDetail {
    let mut record = Record::new(order.attempt, Direction::Inbound);
    record.dialed();
    tell(&*host, &record, CallProgress::Dialing).await;
    if let Err((status, reason)) = accept(line, call, order, &host, &mut record).await {
        record.failed(CallResult::NetworkFailure, Some(status), reason);
    }
    tell(&*host, &record, CallProgress::Ended).await;
    let detail = record.finish();
    tracing::info!(attempt = %detail.attempt, caller = %order.to, result = detail.result.as_str(),
        reason = detail.reason, digits = detail.digits, "incoming call ended");
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
    let negotiated = match sdp::understand(&offer) {
        Ok(negotiated) => negotiated,
        Err(error) => return refuse(&leg, NOT_ACCEPTABLE, error.to_string()),
    };
    let prompts = match prepare(line, order).await {
        Ok(prompts) => prompts,
        Err(reason) => return refuse(&leg, UNAVAILABLE, reason),
    };
    let media = match line.open_media() {
        Ok(media) => media,
        Err(error) => return refuse(&leg, UNAVAILABLE, error.to_string()),
    };
    let session = u64::from(media.local().port());
    leg.control
        .accept(sdp::answer(line.advertised(media.local()), session, &negotiated));
    match timeout(line.limits.acknowledge, leg.events.recv()).await {
        Ok(Some(LegEvent::Answered { status, .. })) => record.answered(status),
        Ok(_) => return Err((487, "the caller gave up before the answer".into())),
        Err(_) => return Err((408, "the caller did not acknowledge our answer".into())),
    }
    converse(line, order, host, record, (leg, media, prompts), &offer).await;
    Ok(())
}
