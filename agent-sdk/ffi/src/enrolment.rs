//! The way to a secret of the device's own, for C: state in front, then the memory that its connections work in.

use crate::agent::FcAgent;
use crate::calls::number_of;
use crate::pointers::{bytes, room, text};
use crate::types::{
    FC_AGENT_ABI, FC_AGENT_ABI_VERSION, FC_AGENT_ENROLMENT_BYTES, FC_AGENT_MEMORY, FC_AGENT_NULL, FC_AGENT_OK,
    FC_AGENT_RANDOM_BYTES, FC_AGENT_RECORD, FC_AGENT_RECORD_BYTES, FC_AGENT_TEXT, FC_AGENT_USER_NAME, FcAgentFactory,
    FcAgentSettings,
};
use agent_sdk_core::{Enrolment, EnrolmentMem, Factory, KEPT_BYTES_MAX, Origin, SECRET_RANDOM_BYTES};
use core::ffi::c_void;
use core::ptr::null;

/// The way to a secret of the device's own, or to the next one, in memory of yours. Used by one thread at a time.
pub struct FcAgentEnrolment {
    enrolment: Enrolment<'static>,
}

const BYTES: usize = size_of::<FcAgentEnrolment>() + size_of::<EnrolmentMem>();
const _: () = assert!(
    BYTES <= FC_AGENT_ENROLMENT_BYTES,
    "an enrolment has outgrown what the header promises"
);
const _: () = assert!(align_of::<EnrolmentMem>() == 1, "it may lie behind the state");
const _: () = assert!(FC_AGENT_RECORD_BYTES == KEPT_BYTES_MAX && FC_AGENT_RANDOM_BYTES == SECRET_RANDOM_BYTES);
// A program may use the same memory for one after the other.
const _: () = assert!(align_of::<FcAgentEnrolment>() == align_of::<FcAgent>());

impl FcAgentEnrolment {
    /// Places an enrolment at the beginning of the memory; an error is one of the header's numbers.
    ///
    /// # Safety
    ///
    /// `memory` is NULL or points at `len` bytes that nobody else uses until the enrolment is given up. What `factory`
    /// points at is as its fields say, and stays so.
    unsafe fn place(memory: *mut c_void, len: usize, factory: &FcAgentFactory) -> Result<*mut Self, i32> {
        if factory.abi_version != FC_AGENT_ABI_VERSION {
            return Err(FC_AGENT_ABI);
        }
        let at = memory.cast::<Self>();
        if memory.is_null() {
            return Err(FC_AGENT_NULL);
        }
        if len < BYTES || !at.is_aligned() {
            return Err(FC_AGENT_MEMORY);
        }
        // SAFETY: NULL or a text, says the caller.
        let user_name = unsafe { text(factory.user_name) }.ok_or(FC_AGENT_TEXT)?;
        let origin = if factory.claim_token.is_null() {
            // SAFETY: NULL or bytes, says the caller.
            let secret = unsafe { bytes(factory.group_secret, factory.group_secret_len) };
            let secret = secret.filter(|secret| !secret.is_empty()).ok_or(FC_AGENT_NULL)?;
            Origin::Group { secret }
        } else {
            // SAFETY: a text, says the caller.
            let token = unsafe { text(factory.claim_token) }.ok_or(FC_AGENT_TEXT)?;
            Origin::Claim { token }
        };
        let kept = if factory.kept.is_null() {
            None
        } else {
            // SAFETY: bytes, says the caller.
            unsafe { bytes(factory.kept, factory.kept_len) }
        };
        // SAFETY: NULL or settings, says the caller.
        let settings = unsafe { FcAgentSettings::read(factory.settings) };
        let working = memory.wrapping_byte_add(size_of::<Self>()).cast::<EnrolmentMem>();
        // SAFETY: within the memory, behind the state; it may lie anywhere.
        unsafe { room(working.cast(), size_of::<EnrolmentMem>()) };
        // SAFETY: it is made of bytes, all of which are zero now, and is the enrolment's for as long as that is used.
        let working = unsafe { &mut *working };
        let made = Enrolment::fresh(working, Factory { user_name, origin }, settings, factory.seed);
        let enrolment = made.ok_or(FC_AGENT_USER_NAME)?;
        // SAFETY: the memory is long enough and aligned.
        unsafe { at.write(Self { enrolment }) };
        // SAFETY: it was written just now, and nobody else knows of it.
        let enrolment = unsafe { &mut (*at).enrolment };
        if let Some(kept) = kept {
            enrolment.resume(kept).map_err(|_| FC_AGENT_RECORD)?;
        }
        Ok(at)
    }
}

