//! An error with its causes in one line, for the places that need a text: a stored reason, an answer to a client. What is
//! only logged goes to `tracing` as an error.

use std::error::Error;

/// The error, then each cause, separated by `": "`. Control characters are left out, since parts of the text may come from
/// a peer.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Cause {
        text: &'static str,
        source: Option<Box<Cause>>,
    }

    #[test]
    fn causes_come_in_order_and_on_one_line() {
        let inner = Cause {
            text: "the disk\n is full",
            source: None,
        };
        assert_eq!(in_full(&inner), "the disk is full");
        let outer = Cause {
            text: "not stored",
            source: Some(Box::new(inner)),
        };
        assert_eq!(in_full(&outer), "not stored: the disk is full");
    }
}
