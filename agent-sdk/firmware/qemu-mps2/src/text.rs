//! Texts in memory that is there.

use core::fmt;

/// Writes a text into `buffer`; what does not fit is cut off.
pub fn format<'b>(buffer: &'b mut [u8], text: fmt::Arguments<'_>) -> &'b str {
    let mut into = Cut { buffer, len: 0 };
    // It takes everything.
    let _ = fmt::Write::write_fmt(&mut into, text);
    let Cut { buffer, len } = into;
    // Cut within a character, it is not shown.
    core::str::from_utf8(buffer.get(..len).unwrap_or_default()).unwrap_or_default()
}

struct Cut<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(place) = self.buffer.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}
