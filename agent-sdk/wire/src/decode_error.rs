//! Why a message is refused.

/// What is wrong with a part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeProblem {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("longer than 8192 bytes")]
    TooLong,
    /// The message ends too early, or holds another CBOR type than expected there.
    #[error("missing, cut off, or of another type than expected")]
    Malformed,
    /// An array or a map has another number of parts than its kind, or a bitmap marks others than some of the samples.
    #[error("has the wrong number of parts")]
    Count,
    /// Not one of the numbers that the contract lists or allows.
    #[error("is outside its range")]
    Range,
    /// Channel ids must rise within a sample, and `dt_ms` must not fall within a message.
    #[error("is out of order")]
    Order,
    /// Bytes after the end of the message.
    #[error("is followed by more bytes")]
    Trailing,
}

/// Why a message is refused: which part, where, and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} at byte {at}: {problem}")]
pub struct DecodeError {
    /// The part as the CDDL names it.
    pub part: &'static str,
    /// Offset from the start of the message.
    pub at: usize,
    /// What is wrong.
    pub problem: DecodeProblem,
}
