//! The agent with metrics, for C: what is measured and what happens is handed in, and what goes on the wire is decided here.

use crate::machine_types::{FC_AGENT_FORM, FcAgentCommand, FcAgentMachineConfig, FcAgentMetric};
use crate::pointers::{bytes, text};
use crate::types::{
    FC_AGENT_DROP_NEWEST, FC_AGENT_DROP_OLDEST, FC_AGENT_FULL, FC_AGENT_NULL, FC_AGENT_NUMBER, FC_AGENT_OK,
    FC_AGENT_STATE_BYTES, FC_AGENT_TEXT, FC_AGENT_TOO_LONG, FC_AGENT_TOPIC,
};
use agent_sdk_core::{
    Agent, CommandName, Device, EventState, Metric, MetricId, Outcome, Overflow, Refused, Token, Unsent,
};
use core::ffi::{c_char, c_void};

/// An agent that decides itself what goes on the wire, in memory of yours: metrics, events, commands and settings. Used by
/// one thread at a time.
pub struct FcAgentMachine {
    pub(crate) agent: Agent<'static>,
    pub(crate) device: Device<'static>,
}

const _: () = assert!(
    size_of::<FcAgentMachine>() <= FC_AGENT_STATE_BYTES,
    "the state of a machine has outgrown what the header promises"
);

/// Bytes of a machine's state. The memory of `fc_agent_machine_init` has these and what `FcAgentMachineConfig` asks for.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_machine_sizeof() -> usize {
    size_of::<FcAgentMachine>()
}

/// Makes a machine in `memory` and writes to `machine` where it is. `FC_AGENT_OK`, or why not.
///
/// # Safety
///
/// `memory` has `len` bytes that nobody else uses for as long as the machine is used. What `config` points at is as its
/// fields say. `machine` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_init(
    memory: *mut c_void,
    len: usize,
    config: *const FcAgentMachineConfig,
    now_ms: u64,
    machine: *mut *mut FcAgentMachine,
) -> i32 {
    // SAFETY: NULL or a configuration, says the caller.
    let config = unsafe { config.as_ref() };
    let Some(config) = config.filter(|_| !machine.is_null()) else {
        return FC_AGENT_NULL;
    };
    // SAFETY: the caller vouches for the memory and the configuration.
    match unsafe { FcAgentMachine::place(memory, len, config, now_ms) } {
        Ok(placed) => {
            // SAFETY: it is not NULL, so it may be written.
            unsafe { machine.write(placed) };
            FC_AGENT_OK
        }
        Err(why) => why,
    }
}

/// Declares a metric and writes to `id` what `fc_agent_machine_report` names it. `FC_AGENT_NUMBER` if its channel is 0 or was
/// declared before, or no memory is left for it.
///
/// # Safety
///
/// `machine` is NULL or from `fc_agent_machine_init`, here and everywhere. `metric` is NULL or a metric. `id` is NULL or may be
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_metric(
    machine: *mut FcAgentMachine,
    metric: *const FcAgentMetric,
    id: *mut u8,
) -> i32 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    // SAFETY: NULL or a metric.
    let metric = unsafe { metric.as_ref() };
    let (Some(machine), Some(metric), false) = (machine, metric, id.is_null()) else {
        return FC_AGENT_NULL;
    };
    let overflow = match metric.overflow {
        FC_AGENT_DROP_OLDEST => Overflow::DropOldest,
        FC_AGENT_DROP_NEWEST => Overflow::DropNewest,
        _ => return FC_AGENT_NUMBER,
    };
    let declared = machine.agent.metric(Metric {
        channel: metric.channel,
        deadband: metric.deadband,
        interval_ms: metric.interval_ms,
        overflow,
    });
    let Some(MetricId(number)) = declared else {
        return FC_AGENT_NUMBER;
    };
    // SAFETY: it is not NULL, so it may be written.
    unsafe { id.write(number) };
    FC_AGENT_OK
}

/// Hands in a value of a metric, as its channel's stored integer. It becomes a reading if its deadband or its interval says
/// so; whether it did. Values of one moment have the same `now_ms`.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_report(
    machine: *mut FcAgentMachine,
    metric: u8,
    value: i32,
    now_ms: u64,
) -> bool {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    machine.is_some_and(|machine| machine.agent.report(MetricId(metric), value, now_ms))
}

