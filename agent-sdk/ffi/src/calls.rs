//! The functions of the header. Each says what a C program promises; what it gets wrong with numbers and texts is answered
//! with a number, and an agent of NULL does nothing.

use crate::agent::FcAgent;
use crate::pointers::{bytes, room, text};
use crate::types::{
    FC_AGENT_ABI_VERSION, FC_AGENT_CLOSED, FC_AGENT_CONNECTED, FC_AGENT_DELIVERED, FC_AGENT_DISCONNECTED,
    FC_AGENT_DROP_NEWEST, FC_AGENT_DROP_OLDEST, FC_AGENT_DROPPED, FC_AGENT_EVENT, FC_AGENT_FULL, FC_AGENT_LINK_LOST,
    FC_AGENT_MESSAGE, FC_AGENT_NO_ANSWER, FC_AGENT_NO_CONNACK, FC_AGENT_NULL, FC_AGENT_NUMBER, FC_AGENT_OK,
    FC_AGENT_PROTOCOL, FC_AGENT_REFUSED, FC_AGENT_SAFE_MODE, FC_AGENT_SUBSCRIBED, FC_AGENT_TELEMETRY, FC_AGENT_TEXT,
    FC_AGENT_TOO_LONG, FC_AGENT_TOPIC, FcAgentConfig, FcAgentEvent, FcAgentPublish, FcAgentSettings,
};
use agent_sdk_core::{Boots, Event, HEALTHY_MS, Lane, Overflow, Publish, Qos, Reason, Refused, Settings};
use core::ffi::c_void;

/// The ABI of this library: a program that was compiled with another `FC_AGENT_ABI_VERSION` does not belong to it.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_abi_version() -> u32 {
    FC_AGENT_ABI_VERSION
}

/// Bytes of an agent's state. The memory of `fc_agent_init` has these, the receive buffer and the outbox, in which a
/// message costs 10 bytes beside its topic and payload.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_sizeof() -> usize {
    size_of::<FcAgent>()
}

/// A minute of keep-alive, 20 s for each answer, 8 messages in flight, and 1 s to 5 min between connections.
///
/// # Safety
///
/// `settings` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_default_settings(settings: *mut FcAgentSettings) {
    if !settings.is_null() {
        // SAFETY: the caller vouches for it.
        unsafe { settings.write(FcAgentSettings::of(Settings::DEFAULT)) };
    }
}

/// Makes an agent in `memory` and writes to `agent` where it is. `FC_AGENT_OK`, or why not; then nothing was changed.
///
/// # Safety
///
/// `memory` has `len` bytes that nobody else uses for as long as the agent is used. What `config` points at is as its
/// fields say. `agent` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_init(
    memory: *mut c_void,
    len: usize,
    config: *const FcAgentConfig,
    agent: *mut *mut FcAgent,
) -> i32 {
    // SAFETY: NULL or a configuration, says the caller.
    let config = unsafe { config.as_ref() };
    let Some(config) = config.filter(|_| !agent.is_null()) else {
        return FC_AGENT_NULL;
    };
    // SAFETY: the caller vouches for the memory and the configuration.
    match unsafe { FcAgent::place(memory, len, config) } {
        Ok(placed) => {
            // SAFETY: it is not NULL, so it may be written.
            unsafe { agent.write(placed) };
            FC_AGENT_OK
        }
        Err(why) => why,
    }
}

/// The transport is connected. `entropy` is added to the seed; 0 where there is none. `now_ms` is uptime, here and
/// everywhere; it never goes back.
///
/// # Safety
///
/// `agent` is NULL or from `fc_agent_init`, here and everywhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_connected(agent: *mut FcAgent, now_ms: u64, entropy: u32) {
    // SAFETY: NULL or an agent.
    if let Some(agent) = unsafe { agent.as_mut() } {
        agent.session.handle_connected(now_ms, entropy);
    }
}

/// The transport is closed, by either side, or could not be opened. Once for each attempt to connect: it starts the
/// back-off.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_disconnected(agent: *mut FcAgent, now_ms: u64) {
    // SAFETY: NULL or an agent.
    if let Some(agent) = unsafe { agent.as_mut() } {
        agent.session.handle_disconnected(now_ms);
    }
}