/// Bytes of an enrolment with the memory that its connections work in. It is needed until the device is done.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_enrolment_sizeof() -> usize {
    BYTES
}

/// Makes an enrolment in `memory` and writes to `enrolment` where it is. `FC_AGENT_OK`, or why not.
///
/// # Safety
///
/// `memory` has `len` bytes that nobody else uses for as long as the enrolment is used. What `factory` points at is as its
/// fields say. `enrolment` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_init(
    memory: *mut c_void,
    len: usize,
    factory: *const FcAgentFactory,
    enrolment: *mut *mut FcAgentEnrolment,
) -> i32 {
    // SAFETY: NULL or what the maker has put in, says the caller.
    let factory = unsafe { factory.as_ref() };
    let Some(factory) = factory.filter(|_| !enrolment.is_null()) else {
        return FC_AGENT_NULL;
    };
    // SAFETY: the caller vouches for the memory and what the fields point at.
    match unsafe { FcAgentEnrolment::place(memory, len, factory) } {
        Ok(placed) => {
            // SAFETY: it is not NULL, so it may be written.
            unsafe { enrolment.write(placed) };
            FC_AGENT_OK
        }
        Err(why) => why,
    }
}

/// Whether the device has no secret of its own yet, neither one that lets it in nor one on its way.
///
/// # Safety
///
/// `enrolment` is NULL or from `fc_agent_enrolment_init`, here and everywhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_needs_secret(enrolment: *const FcAgentEnrolment) -> bool {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    enrolment.is_some_and(|one| one.enrolment.needs_secret())
}

/// Makes the next secret: the first one, or the one to exchange the present one for. False, and nothing is changed, if one
/// is on its way already, if something is still to be kept, or if the bytes cannot be random.
///
/// # Safety
///
/// `random` is NULL or has `FC_AGENT_RANDOM_BYTES` bytes of the board's generator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_renew(enrolment: *mut FcAgentEnrolment, random: *const u8) -> bool {
    // SAFETY: NULL or bytes.
    let random = unsafe { bytes(random, SECRET_RANDOM_BYTES) };
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_mut() };
    let random = random.and_then(|random| random.first_chunk());
    match (enrolment, random) {
        (Some(one), Some(random)) => one.enrolment.renew(random),
        (None, _) | (_, None) => false,
    }
}

/// The record that is to be kept now, in place of the one before; NULL if there is none. Until it is kept there is no
/// connection. It stays as it is until the next call with this enrolment.
///
/// # Safety
///
/// `len` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_to_keep(enrolment: *const FcAgentEnrolment, len: *mut usize) -> *const u8 {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    // SAFETY: NULL or a length.
    unsafe { lend(enrolment.and_then(|one| one.enrolment.to_keep()), len) }
}

/// The record is kept, and will be there after a power cut.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_kept(enrolment: *mut FcAgentEnrolment) {
    // SAFETY: NULL or an enrolment.
    if let Some(one) = unsafe { enrolment.as_mut() } {
        one.enrolment.handle_kept();
    }
}

/// Whether the device has a secret of its own, which is kept, and nothing else is on its way.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_is_done(enrolment: *const FcAgentEnrolment) -> bool {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    enrolment.is_some_and(|one| one.enrolment.is_done())
}

/// Whether the hub has refused both what lets the device in now and its next secret. It is asked on; meanwhile a device
/// with a password may work.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_is_refused(enrolment: *const FcAgentEnrolment) -> bool {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    enrolment.is_some_and(|one| one.enrolment.is_refused())
}

