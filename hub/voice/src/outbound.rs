//! A call that the hub places: from the prompts to the record, every wait bounded.

use crate::call::{Conversation, STOP_MAX, STOPPING, connect, tell};
use crate::config::Limits;
use crate::detail::{CallDetail, Direction, EndedBy};
use crate::flow::Walk;
use crate::glare::{Awaited, Back};
use crate::host::{CallHost, CallProgress};
use crate::inbound;
use crate::line::{Line, NotRung};
use crate::media::{MediaSession, sdp};
use crate::order::CallOrder;
use crate::prompt::Prompts;
use crate::record::Record;
use crate::signaling::{Leg, LegEvent, PlaceCall};
use crate::trunk::{Channel, Trunk};
use hub_core::call_result::CallResult;
use hub_core::error_chain::in_full;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Places the call of `order`. Returns exactly one detail, within the sum of the limits.
pub(crate) async fn ring(
    line: &Line,
    order: CallOrder,
    host: Arc<dyn CallHost>,
    channel: Option<Channel>,
) -> CallDetail {
    let _up = line.figures.begin(Direction::Outbound);
    let mut record = Record::new(order.attempt, Direction::Outbound);
    if let Err(not_rung) = attempt(line, &order, &host, channel, &mut record).await {
        record.this_call_only = not_rung.this_call_only;
        record.failed(not_rung.result, None, not_rung.by, not_rung.reason);
    }
    tell(&*host, &record, CallProgress::Ended).await;
    let detail = record.finish();
    line.figures.note(&detail);
    tracing::info!(attempt = %detail.attempt, to = %order.to, result = detail.result.as_str(), status = detail.sip_status,
        reason = detail.reason, digits = detail.digits, events_unbelieved = detail.audio.events_unbelieved,
        "call ended");
    detail
}

async fn attempt(
    line: &Line,
    order: &CallOrder,
    host: &Arc<dyn CallHost>,
    channel: Option<Channel>,
    record: &mut Record,
) -> Result<(), NotRung> {
    let trunk = line.trunk(&order.trunk)?;
    // At once: the attempt is stored, and who looks its owner up finds them in a call.
    let mut awaited = line.ringing.add(order);
    let prompts = prepare(line, order).await?;
    let _channel = match channel {
        Some(channel) => channel,
        None => {
            let channel = line.ending.run_until_cancelled(line.channel(&trunk)).await;
            channel.ok_or_else(NotRung::stopping)??
        }
    };
    let unknown = || {
        format!(
            "the name of the trunk's proxy, {}, could not be resolved",
            trunk.config.proxy
        )
    };
    let proxy = trunk.peer.place.first().ok_or_else(|| NotRung::trunk(unknown()))?;
    let media = line.open_media().map_err(|error| error.to_string())?;
    let session = u64::from(media.local().port());
    let offer = sdp::offer(line.advertised(media.local())?, session);
    record.dialed();
    tell(&**host, record, CallProgress::Dialing).await;
    let place = PlaceCall {
        trunk: trunk.config.clone(),
        proxy,
        to: order.to.clone(),
        offer,
    };
    let placed = line.stack.place(place).await;
    let mut leg = placed.map_err(|error| NotRung::trunk(error.to_string()))?;
    let patience = Patience::of(&trunk, line.limits);
    let answer = await_answer(line, (&mut leg, &mut awaited), &**host, record, patience).await;
    drop(awaited);
    match answer {
        Answer::Taken(description) => {
            converse(line, order, host, record, (&mut leg, media, prompts), &description).await;
            hang_up(leg, record).await;
        }
        Answer::RangBack(back) => {
            // What rings is cancelled, and what is answered at this very moment gets its BYE.
            leg.control.cancel();
            drop((leg, media));
            let Back { call, channel: _own } = *back;
            record.rang_back = true;
            if let Err((status, reason)) = inbound::accept(line, call, order, host, record).await {
                record.failed(CallResult::NetworkFailure, Some(status), EndedBy::Hub, reason);
            }
        }
        Answer::None => {}
    }
    Ok(())
}

