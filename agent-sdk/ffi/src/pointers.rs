//! From the pointers of C to the references of Rust.

use core::ffi::c_char;

/// A text has fewer bytes than this, so that one without its final zero is found out.
pub(crate) const TEXT_BYTES_MAX: usize = 1024;

/// A text of C. Gives `None` if it is NULL, too long, or not ASCII.
///
/// # Safety
///
/// `at` is NULL or points at bytes up to a zero, or [`TEXT_BYTES_MAX`] of them, which stay as they are during `'a`.
pub(crate) unsafe fn text<'a>(at: *const c_char) -> Option<&'a str> {
    let at = at.cast::<u8>();
    if at.is_null() {
        return None;
    }
    let mut len = 0;
    while len < TEXT_BYTES_MAX {
        let next = at.wrapping_add(len);
        // SAFETY: no byte before it was the final zero, so this one is still the caller's.
        let byte = unsafe { next.read() };
        if byte == 0 {
            // SAFETY: all of these were read just now, and stay as they are.
            let bytes = unsafe { core::slice::from_raw_parts(at, len) };
            // SAFETY: all of these are ASCII.
            return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
        }
        if !byte.is_ascii() {
            return None;
        }
        len = len.wrapping_add(1);
    }
    None
}

/// Bytes of C. Gives `None` if they are NULL but are said to be some.
///
/// # Safety
///
/// `at` is NULL or points at `len` bytes, which stay as they are during `'a`.
pub(crate) unsafe fn bytes<'a>(at: *const u8, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if at.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for it.
    Some(unsafe { core::slice::from_raw_parts(at, len) })
}

/// Room of C, set to zero: it need not be initialised. Gives nothing if it is NULL.
///
/// # Safety
///
/// `at` is NULL or points at `len` bytes, which nobody else uses during `'a`.
pub(crate) unsafe fn room<'a>(at: *mut u8, len: usize) -> &'a mut [u8] {
    if at.is_null() {
        return &mut [];
    }
    for index in 0..len {
        // Byte by byte, and volatile so that it stays so: the agent asks for no C library.
        // SAFETY: the caller vouches for it.
        unsafe { at.wrapping_add(index).write_volatile(0) };
    }
    // SAFETY: the caller vouches for it, and each byte has a value.
    unsafe { core::slice::from_raw_parts_mut(at, len) }
}
