//! A machine in the caller's memory: its state in front, then what is made of metrics, methods and readings, then bytes.

use crate::machine::FcAgentMachine;
use crate::machine_types::FcAgentMachineConfig;
use crate::pointers::{bytes, room, text};
use crate::types::{
    FC_AGENT_ABI, FC_AGENT_ABI_VERSION, FC_AGENT_MEMORY, FC_AGENT_NULL, FC_AGENT_NUMBER, FC_AGENT_TEXT, FcAgentSettings,
};
use agent_sdk_core::{Agent, Config, Crash, Credentials, Device, Memory, MetricSlot, Overflow, Reading, ResetReason};
use core::ffi::{c_char, c_void};

const _: () = assert!(
    Overflow::DropOldest as u8 == 0,
    "slots and readings of zeros have a policy"
);

/// [`FcAgentMachine::place`] writes these parts one by one. One that is new has to be written there as well.
const _: fn(FcAgentMachine) = |machine| {
    let FcAgentMachine { agent: _, device } = machine;
    let Device {
        client_id: _,
        credentials: _,
        topic_prefix: _,
        model: _,
        firmware: _,
        reset: _,
    } = device;
};

/// Memory that is not given to anything yet.
struct Rest {
    at: *mut u8,
    len: usize,
}

impl Rest {
    /// So many bytes of it. `None` if there are not so many, or if they do not begin at a multiple of `align`.
    fn cut(&mut self, count: usize, size: usize, align: usize) -> Option<*mut u8> {
        let bytes = count.checked_mul(size)?;
        let left = self.len.checked_sub(bytes)?;
        if !self.at.addr().is_multiple_of(align) {
            return None;
        }
        let at = self.at;
        self.at = at.wrapping_add(bytes);
        self.len = left;
        Some(at)
    }

    /// Memory for so many values, all bytes of which are 0. `None` if there is not so much, or if it does not begin where such a
    /// value may.
    ///
    /// # Safety
    ///
    /// The memory is not NULL, is as long as it says, and nobody else uses it from now on. Zeros are a value of this type.
    unsafe fn zeros<T: 'static>(&mut self, count: usize) -> Option<&'static mut [T]> {
        let at = self.cut(count, size_of::<T>(), align_of::<T>())?;
        // SAFETY: within the memory, and given away once. The product was taken without overflow.
        unsafe { room(at, count.wrapping_mul(size_of::<T>())) };
        // SAFETY: aligned, as long as that, and of zeros, which are values.
        Some(unsafe { core::slice::from_raw_parts_mut(at.cast(), count) })
    }
}

