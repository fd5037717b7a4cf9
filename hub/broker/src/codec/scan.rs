//! Reading the body of a packet, never past its end.

use super::malformed;
use crate::session::CloseReason;

/// The rest of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CloseReason> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CloseReason> {
        let (byte, rest) = self.0.split_first().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn two(&mut self) -> Result<u16, CloseReason> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    pub(super) fn four(&mut self) -> Result<u32, CloseReason> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A variable byte integer (MQTT 5 §1.5.5).
    pub(super) fn varint(&mut self) -> Result<usize, CloseReason> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("length of more than four bytes"))
    }

    /// Binary data with its length.
    pub(super) fn binary(&mut self) -> Result<&'a [u8], CloseReason> {
        let length = self.two()?;
        self.take(usize::from(length))
    }

    /// A string (MQTT 5 §1.5.4).
    pub(super) fn text(&mut self) -> Result<&'a str, CloseReason> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("string is not UTF-8"))?;
        if text.contains('\0') {
            return Err(malformed("string holds a null character"));
        }
        Ok(text)
    }

    /// A packet identifier, never 0 (MQTT 5 §2.2.1).
    pub(super) fn packet_id(&mut self) -> Result<u16, CloseReason> {
        match self.two()? {
            0 => Err(malformed("packet identifier is zero")),
            packet_id => Ok(packet_id),
        }
    }
}

fn cut_off() -> CloseReason {
    malformed("packet is shorter than its parts")
}
