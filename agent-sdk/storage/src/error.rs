//! Why an operation on flash is refused.

/// Why an operation is refused; `E` is the flash driver's own error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    /// The driver failed. What the operation was to write may be there or not; the next operation reads the flash
    /// again, as after a restart.
    #[error("the flash driver failed")]
    Flash(E),
    /// The area does not fit the flash: see [`Area::new`](crate::Area::new).
    #[error("the area does not fit the flash: check start, page size, pages and the driver's sizes")]
    Geometry,
    /// A page was written by another version of this crate, or for another purpose. Nothing was changed;
    /// [`Area::wipe`](crate::Area::wipe) gives the area up.
    #[error("a page has another format version or purpose: wipe the area, or run the version that wrote it")]
    Format,
    /// No room: the outbox refuses until records are acknowledged, or the values do not fit one page together.
    #[error("no room is left")]
    Full,
    /// The record is empty, or longer than a page holds.
    #[error("the record is empty or longer than a page holds")]
    Length,
    /// The buffer is shorter than this record or value, of so many bytes. Nothing was consumed.
    #[error("the buffer is too short: {0} bytes are needed")]
    Buffer(usize),
    /// The record has not been read since the start, so that nobody can have received it.
    #[error("a record was acknowledged that has not been read")]
    Unread,
    /// The key is not below [`KEYS`](crate::KEYS).
    #[error("there is no such key")]
    Key,
}