/// How the wait for an answer ends.
enum Answer {
    /// Somebody answered, with this session description.
    Taken(Vec<u8>),
    /// The owner rings us.
    RangBack(Box<Back>),
    /// Nobody; the record holds why.
    None,
}

/// Ends an answered call. A BYE that could not be sent is in the record: somebody may go on paying for the call.
pub(crate) async fn hang_up(leg: Leg, record: &mut Record) {
    if let Err(reason) = leg.hang_up().await {
        record.bye_not_sent(reason);
    }
}

/// Everything that may have to be said, before anybody is rung.
pub(crate) async fn prepare(line: &Line, order: &CallOrder) -> Result<Prompts, NotRung> {
    let CallOrder {
        language, flow, values, ..
    } = order;
    flow.accepts(values)
        .map_err(|error| NotRung::this_call(error.to_string()))?;
    let prompts = timeout(line.limits.prepare, line.prompts.prepare(*language, flow, values));
    match line.ending.run_until_cancelled(prompts).await {
        Some(Ok(Ok(prompts))) => Ok(prompts),
        Some(Ok(Err(error))) => {
            let reason = format!("the prompts could not be prepared: {}", in_full(&error));
            Err(if error.is_of_the_text() {
                NotRung::this_call(reason)
            } else {
                reason.into()
            })
        }
        Some(Err(_)) => Err("the prompts could not be prepared in time".to_owned().into()),
        None => Err(NotRung::stopping()),
    }
}

pub(crate) async fn converse(
    line: &Line,
    order: &CallOrder,
    host: &Arc<dyn CallHost>,
    record: &mut Record,
    (leg, media, prompts): (&mut Leg, MediaSession, Prompts),
    description: &[u8],
) {
    let negotiated = match connect(&media, description) {
        Ok(negotiated) => negotiated,
        Err(error) => {
            record.without_audio(error);
            return;
        }
    };
    record.no_key_way = negotiated.event_type.is_none();
    let walk = Walk::new(Arc::clone(&order.flow), prompts.present.clone());
    let conversation = Conversation {
        leg,
        media,
        prompts,
        walk,
        host: Arc::clone(host),
        limits: line.limits,
        ending: &line.ending,
        record,
    };
    conversation.run().await;
}

/// Why we gave a call up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GaveUp {
    /// The network took it but nothing rang in time.
    NothingRang,
    /// Nobody answered, as long as we let it ring.
    NobodyAnswered,
}

impl GaveUp {
    /// Who ended the call, in words: what the network says then is the answer to our CANCEL only.
    fn reason(gave_up: Option<Self>, said: String) -> String {
        match gave_up {
            None => said,
            Some(Self::NothingRang) => format!("we gave up, since nothing rang in time; the trunk: {said}"),
            Some(Self::NobodyAnswered) => format!("we gave up, since nobody answered in time; the trunk: {said}"),
        }
    }
}

/// How long a call is waited for before anything rings.
#[derive(Clone, Copy)]
struct Patience {
    post_dial: Duration,
    trying: Duration,
}

impl Patience {
    /// The trunk's own limits, else the general ones.
    fn of(trunk: &Trunk, limits: Limits) -> Self {
        let or = |own: Option<u8>, general| own.map_or(general, |own| Duration::from_secs(u64::from(own)));
        Self {
            post_dial: or(trunk.config.post_dial_limit_s, limits.post_dial),
            trying: or(trunk.config.trying_limit_s, limits.trying),
        }
    }
}