/// Takes an event in: `FC_AGENT_RAISED`, `FC_AGENT_CLEARED` or `FC_AGENT_REPORTED`. It overtakes telemetry. `code` has 1 to 32
/// bytes, `detail` up to 1,023; NULL is empty. `FC_AGENT_OK`, or why not; then it is forgotten, and counted as dropped if the
/// outbox refused it.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `code` and `detail` are NULL or texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_event(
    machine: *mut FcAgentMachine,
    state: u8,
    code: *const c_char,
    detail: *const c_char,
    now_ms: u64,
) -> i32 {
    // SAFETY: NULL or a machine.
    let Some(machine) = (unsafe { machine.as_mut() }) else {
        return FC_AGENT_NULL;
    };
    let Some(state) = EventState::from_code(u64::from(state)) else {
        return FC_AGENT_NUMBER;
    };
    // SAFETY: NULL or a text.
    let Some(code) = (unsafe { text(code) }) else {
        return FC_AGENT_TEXT;
    };
    let has_detail = !detail.is_null();
    // SAFETY: NULL or a text.
    let detail = unsafe { text(detail) };
    if has_detail && detail.is_none() {
        return FC_AGENT_TEXT;
    }
    answer(machine.agent.event(state, code, detail.unwrap_or_default(), now_ms))
}

/// Answers a command with `FC_AGENT_DONE` and so on. `detail` is what the method gives back: a value in JSON if `is_json` says
/// so, else CBOR; it may be empty. `FC_AGENT_OK`, or why not; then it may be given again, later or without detail.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `command` is NULL or a command, `detail` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_reply(
    machine: *mut FcAgentMachine,
    command: *const FcAgentCommand,
    outcome: u8,
    detail: *const u8,
    len: usize,
) -> i32 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    // SAFETY: NULL or a command.
    let command = unsafe { command.as_ref() };
    // SAFETY: NULL or bytes.
    let detail = unsafe { bytes(detail, len) };
    let (Some(machine), Some(command), Some(detail)) = (machine, command, detail) else {
        return FC_AGENT_NULL;
    };
    let id = command.id.get(..usize::from(command.id_len)).unwrap_or_default();
    let id = CommandName::new(id, command.is_json != 0);
    let (Some(id), Some(outcome)) = (id, Outcome::from_code(u64::from(outcome))) else {
        return FC_AGENT_NUMBER;
    };
    answer(machine.agent.reply_to(id, outcome, detail))
}

/// What became of an event or a reply, as C has it.
fn answer(taken: Result<Token, Unsent>) -> i32 {
    match taken {
        Ok(Token(_)) => FC_AGENT_OK,
        Err(Unsent::Form(_)) => FC_AGENT_FORM,
        Err(Unsent::Outbox(Refused::Topic)) => FC_AGENT_TOPIC,
        Err(Unsent::Outbox(Refused::TooLong)) => FC_AGENT_TOO_LONG,
        Err(Unsent::Outbox(Refused::Full)) => FC_AGENT_FULL,
    }
}

/// Closes the open batch, as before a reboot: its readings go into the outbox.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_flush(machine: *mut FcAgentMachine) {
    // SAFETY: NULL or a machine.
    if let Some(machine) = unsafe { machine.as_mut() } {
        machine.agent.flush();
    }
}

/// Applies settings that were kept from an earlier `FC_AGENT_SETTINGS`; whether they are any. To be called once all metrics
/// are declared.
///
/// # Safety
///
/// As `fc_agent_machine_metric`. `kept` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_restore(machine: *mut FcAgentMachine, kept: *const u8, len: usize) -> bool {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    // SAFETY: NULL or bytes.
    let kept = unsafe { bytes(kept, len) };
    match (machine, kept) {
        (Some(machine), Some(kept)) => machine.agent.restore_settings(kept),
        (None, _) | (_, None) => false,
    }
}

/// Tells the civil time in milliseconds since 1970, for a device that has a clock of its own: the hub is not asked then.
/// Whether it was taken; only the first time of a boot is.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_set_utc(machine: *mut FcAgentMachine, utc_ms: u64, now_ms: u64) -> bool {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    machine.is_some_and(|machine| machine.agent.set_utc(utc_ms, now_ms))
}

/// Civil time in milliseconds since 1970, once the hub or the program has told it; `UINT64_MAX` before.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_utc(machine: *const FcAgentMachine, now_ms: u64) -> u64 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_ref() };
    let utc_ms = machine.and_then(|machine| machine.agent.utc_ms(now_ms));
    utc_ms.unwrap_or(u64::MAX)
}

/// Until the next start nothing is reported: session, commands, settings and events go on, and the hub is told by the event
/// `safe-mode`. The mode is on whatever this gives: `FC_AGENT_OK`, or why that event is not on its way.
///
/// # Safety
///
/// As `fc_agent_machine_metric`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_machine_safe_mode(machine: *mut FcAgentMachine, now_ms: u64) -> i32 {
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    machine.map_or(FC_AGENT_NULL, |machine| answer(machine.agent.enter_safe_mode(now_ms)))
}