/// Takes in what the transport received, and gives how many bytes of it. The rest is handed in again after
/// `fc_agent_poll_event` and `fc_agent_poll_transmit`.
///
/// # Safety
///
/// `received` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_bytes(agent: *mut FcAgent, received: *const u8, len: usize, now_ms: u64) -> usize {
    // SAFETY: NULL or bytes.
    let received = unsafe { bytes(received, len) };
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_mut() };
    match (agent, received) {
        (Some(agent), Some(received)) => agent.session.handle_bytes(received, now_ms),
        (None, _) | (_, None) => len,
    }
}

/// Takes a message in, with or without a connection, and writes to `token` what `FC_AGENT_DELIVERED` will name it.
/// `FC_AGENT_OK`, or why not; then the message is forgotten.
///
/// # Safety
///
/// `message` and what it points at are as its fields say. `token` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_publish(agent: *mut FcAgent, message: *const FcAgentPublish, token: *mut u32) -> i32 {
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_mut() };
    // SAFETY: NULL or a message.
    let message = unsafe { message.as_ref() };
    let (Some(agent), Some(message)) = (agent, message) else {
        return FC_AGENT_NULL;
    };
    // SAFETY: NULL or a text.
    let Some(topic) = (unsafe { text(message.topic) }) else {
        return FC_AGENT_TEXT;
    };
    // SAFETY: NULL or bytes.
    let Some(payload) = (unsafe { bytes(message.payload, message.payload_len) }) else {
        return FC_AGENT_NULL;
    };
    #[cfg(feature = "planted-panic")]
    crate::proof::planted(payload);
    let Some(message) = publish(message, topic, payload) else {
        return FC_AGENT_NUMBER;
    };
    if agent.is_safe && message.lane == Lane::Telemetry {
        return FC_AGENT_SAFE_MODE;
    }
    match agent.session.publish(&message) {
        Ok(taken) => {
            if !token.is_null() {
                // SAFETY: it is not NULL, so it may be written.
                unsafe { token.write(taken.0) };
            }
            FC_AGENT_OK
        }
        Err(Refused::Topic) => FC_AGENT_TOPIC,
        Err(Refused::TooLong) => FC_AGENT_TOO_LONG,
        Err(Refused::Full) => FC_AGENT_FULL,
    }
}

fn publish<'a>(message: &FcAgentPublish, topic: &'a str, payload: &'a [u8]) -> Option<Publish<'a>> {
    Some(Publish {
        lane: match message.lane {
            FC_AGENT_TELEMETRY => Lane::Telemetry,
            FC_AGENT_EVENT => Lane::Event,
            _ => return None,
        },
        topic,
        payload,
        qos: match message.qos {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            _ => return None,
        },
        retain: match message.retain {
            0 => false,
            1 => true,
            _ => return None,
        },
        overflow: match message.overflow {
            FC_AGENT_DROP_OLDEST => Overflow::DropOldest,
            FC_AGENT_DROP_NEWEST => Overflow::DropNewest,
            _ => return None,
        },
    })
}

/// Writes to `out` what is to be sent, and gives how many bytes that is; 0 if nothing is. Call it until it gives 0, also
/// when the time of `fc_agent_next_deadline` has come.
///
/// # Safety
///
/// `out` is NULL or has `len` bytes that may be written; they are set to zero first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_poll_transmit(agent: *mut FcAgent, out: *mut u8, len: usize, now_ms: u64) -> usize {
    // SAFETY: NULL or room.
    let out = unsafe { room(out, len) };
    // SAFETY: NULL or an agent.
    let Some(agent) = (unsafe { agent.as_mut() }) else {
        return 0;
    };
    agent.session.poll_transmit(&agent.who.identity(), out, now_ms)
}

/// Writes to `event` what happened; false if nothing is left to tell.
///
/// # Safety
///
/// `event` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_poll_event(agent: *mut FcAgent, event: *mut FcAgentEvent) -> bool {
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_mut() };
    let Some(agent) = agent.filter(|_| !event.is_null()) else {
        return false;
    };
    let Some(told) = agent.session.poll_event() else {
        return false;
    };
    // Made where it lies. Zeros are an event of no kind.
    // SAFETY: it is not NULL, so it may be written.
    unsafe { room(event.cast(), size_of::<FcAgentEvent>()) };
    // SAFETY: as above, and each byte has a value.
    tell(told, unsafe { &mut *event });
    true
}