/// What lets the device in now with its user name; NULL before a claim is answered. To be copied for `FcAgentConfig`: it
/// stays as it is until the next call with this enrolment.
///
/// # Safety
///
/// `len` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_password(enrolment: *const FcAgentEnrolment, len: *mut usize) -> *const u8 {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    // SAFETY: NULL or a length.
    unsafe { lend(enrolment.and_then(|one| one.enrolment.password()), len) }
}

/// The transport is connected, as `fc_agent_connected`.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_connected(enrolment: *mut FcAgentEnrolment, now_ms: u64, entropy: u32) {
    // SAFETY: NULL or an enrolment.
    if let Some(one) = unsafe { enrolment.as_mut() } {
        one.enrolment.handle_connected(now_ms, entropy);
    }
}

/// The transport is closed, by either side, or could not be opened, as `fc_agent_disconnected`.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_disconnected(enrolment: *mut FcAgentEnrolment, now_ms: u64) {
    // SAFETY: NULL or an enrolment.
    if let Some(one) = unsafe { enrolment.as_mut() } {
        one.enrolment.handle_disconnected(now_ms);
    }
}

/// Takes in what the transport received, as `fc_agent_bytes`.
///
/// # Safety
///
/// `received` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_bytes(
    enrolment: *mut FcAgentEnrolment,
    received: *const u8,
    len: usize,
    now_ms: u64,
) -> usize {
    // SAFETY: NULL or bytes.
    let received = unsafe { bytes(received, len) };
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_mut() };
    match (enrolment, received) {
        (Some(one), Some(received)) => one.enrolment.handle_bytes(received, now_ms),
        (None, _) | (_, None) => len,
    }
}

/// Why the connection is over, by the numbers of `FC_AGENT_DISCONNECTED`, once: the transport is to be closed and
/// `fc_agent_enrolment_disconnected` called. 0 if there is nothing to tell. To be called before
/// `fc_agent_enrolment_poll_transmit`, and whenever bytes came.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_poll_event(enrolment: *mut FcAgentEnrolment, now_ms: u64) -> u32 {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_mut() };
    let over = enrolment.and_then(|one| one.enrolment.poll_event(now_ms));
    over.map_or(0, number_of)
}

/// Writes to `out` what is to be sent, as `fc_agent_poll_transmit`.
///
/// # Safety
///
/// `out` is NULL or has `len` bytes that may be written; they are set to zero first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_poll_transmit(
    enrolment: *mut FcAgentEnrolment,
    out: *mut u8,
    len: usize,
    now_ms: u64,
) -> usize {
    // SAFETY: NULL or room.
    let out = unsafe { room(out, len) };
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_mut() };
    enrolment.map_or(0, |one| one.enrolment.poll_transmit(out, now_ms))
}

/// When to come back even if nothing happens, in uptime; `UINT64_MAX` if there is no such time.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_next_deadline(enrolment: *const FcAgentEnrolment) -> u64 {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    let at = enrolment.and_then(|one| one.enrolment.next_deadline());
    at.unwrap_or(u64::MAX)
}

/// When to open the transport, in uptime; `UINT64_MAX` while there is one, and while none is wanted.
///
/// # Safety
///
/// As `fc_agent_enrolment_needs_secret`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_enrolment_next_connect_at(enrolment: *const FcAgentEnrolment) -> u64 {
    // SAFETY: NULL or an enrolment.
    let enrolment = unsafe { enrolment.as_ref() };
    let at = enrolment.and_then(|one| one.enrolment.next_connect_at());
    at.unwrap_or(u64::MAX)
}

/// Bytes for C, with their length; NULL and 0 if there are none.
///
/// # Safety
///
/// `len` is NULL or may be written.
unsafe fn lend(lent: Option<&[u8]>, len: *mut usize) -> *const u8 {
    if !len.is_null() {
        // SAFETY: the caller vouches for it.
        unsafe { len.write(lent.map_or(0, <[u8]>::len)) };
    }
    lent.map_or(null(), <[u8]>::as_ptr)
}
