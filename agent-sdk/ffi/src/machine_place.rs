//! A machine in the caller's memory: its state in front, then what is made of metrics, methods and readings, then bytes.

use crate::machine::FcAgentMachine;
use crate::machine_types::FcAgentMachineConfig;
use crate::pointers::{bytes, room, text};
use crate::types::{
    FC_AGENT_ABI, FC_AGENT_ABI_VERSION, FC_AGENT_MEMORY, FC_AGENT_NULL, FC_AGENT_NUMBER, FC_AGENT_TEXT, FcAgentSettings,
};
use agent_sdk_core::{Agent, Config, Crash, Credentials, Device, Memory, MetricSlot, Reading, ResetReason};
use core::ffi::{c_char, c_void};

/// Memory that is not given to anything yet.
struct Rest {
    at: *mut u8,
    len: usize,
}

impl Rest {
    /// So many bytes of it. `None` if there are not so many, or if they do not begin at a multiple of `align`.
    #[inline(never)]
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

    /// Memory for so many values, all of which are `value` at first. `None` if there is not so much, or if it does not begin
    /// where such a value may.
    ///
    /// # Safety
    ///
    /// The memory is not NULL, is as long as it says, and nobody else uses it from now on.
    unsafe fn take<T: Copy + 'static>(&mut self, count: usize, value: T) -> Option<&'static mut [T]> {
        let at = self.cut(count, size_of::<T>(), align_of::<T>())?.cast::<T>();
        for index in 0..count {
            // SAFETY: within the memory, says the length, and aligned.
            unsafe { at.wrapping_add(index).write(value) };
        }
        // SAFETY: all of these were written just now, and are given away once.
        Some(unsafe { core::slice::from_raw_parts_mut(at, count) })
    }

    /// So many bytes, zero at first. `None` if there are not so many.
    ///
    /// # Safety
    ///
    /// As [`Self::take`].
    unsafe fn bytes(&mut self, count: usize) -> Option<&'static mut [u8]> {
        let at = self.cut(count, 1, 1)?;
        // SAFETY: within the memory, and given away once.
        Some(unsafe { room(at, count) })
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
        // SAFETY: the caller vouches for what the configuration points at.
        let device = unsafe { device(config) }?;
        // SAFETY: as above.
        let crash = unsafe { crash(config) }?;
        // SAFETY: the caller's memory behind the state.
        let metrics = unsafe { rest.take(config.metric_count, MetricSlot::EMPTY) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let methods = unsafe { rest.take(config.method_count, "") }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: the caller vouches for what the configuration points at.
        unsafe { read_methods(config, methods) }?;
        // SAFETY: the caller's memory behind the state.
        let readings = unsafe { rest.take(config.reading_count, Reading::EMPTY) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let receive = unsafe { rest.bytes(config.packet_bytes) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let scratch = unsafe { rest.bytes(config.packet_bytes) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: as above.
        let outbox = unsafe { rest.bytes(rest.len) }.ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: NULL or settings, says the caller.
        let session = unsafe { FcAgentSettings::read(config.settings) };
        let memory = Memory {
            metrics,
            readings,
            outbox,
            receive,
            scratch,
        };
        let config = Config {
            boot_id: config.boot_id,
            seed: config.seed,
            session,
            batch_samples: config.batch_samples,
            batch_age_ms: config.batch_age_ms,
            methods,
            crash: None,
        };
        let agent = Agent::silent(memory, &config).ok_or(FC_AGENT_MEMORY)?;
        // SAFETY: the memory is long enough and aligned.
        unsafe { machine.write(Self { agent, device }) };
        if let Some(crash) = crash {
            // Only now, when the agent has its place: before, a copy would be made of it, twice as deep on the stack.
            // SAFETY: it was written just now, and nobody else knows of it.
            unsafe { &mut (*machine).agent }.report_crash(&crash, now_ms);
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

/// # Safety
///
/// As [`FcAgentMachine::place`] asks of the configuration.
unsafe fn device(config: &FcAgentMachineConfig) -> Result<Device<'static>, i32> {
    // SAFETY: the caller keeps all that the configuration points at.
    let text = |at: *const c_char| unsafe { optional(at) };
    // SAFETY: as above.
    let password = unsafe { bytes(config.password, config.password_len) };
    let password = password.ok_or(FC_AGENT_NULL)?;
    let credentials = Credentials {
        user_name: text(config.user_name)?,
        password: (!config.password.is_null()).then_some(password),
    };
    Ok(Device {
        client_id: text(config.client_id)?,
        credentials: (!config.user_name.is_null()).then_some(credentials),
        topic_prefix: text(config.topic_prefix)?,
        model: text(config.model)?,
        firmware: text(config.firmware)?,
        reset: ResetReason::from_code(u64::from(config.reset)).ok_or(FC_AGENT_NUMBER)?,
    })
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

/// # Safety
///
/// As [`FcAgentMachine::place`] asks of the configuration; `methods` has as many places as that says.
unsafe fn read_methods(config: &FcAgentMachineConfig, methods: &mut [&'static str]) -> Result<(), i32> {
    if config.methods.is_null() && !methods.is_empty() {
        return Err(FC_AGENT_NULL);
    }
    for (index, method) in methods.iter_mut().enumerate() {
        let at = config.methods.wrapping_add(index);
        // SAFETY: there are as many as the configuration says.
        let at = unsafe { at.read() };
        // SAFETY: the caller vouches for it.
        *method = unsafe { text(at) }.ok_or(FC_AGENT_TEXT)?;
    }
    Ok(())
}