fn tell(event: Event<'_>, told: &mut FcAgentEvent) {
    match event {
        Event::Connected { session_present } => {
            told.kind = FC_AGENT_CONNECTED;
            told.session_present = session_present.into();
        }
        Event::Subscribed { refused } => {
            told.kind = FC_AGENT_SUBSCRIBED;
            told.number = refused.into();
        }
        Event::Delivered(token) => {
            told.kind = FC_AGENT_DELIVERED;
            told.number = token.0;
        }
        Event::Message { topic, payload } => {
            told.kind = FC_AGENT_MESSAGE;
            (told.topic, told.topic_len) = (topic.as_ptr(), topic.len());
            (told.payload, told.payload_len) = (payload.as_ptr(), payload.len());
        }
        Event::Dropped { lane, count } => {
            told.kind = FC_AGENT_DROPPED;
            told.lane = match lane {
                Lane::Telemetry => FC_AGENT_TELEMETRY,
                Lane::Event => FC_AGENT_EVENT,
            };
            told.number = count;
        }
        Event::Disconnected(reason) => {
            told.kind = FC_AGENT_DISCONNECTED;
            told.number = number_of(reason);
        }
    }
}

/// Why a connection is over, as C has it.
pub(crate) fn number_of(reason: Reason) -> u32 {
    match reason {
        Reason::LinkLost => FC_AGENT_LINK_LOST,
        Reason::NoConnack => FC_AGENT_NO_CONNACK,
        Reason::NoAnswer => FC_AGENT_NO_ANSWER,
        Reason::Protocol => FC_AGENT_PROTOCOL,
        Reason::Closed => FC_AGENT_CLOSED,
        Reason::Refused(code) => FC_AGENT_REFUSED | u32::from(code),
    }
}

/// Says goodbye, so that the hub publishes no will: the next `fc_agent_poll_transmit` writes it. What waits in the outbox
/// stays there.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_close(agent: *mut FcAgent) {
    // SAFETY: NULL or an agent.
    if let Some(agent) = unsafe { agent.as_mut() } {
        agent.session.close();
    }
}

/// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_next_deadline(agent: *const FcAgent) -> u64 {
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_ref() };
    agent
        .and_then(|agent| agent.session.next_deadline())
        .unwrap_or(u64::MAX)
}

/// When to open the transport, in uptime: 0, and so at once, at the start. `UINT64_MAX` while there is one.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_next_connect_at(agent: *const FcAgent) -> u64 {
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_ref() };
    agent
        .and_then(|agent| agent.session.next_connect_at())
        .unwrap_or(u64::MAX)
}

/// How many starts in a row, with this one, have had no healthy connection: to be kept as one byte at each start, before
/// anything that may crash. `kept` is that byte of the start before. Beyond a number of your choice, say 5, the device is
/// in a loop: `fc_agent_safe_mode`.
///
/// # Safety
///
/// `kept` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_boots(kept: *const u8, len: usize) -> u8 {
    // SAFETY: NULL or bytes.
    let boots = Boots::start(unsafe { bytes(kept, len) });
    boots.to_keep().map_or(0, |[count]| count)
}

/// Whether the hub has had this connection for a minute: then 0 is kept as the count of starts, once.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_is_healthy(agent: *const FcAgent, now_ms: u64) -> bool {
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_ref() };
    let lasted_ms = agent.and_then(|agent| agent.session.online_for_ms(now_ms));
    lasted_ms.is_some_and(|lasted_ms| lasted_ms >= HEALTHY_MS)
}

/// From now on the agent takes no telemetry: session, events, and what comes down go on, so that the device can be helped
/// from afar.
///
/// # Safety
///
/// As `fc_agent_connected`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_safe_mode(agent: *mut FcAgent) {
    // SAFETY: NULL or an agent.
    if let Some(agent) = unsafe { agent.as_mut() } {
        agent.is_safe = true;
    }
}