impl FcAgentMachine {
    /// Places a machine at the beginning of the memory; an error is one of the header's numbers.
    ///
    /// # Safety
    ///
    /// `memory` is NULL or points at `len` bytes that nobody else uses until the machine is given up. What `config` points
    /// at is as its fields say, and stays so.
    pub(crate) unsafe fn place(
        memory: *mut c_void,
        len: usize,
        config: &FcAgentMachineConfig,
        now_ms: u64,
    ) -> Result<*mut Self, i32> {
        if config.abi_version != FC_AGENT_ABI_VERSION {
            return Err(FC_AGENT_ABI);
        }
        if memory.is_null() {
            return Err(FC_AGENT_NULL);
        }
        let machine = memory.cast::<Self>();
        let left = len.checked_sub(size_of::<Self>()).filter(|_| machine.is_aligned());
        let mut rest = Rest {
            at: memory.cast::<u8>().wrapping_add(size_of::<Self>()),
            len: left.ok_or(FC_AGENT_MEMORY)?,
        };
        // SAFETY: the caller's memory behind the state. A slot is numbers, a bool and an `Overflow`, all of which may be 0.
        let metrics: &mut [MetricSlot] = unsafe { rest.zeros(config.metric_count) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: the caller vouches for what the configuration points at, and the memory behind the metrics is unused.
        let methods = unsafe { methods(config, &mut rest) }?;
        // SAFETY: the caller's memory behind the methods. A reading is numbers and an `Overflow`, all of which may be 0.
        let readings: &mut [Reading] = unsafe { rest.zeros(config.reading_count) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: the caller's memory behind that, and bytes.
        let receive = unsafe { rest.zeros(config.packet_bytes) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let scratch = unsafe { rest.zeros(config.packet_bytes) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let outbox = unsafe { rest.zeros(rest.len) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: NULL or settings, says the caller.
        let session = unsafe { FcAgentSettings::read(config.settings) };
        let memory = Memory {
            metrics,
            readings,
            outbox,
            receive,
            scratch,
        };
        let runs_by = Config {
            boot_id: config.boot_id,
            seed: config.seed,
            session,
            batch_samples: config.batch_samples,
            batch_age_ms: config.batch_age_ms,
            methods,
            crash: None,
        };
        let made = Agent::silent(memory, &runs_by).ok_or(FC_AGENT_MEMORY)?;
        // Part by part, each to its place as soon as it is known: together they would lie on the stack first.
        // SAFETY: within the memory, which is long enough and aligned, and of which nobody else knows.
        let agent = unsafe { &raw mut (*machine).agent };
        // SAFETY: as above.
        unsafe { agent.write(made) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*machine).device };
        // SAFETY: as above, and the caller vouches for what the configuration points at.
        unsafe { device(config, place) }?;
        // SAFETY: the caller vouches for what the configuration points at.
        if let Some(crash) = unsafe { crash(config) }? {
            // Only now, when the agent has its place: before, a copy would be made of it, twice as deep on the stack.
            // SAFETY: it was written above.
            unsafe { &mut *agent }.report_crash(&crash, now_ms);
        }
        Ok(machine)
    }
}

/// A text; NULL is empty.
///
/// # Safety
///
/// As [`text`] asks.
unsafe fn optional(at: *const c_char) -> Result<&'static str, i32> {
    if at.is_null() {
        return Ok("");
    }
    // SAFETY: the caller vouches for it.
    unsafe { text(at) }.ok_or(FC_AGENT_TEXT)
}

/// Writes who the device is to a place; all of it only where this gives no error.
///
/// # Safety
///
/// As [`FcAgentMachine::place`] asks of the configuration. `place` may be written, and nobody else uses it.
unsafe fn device(config: &FcAgentMachineConfig, place: *mut Device<'static>) -> Result<(), i32> {
    // SAFETY: the caller keeps all that the configuration points at.
    let text = |at: *const c_char| unsafe { optional(at) };
    // SAFETY: it may be written, and nothing lies there that would have to be dropped; so below.
    unsafe { (*place).client_id = text(config.client_id)? };
    // SAFETY: as above.
    unsafe { (*place).topic_prefix = text(config.topic_prefix)? };
    // SAFETY: as above.
    unsafe { (*place).model = text(config.model)? };
    // SAFETY: as above.
    unsafe { (*place).firmware = text(config.firmware)? };
    // SAFETY: the caller keeps it.
    let password = unsafe { bytes(config.password, config.password_len) };
    let password = password.ok_or(FC_AGENT_NULL)?;
    let credentials = Credentials {
        user_name: text(config.user_name)?,
        password: (!config.password.is_null()).then_some(password),
    };
    // SAFETY: as above.
    unsafe { (*place).credentials = (!config.user_name.is_null()).then_some(credentials) };
    let reset = ResetReason::from_code(u64::from(config.reset)).ok_or(FC_AGENT_NUMBER)?;
    // SAFETY: as above.
    unsafe { (*place).reset = reset };
    Ok(())
}

/// # Safety
///
/// As [`FcAgentMachine::place`] asks of the configuration.
unsafe fn crash(config: &FcAgentMachineConfig) -> Result<Option<Crash<'static>>, i32> {
    if config.crash_code.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller keeps all that the configuration points at.
    let code = unsafe { optional(config.crash_code) }?;
    // SAFETY: as above.
    let detail = unsafe { optional(config.crash_detail) }?;
    Ok(Some(Crash { code, detail }))
}

/// The texts of the methods, in memory of their own.
///
/// # Safety
///
/// As [`FcAgentMachine::place`] asks of the configuration; as [`Rest::zeros`] asks of the memory.
unsafe fn methods(config: &FcAgentMachineConfig, rest: &mut Rest) -> Result<&'static [&'static str], i32> {
    let count = config.method_count;
    if config.methods.is_null() && count > 0 {
        return Err(FC_AGENT_NULL);
    }
    let places = rest.cut(count, size_of::<&str>(), align_of::<&str>());
    let places = places.ok_or(FC_AGENT_MEMORY)?.cast::<&'static str>();
    for index in 0..count {
        // SAFETY: there are as many as the configuration says.
        let at = unsafe { config.methods.wrapping_add(index).read() };
        // SAFETY: the caller vouches for it.
        let method = unsafe { text(at) }.ok_or(FC_AGENT_TEXT)?;
        // SAFETY: within the memory, says the length, and aligned.
        unsafe { places.wrapping_add(index).write(method) };
    }
    // SAFETY: all of these were written just now, and are given away once.
    Ok(unsafe { core::slice::from_raw_parts(places, count) })
}
