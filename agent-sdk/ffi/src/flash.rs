//! Secrets and settings in the program's flash, for C: `agent-sdk-storage` over three functions of the program.

use crate::pointers::{bytes, room};
use crate::types::{
    FC_AGENT_AREA, FC_AGENT_FLASH, FC_AGENT_FORMAT, FC_AGENT_FULL, FC_AGENT_MEMORY, FC_AGENT_NOTHING, FC_AGENT_NULL,
    FC_AGENT_NUMBER, FC_AGENT_OK, FC_AGENT_STORE_BYTES, FC_AGENT_TOO_LONG, FC_AGENT_VALUE_BYTES, FcAgentFlash,
};
use agent_sdk_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use agent_sdk_storage::{Area, Error, KeyValue, PAGE_BYTES_MIN, WRITE_SIZE_MAX};
use core::ffi::c_void;

/// Values by key in flash, each as it was put last, whatever moment the power fails at; in memory of yours. Used by one
/// thread at a time.
pub struct FcAgentStore {
    flash: Driver,
    keys: KeyValue,
}

const _: () = assert!(
    size_of::<FcAgentStore>() <= FC_AGENT_STORE_BYTES,
    "a store has outgrown what the header promises"
);

/// The three functions of the program, all of which are there.
pub(crate) struct Driver {
    context: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, u32, *mut u8, usize) -> i32,
    program: unsafe extern "C" fn(*mut c_void, u32, *const u8, usize) -> i32,
    erase: unsafe extern "C" fn(*mut c_void, u32, usize) -> i32,
}

impl Driver {
    pub(crate) fn new(flash: &FcAgentFlash) -> Option<Self> {
        Some(Self {
            context: flash.context,
            read: flash.read?,
            program: flash.program?,
            erase: flash.erase?,
        })
    }
}

/// One of the functions did not give 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed;

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Driver {
    type Error = Failed;
}

impl ReadNorFlash for Driver {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        // SAFETY: the program vouches for its function, and there is room for that many bytes.
        done(unsafe { (self.read)(self.context, offset, bytes.as_mut_ptr(), bytes.len()) })
    }

    fn capacity(&self) -> usize {
        // The program says where its area lies.
        u32::MAX as usize
    }
}

impl NorFlash for Driver {
    /// The largest that any flash has: what is a multiple of it is one of smaller ones too.
    const WRITE_SIZE: usize = WRITE_SIZE_MAX;
    /// Whole pages are erased; those are multiples of this.
    const ERASE_SIZE: usize = PAGE_BYTES_MIN as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
        let len = to.saturating_sub(from) as usize;
        // SAFETY: the program vouches for its function.
        done(unsafe { (self.erase)(self.context, from, len) })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        // SAFETY: the program vouches for its function, and there are that many bytes.
        done(unsafe { (self.program)(self.context, offset, bytes.as_ptr(), bytes.len()) })
    }
}

fn done(answer: i32) -> Result<(), Failed> {
    if answer == 0 { Ok(()) } else { Err(Failed) }
}

pub(crate) fn flash_number(error: Error<Failed>) -> i32 {
    match error {
        Error::Flash(Failed) => FC_AGENT_FLASH,
        Error::Geometry => FC_AGENT_AREA,
        Error::Format => FC_AGENT_FORMAT,
        Error::Full => FC_AGENT_FULL,
        Error::Length => FC_AGENT_TOO_LONG,
        Error::Buffer(_) => FC_AGENT_MEMORY,
        Error::Unread | Error::Key => FC_AGENT_NUMBER,
    }
}

/// Bytes of a store.
#[unsafe(no_mangle)]
pub extern "C" fn fc_agent_flash_sizeof() -> usize {
    size_of::<FcAgentStore>()
}

