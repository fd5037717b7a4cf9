//! A machine and its link: bytes, deadlines, and what happened.

use crate::calls::number_of;
use crate::machine::FcAgentMachine;
use crate::machine_types::{FC_AGENT_COMMAND, FC_AGENT_SETTINGS, FC_AGENT_TIME, FcAgentCommand, FcAgentMachineEvent};
use crate::pointers::{bytes, room};
use crate::types::{
    FC_AGENT_CONNECTED, FC_AGENT_DELIVERED, FC_AGENT_DISCONNECTED, FC_AGENT_DROPPED, FC_AGENT_EVENT, FC_AGENT_MESSAGE,
    FC_AGENT_SUBSCRIBED, FC_AGENT_TELEMETRY,
};
use agent_sdk_core::{Agent, Args, CommandName, HEALTHY_MS, Lane, Notice};

/// As `fc_agent_is_healthy`.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_is_healthy(machine: *const FcAgentMachine, now_ms: u64) -> bool {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_ref() };
    let lasted_ms = machine.and_then(|machine| machine.agent.session().online_for_ms(now_ms));
    lasted_ms.is_some_and(|lasted_ms| lasted_ms >= HEALTHY_MS)
}

/// The transport is connected, as `fc_agent_connected`.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_connected(machine: *mut FcAgentMachine, now_ms: u64, entropy: u32) {
    // SAFETY: NULL or a machine.
    if let Some(machine) = unsafe { machine.as_mut() } {
        machine.agent.handle_connected(now_ms, entropy);
    }
}

/// The transport is closed, by either side, or could not be opened, as `fc_agent_disconnected`.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_disconnected(machine: *mut FcAgentMachine, now_ms: u64) {
    // SAFETY: NULL or a machine.
    if let Some(machine) = unsafe { machine.as_mut() } {
        machine.agent.handle_disconnected(now_ms);
    }
}

/// Takes in what the transport received, as `fc_agent_bytes`.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `received` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_bytes(
    machine: *mut FcAgentMachine,
    received: *const u8,
    len: usize,
    now_ms: u64,
) -> usize {
    // SAFETY: NULL or bytes.
    let received = unsafe { bytes(received, len) };
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    match (machine, received) {
        (Some(machine), Some(received)) => machine.agent.handle_bytes(received, now_ms),
        (None, _) | (_, None) => len,
    }
}

/// Writes to `event` what happened; false, and an event of no kind, if nothing is left to tell.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `event` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_poll_event(
    machine: *mut FcAgentMachine,
    event: *mut FcAgentMachineEvent,
    now_ms: u64,
) -> bool {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    let Some(machine) = machine.filter(|_| !event.is_null()) else {
        return false;
    };
    // Made where it lies. Zeros are an event of no kind.
    // SAFETY: it is not NULL, so it may be written.
    unsafe { room(event.cast(), size_of::<FcAgentMachineEvent>()) };
    // SAFETY: as above, and each byte has a value.
    let event = unsafe { &mut *event };
    event.deadline_ms = u64::MAX;
    let notice = machine.agent.poll_notice(now_ms);
    if let Some(notice) = notice {
        tell(notice, &machine.agent, event);
    }
    notice.is_some()
}

fn tell(notice: Notice, agent: &Agent<'static>, told: &mut FcAgentMachineEvent) {
    let payload: &[u8] = match notice {
        Notice::Connected { session_present } => {
            told.kind = FC_AGENT_CONNECTED;
            told.session_present = session_present.into();
            return;
        }
        Notice::Subscribed { refused } => {
            told.kind = FC_AGENT_SUBSCRIBED;
            told.number = refused.into();
            return;
        }
        Notice::Delivered(token) => {
            told.kind = FC_AGENT_DELIVERED;
            told.number = token.0;
            return;
        }
        Notice::Time => {
            told.kind = FC_AGENT_TIME;
            return;
        }
        Notice::Command { method, deadline } => {
            told.kind = FC_AGENT_COMMAND;
            told.number = u32::try_from(method).unwrap_or(u32::MAX);
            told.deadline_ms = deadline;
            let Some((id, Args::Cbor(args) | Args::Json(args))) = agent.command() else {
                return;
            };
            name(id, &mut told.command);
            args
        }
        Notice::Settings { version } => {
            told.kind = FC_AGENT_SETTINGS;
            told.number = version;
            agent.settings()
        }
        Notice::Message => {
            told.kind = FC_AGENT_MESSAGE;
            let (topic, payload) = agent.message();
            (told.topic, told.topic_len) = (topic.as_ptr(), topic.len());
            payload
        }
        Notice::Dropped { lane, count } => {
            told.kind = FC_AGENT_DROPPED;
            told.lane = match lane {
                Lane::Telemetry => FC_AGENT_TELEMETRY,
                Lane::Event => FC_AGENT_EVENT,
            };
            told.number = count;
            return;
        }
        Notice::Disconnected(reason) => {
            told.kind = FC_AGENT_DISCONNECTED;
            told.number = number_of(reason);
            return;
        }
    };
    if !payload.is_empty() {
        (told.payload, told.payload_len) = (payload.as_ptr(), payload.len());
    }
}

fn name(id: CommandName<'_>, command: &mut FcAgentCommand) {
    command.id_len = id.as_bytes().len() as u8;
    command.is_json = id.is_json().into();
    for (to, from) in command.id.iter_mut().zip(id.as_bytes()) {
        *to = *from;
    }
}

/// Writes to `out` what is to be sent, as `fc_agent_poll_transmit`. It closes a batch that is due as well.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `out` is NULL or has `len` bytes that may be written; they are set to zero first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_poll_transmit(
    machine: *mut FcAgentMachine,
    out: *mut u8,
    len: usize,
    now_ms: u64,
) -> usize {
    // SAFETY: NULL or room.
    let out = unsafe { room(out, len) };
    // SAFETY: NULL or a machine.
    let Some(machine) = (unsafe { machine.as_mut() }) else {
        return 0;
    };
    machine.agent.poll_transmit(&machine.device, out, now_ms)
}

/// Says goodbye, as `fc_agent_close`. The open batch goes into the outbox and waits there.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_close(machine: *mut FcAgentMachine) {
    // SAFETY: NULL or a machine.
    if let Some(machine) = unsafe { machine.as_mut() } {
        machine.agent.close();
    }
}

/// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_next_deadline(machine: *const FcAgentMachine) -> u64 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_ref() };
    let at = machine.and_then(|machine| machine.agent.next_deadline());
    at.unwrap_or(u64::MAX)
}

/// When to open the transport, in uptime: 0, and so at once, at the start. `UINT64_MAX` while there is one.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_next_connect_at(machine: *const FcAgentMachine) -> u64 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_ref() };
    let at = machine.and_then(|machine| machine.agent.next_connect_at());
    at.unwrap_or(u64::MAX)
}
