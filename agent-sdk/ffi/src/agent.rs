//! An agent in the caller's memory: its state in front, then the receive buffer, then the outbox.

use crate::pointers::{bytes, room, text};
use crate::types::{
    FC_AGENT_ABI, FC_AGENT_ABI_VERSION, FC_AGENT_MEMORY, FC_AGENT_NULL, FC_AGENT_STATE_BYTES, FC_AGENT_TEXT,
    FcAgentConfig, FcAgentSettings,
};
use agent_sdk_core::{Credentials, Identity, SUBSCRIPTIONS_MAX, Session, Settings, Will};
use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;

/// An agent, in memory of yours. Used by one thread at a time.
pub struct FcAgent {
    pub(crate) session: Session<'static>,
    pub(crate) who: Who,
    /// It takes no telemetry.
    pub(crate) is_safe: bool,
}

const _: () = assert!(
    size_of::<FcAgent>() <= FC_AGENT_STATE_BYTES,
    "the state of an agent has outgrown what the header promises"
);

/// What the session's identity is made of. Not that itself, whose list of subscriptions would lie beside it.
pub(crate) struct Who {
    client_id: &'static str,
    credentials: Option<Credentials<'static>>,
    will: Option<Will<'static>>,
    topic_prefix: &'static str,
    /// As many as [`Self::subscription_count`] says; filled in where it lies, so that no list has to be copied.
    subscriptions: [MaybeUninit<&'static str>; SUBSCRIPTIONS_MAX],
    subscription_count: usize,
}

impl Who {
    pub(crate) fn identity(&self) -> Identity<'_> {
        let filters = self.subscriptions.get(..self.subscription_count).unwrap_or_default();
        Identity {
            client_id: self.client_id,
            credentials: self.credentials,
            will: self.will,
            topic_prefix: self.topic_prefix,
            // SAFETY: `subscribe` has filled in as many.
            subscriptions: unsafe { filters.assume_init_ref() },
        }
    }

    /// # Safety
    ///
    /// As [`FcAgent::place`] asks of the configuration.
    unsafe fn read(config: &FcAgentConfig) -> Result<Self, i32> {
        // SAFETY: the caller keeps all that the configuration points at.
        let optional = |at: *const c_char| match unsafe { text(at) } {
            Some(text) => Ok(text),
            None if at.is_null() => Ok(""),
            None => Err(FC_AGENT_TEXT),
        };
        // SAFETY: as above.
        let payload = unsafe { bytes(config.will_payload, config.will_payload_len) };
        let will = Will {
            topic: optional(config.will_topic)?,
            payload: payload.ok_or(FC_AGENT_NULL)?,
        };
        // SAFETY: as above.
        let password = unsafe { bytes(config.password, config.password_len) };
        let password = password.ok_or(FC_AGENT_NULL)?;
        let credentials = Credentials {
            user_name: optional(config.user_name)?,
            password: (!config.password.is_null()).then_some(password),
        };
        if config.subscription_count > SUBSCRIPTIONS_MAX {
            return Err(FC_AGENT_TEXT);
        }
        if config.subscriptions.is_null() && config.subscription_count > 0 {
            return Err(FC_AGENT_NULL);
        }
        for index in 0..config.subscription_count {
            // SAFETY: there are as many as the configuration says.
            unsafe { filter(config, index) }.ok_or(FC_AGENT_TEXT)?;
        }
        Ok(Self {
            client_id: optional(config.client_id)?,
            credentials: (!config.user_name.is_null()).then_some(credentials),
            will: (!config.will_topic.is_null()).then_some(will),
            topic_prefix: optional(config.topic_prefix)?,
            subscriptions: [MaybeUninit::uninit(); SUBSCRIPTIONS_MAX],
            subscription_count: 0,
        })
    }

    /// Fills in the filters, all of which are texts.
    ///
    /// # Safety
    ///
    /// As [`Self::read`], which has read the same configuration.
    unsafe fn subscribe(&mut self, config: &FcAgentConfig) {
        for (index, place) in self
            .subscriptions
            .iter_mut()
            .take(config.subscription_count)
            .enumerate()
        {
            // SAFETY: there are as many as the configuration says.
            place.write(unsafe { filter(config, index) }.unwrap_or_default());
        }
        self.subscription_count = config.subscription_count;
    }
}