/// Reads what the area holds, makes a store of it in `memory` and writes to `store` where that is. `FC_AGENT_OK`, or why
/// not. An area that is erased holds nothing; nothing is written before the first `fc_agent_flash_put`.
///
/// # Safety
///
/// `memory` has `len` bytes that nobody else uses for as long as the store is used. `flash` is copied, and its functions do
/// what its fields say. `store` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_open(
    memory: *mut c_void,
    len: usize,
    flash: *const FcAgentFlash,
    store: *mut *mut FcAgentStore,
) -> i32 {
    // SAFETY: NULL or a flash, says the caller.
    let flash = unsafe { flash.as_ref() };
    let driver = flash.and_then(|flash| Driver::new(flash).map(|driver| (flash, driver)));
    let (Some((flash, driver)), false, false) = (driver, memory.is_null(), store.is_null()) else {
        return FC_AGENT_NULL;
    };
    let at = memory.cast::<FcAgentStore>();
    if len < size_of::<FcAgentStore>() || !at.is_aligned() {
        return FC_AGENT_MEMORY;
    }
    let area = Area::new(&driver, flash.start, flash.page_bytes, flash.pages);
    let keys = match area {
        Ok(area) => KeyValue::unread(area),
        Err(why) => return flash_number(why),
    };
    // SAFETY: the memory is long enough and aligned.
    unsafe { at.write(FcAgentStore { flash: driver, keys }) };
    // SAFETY: it was written just now, and nobody else knows of it.
    let FcAgentStore { flash, keys } = unsafe { &mut *at };
    if let Err(why) = keys.read(flash) {
        return flash_number(why);
    }
    // SAFETY: it is not NULL, so it may be written.
    unsafe { store.write(at) };
    FC_AGENT_OK
}

/// Reads the value of `key` into `value` and writes its bytes to `got`. `FC_AGENT_OK`; `FC_AGENT_NOTHING` if it was never
/// put; `FC_AGENT_MEMORY` if `len` is too small for it; or why not.
///
/// # Safety
///
/// `store` is NULL or from `fc_agent_flash_open`, here and everywhere. `value` is NULL or has `len` bytes that may be
/// written; they are set to zero first. `got` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_get(
    store: *mut FcAgentStore,
    key: u8,
    value: *mut u8,
    len: usize,
    got: *mut usize,
) -> i32 {
    // SAFETY: NULL or room.
    let value = unsafe { room(value, len) };
    // SAFETY: NULL or a store.
    let Some(FcAgentStore { flash, keys }) = (unsafe { store.as_mut() }) else {
        return FC_AGENT_NULL;
    };
    match keys.get(flash, key, value) {
        Ok(Some(count)) => {
            if !got.is_null() {
                // SAFETY: it is not NULL, so it may be written.
                unsafe { got.write(count) };
            }
            FC_AGENT_OK
        }
        Ok(None) => FC_AGENT_NOTHING,
        Err(why) => flash_number(why),
    }
}

/// Keeps `value` as the value of `key`, 0 to 31: at most `FC_AGENT_VALUE_BYTES`. `FC_AGENT_OK`: it is kept, and will be
/// there after a power cut. `FC_AGENT_FLASH`: the old value is there or the new one, and it may be tried again. Else nothing
/// was changed.
///
/// # Safety
///
/// As `fc_agent_flash_get`. `value` is NULL or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fc_agent_flash_put(store: *mut FcAgentStore, key: u8, value: *const u8, len: usize) -> i32 {
    // SAFETY: NULL or bytes.
    let value = unsafe { bytes(value, len) };
    // SAFETY: NULL or a store.
    let store = unsafe { store.as_mut() };
    let (Some(FcAgentStore { flash, keys }), Some(value)) = (store, value) else {
        return FC_AGENT_NULL;
    };
    if value.len() > FC_AGENT_VALUE_BYTES {
        return FC_AGENT_TOO_LONG;
    }
    match keys.put(flash, key, value, &mut [0; FC_AGENT_VALUE_BYTES]) {
        Ok(()) => FC_AGENT_OK,
        Err(why) => flash_number(why),
    }
}
