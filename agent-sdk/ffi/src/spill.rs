//! What waits for the hub, in the program's flash, for C: the spill of `agent-sdk-storage`.

use crate::agent::FcAgent;
use crate::flash::{Driver, Failed, flash_number};
use crate::machine::FcAgentMachine;
use crate::pointers::room;
use crate::types::{
    FC_AGENT_DROP_NEWEST, FC_AGENT_DROP_OLDEST, FC_AGENT_MEMORY, FC_AGENT_NULL, FC_AGENT_NUMBER, FC_AGENT_OK,
    FC_AGENT_SPILL_BYTES, FcAgentFlash,
};
use agent_sdk_core::{Lane, Token};
use agent_sdk_storage::{Area, Error, Overflow, Spill};
use core::ffi::c_void;

/// The flash behind an outbox, in memory of yours. Used by one thread at a time.
pub struct FcAgentSpill {
    flash: Driver,
    spill: Spill,
}

const _: () = assert!(
    size_of::<FcAgentSpill>() <= FC_AGENT_SPILL_BYTES,
    "a spill has outgrown what the header promises"
);

/// Bytes of a spill.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_flash_spill_sizeof() -> usize {
    size_of::<FcAgentSpill>()
}

/// Reads what the area holds, makes a spill of it in `memory` and writes to `spill` where that is. `FC_AGENT_OK`, or why not.
/// The area is not that of a store. When it is full the oldest page gives way with `FC_AGENT_DROP_OLDEST`; with
/// `FC_AGENT_DROP_NEWEST` new messages stay in memory.
///
/// # Safety
///
/// `memory` has `len` bytes that nobody else uses for as long as the spill is used. `flash` is copied, and its functions do
/// what its fields say. `spill` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_open(
    memory: *mut c_void,
    len: usize,
    flash: *const FcAgentFlash,
    overflow: u8,
    spill: *mut *mut FcAgentSpill,
) -> i32 {
    // SAFETY: NULL or a flash, says the caller.
    let flash = unsafe { flash.as_ref() };
    let driver = flash.and_then(|flash| Driver::new(flash).map(|driver| (flash, driver)));
    let (Some((flash, driver)), false, false) = (driver, memory.is_null(), spill.is_null()) else {
        return FC_AGENT_NULL;
    };
    let overflow = match overflow {
        FC_AGENT_DROP_OLDEST => Overflow::DropOldest,
        FC_AGENT_DROP_NEWEST => Overflow::Refuse,
        _ => return FC_AGENT_NUMBER,
    };
    let at = memory.cast::<FcAgentSpill>();
    if len < size_of::<FcAgentSpill>() || !at.is_aligned() {
        return FC_AGENT_MEMORY;
    }
    let area = Area::new(&driver, flash.start, flash.page_bytes, flash.pages);
    let unread = match area {
        Ok(area) => Spill::unread(area, overflow),
        Err(why) => return flash_number(why),
    };
    // SAFETY: the memory is long enough and aligned.
    unsafe {
        at.write(FcAgentSpill {
            flash: driver,
            spill: unread,
        })
    };
    // SAFETY: it was written just now, and nobody else knows of it.
    let opened = unsafe { &mut *at };
    if let Err(why) = opened.spill.read(&mut opened.flash) {
        return flash_number(why);
    }
    // SAFETY: it is not NULL, so it may be written.
    unsafe { spill.write(at) };
    FC_AGENT_OK
}

/// Moves telemetry of the agent to flash and back, as the connection is: before each `fc_agent_poll_transmit`. `scratch` is as
/// long as the longest message with its topic, and two bytes. `FC_AGENT_OK`, or why not; no message is lost by that.
///
/// # Safety
///
/// `spill` is NULL or from `fc_agent_flash_spill_open`, here and everywhere. `agent` is NULL or an agent. `scratch` is NULL or
/// has `len` bytes that may be written; they are set to zero first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_turn(
    spill: *mut FcAgentSpill,
    agent: *mut FcAgent,
    scratch: *mut u8,
    len: usize,
) -> i32 {
    // SAFETY: NULL or room.
    let scratch = unsafe { room(scratch, len) };
    // SAFETY: NULL or an agent.
    let agent = unsafe { agent.as_mut() };
    // SAFETY: NULL or a spill.
    let (Some(FcAgentSpill { flash, spill }), Some(agent)) = (unsafe { spill.as_mut() }, agent) else {
        return FC_AGENT_NULL;
    };
    done(spill.turn(flash, &mut agent.session, scratch))
}

/// As `fc_agent_flash_spill_turn`, before each `fc_agent_machine_poll_transmit`. What was dropped is told to the hub.
///
/// # Safety
///
/// As `fc_agent_flash_spill_turn`. `machine` is NULL or a machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_machine(
    spill: *mut FcAgentSpill,
    machine: *mut FcAgentMachine,
    scratch: *mut u8,
    len: usize,
) -> i32 {
    // SAFETY: NULL or room.
    let scratch = unsafe { room(scratch, len) };
    // SAFETY: NULL or a machine.
    let machine = unsafe { machine.as_mut() };
    // SAFETY: NULL or a spill.
    let (Some(FcAgentSpill { flash, spill }), Some(machine)) = (unsafe { spill.as_mut() }, machine) else {
        return FC_AGENT_NULL;
    };
    let moved = spill.turn(flash, &mut machine.agent, scratch);
    let dropped = spill.take_dropped();
    if dropped > 0 {
        machine.agent.count_dropped(Lane::Telemetry, dropped);
    }
    done(moved)
}

/// The hub has the message of this token, as `FC_AGENT_DELIVERED` says: flash forgets it, if it was there. `FC_AGENT_OK`, or
/// why not; then it may be sent once more.
///
/// # Safety
///
/// As `fc_agent_flash_spill_turn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_delivered(spill: *mut FcAgentSpill, token: u32) -> i32 {
    // SAFETY: NULL or a spill.
    let Some(FcAgentSpill { flash, spill }) = (unsafe { spill.as_mut() }) else {
        return FC_AGENT_NULL;
    };
    done(spill.handle_delivered(flash, Token(token)))
}

/// Messages in flash that the hub does not have yet, as far as is known.
///
/// # Safety
///
/// As `fc_agent_flash_spill_turn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_pending(spill: *const FcAgentSpill) -> u32 {
    // SAFETY: NULL or a spill.
    let spill = unsafe { spill.as_ref() };
    spill.map_or(0, |spill| spill.spill.pending())
}

/// Messages that flash has dropped for want of room since the last call, for a program that tells the hub itself.
///
/// # Safety
///
/// As `fc_agent_flash_spill_turn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_spill_dropped(spill: *mut FcAgentSpill) -> u32 {
    // SAFETY: NULL or a spill.
    let spill = unsafe { spill.as_mut() };
    spill.map_or(0, |spill| spill.spill.take_dropped())
}

fn done(outcome: Result<(), Error<Failed>>) -> i32 {
    match outcome {
        Ok(()) => FC_AGENT_OK,
        Err(why) => flash_number(why),
    }
}