/// Waits for the answer. With none, the record holds why, and the leg is to be dropped.
async fn await_answer(
    line: &Line,
    (leg, awaited): (&mut Leg, &mut Awaited),
    host: &dyn CallHost,
    record: &mut Record,
    patience: Patience,
) -> Answer {
    let mut deadline = Instant::now() + patience.post_dial;
    let mut taken = false;
    let (mut gave_up, mut stopping) = (None, false);
    loop {
        let event = tokio::select! {
            biased;
            () = line.ending.cancelled(), if !stopping => {
                stopping = true;
                record.stopping(STOPPING);
                give_up(leg, record, &mut gave_up);
                deadline = Instant::now() + line.limits.cancel.min(STOP_MAX);
                continue;
            }
            // Before what becomes of our call: where both lines ring each other, each is told that the other is busy.
            back = awaited.rings_back(), if !stopping => {
                if inbound::can_be_taken(&back.call) {
                    return Answer::RangBack(back);
                }
                continue;
            }
            event = timeout_at(deadline, leg.events.recv()) => event,
        };
        match event {
            Ok(Some(LegEvent::Trying)) => {
                if !taken && gave_up.is_none() {
                    deadline = Instant::now() + patience.trying;
                }
                taken = true;
            }
            Ok(Some(LegEvent::Ringing(_))) => {
                taken = true;
                if record.ringing() {
                    if gave_up.is_none() {
                        deadline = Instant::now() + line.limits.ring;
                    }
                    tell(host, record, CallProgress::Ringing).await;
                }
            }
            Ok(Some(LegEvent::Answered { status, description })) if gave_up.is_none() => {
                record.answered(status);
                return Answer::Taken(description);
            }
            Ok(Some(LegEvent::Answered { status, .. })) => {
                let reason = "answered just as we gave up; ended at once";
                record.failed(class(gave_up, Some(status), record), Some(status), EndedBy::Hub, reason);
                return Answer::None;
            }
            Ok(Some(LegEvent::Failed {
                status,
                reason,
                retry_after_s,
            })) => {
                let result = class(gave_up, status, record);
                record.retry_after_s = retry_after_s.filter(|_| gave_up.is_none());
                record.failed(result, status, who(gave_up, result), GaveUp::reason(gave_up, reason));
                return Answer::None;
            }
            Ok(Some(LegEvent::Redescribed(_) | LegEvent::Key(_))) => {}
            Ok(Some(LegEvent::Ended | LegEvent::Expired | LegEvent::ByeNotSent(_)) | None) => {
                let result = class(gave_up, None, record);
                record.failed(result, None, who(gave_up, result), "signalling ended without an answer");
                return Answer::None;
            }
            Err(_) if gave_up.is_some() => {
                let reason = "given up; the trunk did not confirm that it stopped";
                record.failed(class(gave_up, None, record), None, EndedBy::Hub, reason);
                return Answer::None;
            }
            Err(_) if !taken => {
                let reason = "we gave up, since the trunk did not answer";
                record.failed(CallResult::NetworkFailure, None, EndedBy::Trunk, reason);
                return Answer::None;
            }
            Err(_) => {
                give_up(leg, record, &mut gave_up);
                deadline = Instant::now() + line.limits.cancel;
            }
        }
    }
}

/// Cancels the call, once.
fn give_up(leg: &Leg, record: &Record, gave_up: &mut Option<GaveUp>) {
    if gave_up.is_none() {
        leg.control.cancel();
        *gave_up = Some(if record.ringing_is_missing() {
            GaveUp::NothingRang
        } else {
            GaveUp::NobodyAnswered
        });
    }
}

/// The result of a call that was not answered. That a hub which stops has stopped before anything rang is no fault of the trunk.
fn class(gave_up: Option<GaveUp>, status: Option<u16>, record: &Record) -> CallResult {
    match (gave_up, status) {
        (Some(GaveUp::NobodyAnswered), _) => CallResult::NoAnswer,
        (Some(GaveUp::NothingRang), _) if record.is_stopping() => CallResult::NotPlaced,
        (Some(GaveUp::NothingRang), _) | (None, None) => CallResult::NetworkFailure,
        (None, Some(status)) => record.refused(status),
    }
}

/// Who ended a call with this result, if it was not the hub that gave it up.
fn who(gave_up: Option<GaveUp>, result: CallResult) -> EndedBy {
    match (gave_up, result) {
        (Some(GaveUp::NobodyAnswered), _) => EndedBy::Hub,
        (None, CallResult::Busy | CallResult::Declined) => EndedBy::Owner,
        _ => EndedBy::Trunk,
    }
}