/// # Safety
///
/// As [`FcAgent::place`] asks of the configuration, which has more subscriptions than `index`.
unsafe fn filter(config: &FcAgentConfig, index: usize) -> Option<&'static str> {
    let at = config.subscriptions.wrapping_add(index);
    // SAFETY: there are as many as the configuration says.
    let at = unsafe { at.read() };
    // SAFETY: the caller keeps all that the configuration points at.
    unsafe { text(at) }
}

impl FcAgent {
    /// Places an agent at the beginning of the memory; an error is one of the header's numbers, and leaves the memory alone.
    ///
    /// # Safety
    ///
    /// `memory` is NULL or points at `len` bytes that nobody else uses until the agent is given up. What `config` points at
    /// is as its fields say, and stays so.
    pub(crate) unsafe fn place(memory: *mut c_void, len: usize, config: &FcAgentConfig) -> Result<*mut Self, i32> {
        if config.abi_version != FC_AGENT_ABI_VERSION {
            return Err(FC_AGENT_ABI);
        }
        if memory.is_null() {
            return Err(FC_AGENT_NULL);
        }
        let agent = memory.cast::<Self>();
        let receive_len = config.receive_bytes;
        let outbox_len = len
            .checked_sub(size_of::<Self>())
            .and_then(|rest| rest.checked_sub(receive_len));
        let (Some(outbox_len), true) = (outbox_len, agent.is_aligned()) else {
            return Err(FC_AGENT_MEMORY);
        };
        // SAFETY: the caller vouches for what the configuration points at.
        let who = unsafe { Who::read(config) }?;
        // SAFETY: NULL or settings, says the caller.
        let settings = unsafe { FcAgentSettings::read(config.settings) };
        let receive = memory.cast::<u8>().wrapping_add(size_of::<Self>());
        let outbox = receive.wrapping_add(receive_len);
        // SAFETY: within the memory, behind the state.
        let receive = unsafe { room(receive, receive_len) };
        // SAFETY: within the memory, behind the receive buffer.
        let outbox = unsafe { room(outbox, outbox_len) };
        let session = Session::new(outbox, receive, settings, config.seed).ok_or(FC_AGENT_MEMORY)?;
        let is_safe = false;
        let placed = Self { session, who, is_safe };
        // SAFETY: the memory is long enough and aligned.
        unsafe { agent.write(placed) };
        // SAFETY: an agent was written there just now, and nobody else knows of it.
        let who = unsafe { &mut (*agent).who };
        // SAFETY: the caller vouches for what the configuration points at.
        unsafe { who.subscribe(config) };
        Ok(agent)
    }
}

impl FcAgentSettings {
    /// # Safety
    ///
    /// `settings` is NULL or points at settings.
    pub(crate) unsafe fn read(settings: *const Self) -> Settings {
        const DEFAULT: FcAgentSettings = FcAgentSettings::of(Settings::DEFAULT);
        // SAFETY: the caller vouches for it.
        let settings = unsafe { settings.as_ref() }.unwrap_or(&DEFAULT);
        Settings {
            keep_alive_s: settings.keep_alive_s,
            connack_limit_ms: settings.connack_limit_ms,
            answer_limit_ms: settings.answer_limit_ms,
            window: settings.window,
            backoff_base_ms: settings.backoff_base_ms,
            backoff_cap_ms: settings.backoff_cap_ms,
        }
    }

    pub(crate) const fn of(settings: Settings) -> Self {
        Self {
            connack_limit_ms: settings.connack_limit_ms,
            answer_limit_ms: settings.answer_limit_ms,
            backoff_base_ms: settings.backoff_base_ms,
            backoff_cap_ms: settings.backoff_cap_ms,
            keep_alive_s: settings.keep_alive_s,
            window: settings.window,
        }
    }
}
