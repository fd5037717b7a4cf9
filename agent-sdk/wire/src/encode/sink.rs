//! Memory of the caller that is filled from its start, with CBOR (RFC 8949) in its shortest form. Only what messages need,
//! because firmware pays for it; what does not fit is counted and found out once, at the end.

use super::EncodeError;

/// Major types (RFC 8949, section 3.1), where they stand in the first byte.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
/// Simple values and floating-point numbers.
const FALSE: u8 = 0xF4;
const F32: u8 = 0xFA;
const F64: u8 = 0xFB;

#[derive(Debug)]
pub(crate) struct Sink<'s> {
    buffer: &'s mut [u8],
    /// Also of what did not fit.
    len: usize,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(buffer: &'s mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// How many bytes were written.
    ///
    /// # Errors
    /// They did not fit.
    pub(crate) fn finish(&self) -> Result<usize, EncodeError> {
        if self.len > self.buffer.len() {
            return Err(EncodeError::Full);
        }
        Ok(self.len)
    }

    /// Forgets what was written behind so many bytes.
    pub(crate) fn go_back(&mut self, len: usize) {
        self.len = len;
    }

    /// All that was written.
    ///
    /// # Errors
    /// It did not fit.
    pub(crate) fn written(self) -> Result<&'s [u8], EncodeError> {
        let whole: &'s [u8] = self.buffer;
        whole.get(..self.len).ok_or(EncodeError::Full)
    }

    /// What was written, with one byte of it set to a count that was not known before.
    ///
    /// # Errors
    /// It did not fit, or the byte is not in it.
    pub(crate) fn into_bytes(self, count_at: usize, count: u8) -> Result<&'s [u8], EncodeError> {
        let written = self.buffer.get_mut(..self.len).ok_or(EncodeError::Full)?;
        *written.get_mut(count_at).ok_or(EncodeError::Full)? = count;
        Ok(written)
    }

    /// How many bytes there have been, whether they fitted or not.
    pub(crate) fn count(&self) -> usize {
        self.len
    }

    #[inline(never)]
    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.len) {
            *place = byte;
        }
        self.len = self.len.wrapping_add(1);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.byte(*byte);
        }
    }

    /// What a message of so many parts begins with.
    #[inline(never)]
    pub(crate) fn message(&mut self, parts: usize, kind: u8) {
        self.array(parts);
        self.code(kind);
    }

    pub(crate) fn array(&mut self, len: usize) {
        self.head(ARRAY, len as u64);
    }

    pub(crate) fn map(&mut self, len: usize) {
        self.head(MAP, len as u64);
    }

    pub(crate) fn code(&mut self, code: u8) {
        self.number(u64::from(code));
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.head(UNSIGNED, number);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        // A negative number is -1 - n, and n the complement of its bits.
        let is_negative = number < 0;
        let argument = if is_negative { !number } else { number } as u64;
        self.head(if is_negative { NEGATIVE } else { UNSIGNED }, argument);
    }

    pub(crate) fn bool(&mut self, flag: bool) {
        self.byte(FALSE | u8::from(flag));
    }

    pub(crate) fn f32(&mut self, number: f32) {
        self.byte(F32);
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn f64(&mut self, number: f64) {
        self.byte(F64);
        self.raw(&number.to_be_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes_head(bytes.len());
        self.raw(bytes);
    }

    /// What stands before so many bytes.
    pub(crate) fn bytes_head(&mut self, len: usize) {
        self.head(BYTES, len as u64);
    }

    fn head(&mut self, major: u8, argument: u64) {
        // In halves: what compares 64 bits takes more flash.
        let (high, low) = ((argument >> 32) as u32, argument as u32);
        let (code, skipped) = if high > 0 {
            (27, 0)
        } else if low > 0xFFFF {
            (26, 4)
        } else if low > 0xFF {
            (25, 6)
        } else if low > 23 {
            (24, 7)
        } else {
            (low as u8, 8)
        };
        self.byte(major | code);
        self.raw(argument.to_be_bytes().get(skipped..).unwrap_or_default());
    }
}
