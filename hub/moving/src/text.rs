//! Rows in PostgreSQL's text COPY format (manual, section "COPY", "Text Format"), as `copy … to stdout` writes them.

/// Fields of a row; `None` is null.
pub(crate) type Fields = Vec<Option<String>>;

/// Takes lines out of what arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct CopyLines(Vec<u8>);

impl CopyLines {
    /// More of the stream.
    pub(crate) fn push(&mut self, piece: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.0.is_empty() {
                each(&rest[..end]);
            } else {
                self.0.extend_from_slice(&rest[..end]);
                each(&self.0);
                self.0.clear();
            }
            rest = &rest[end + 1..];
        }
        self.0.extend_from_slice(rest);
    }
}

/// Splits a line; `None` if it is no text.
pub(crate) fn fields(line: &[u8]) -> Option<Fields> {
    line.split(|byte| *byte == b'\t').map(field).collect()
}

fn field(escaped: &[u8]) -> Option<Option<String>> {
    if escaped == b"\\N" {
        return Some(None);
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        let taken = match (byte, *byte == b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next()? {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => *other,
            },
        };
        plain.push(taken);
    }
    Some(Some(String::from_utf8(plain).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_pieces_and_escapes_are_undone() {
        let mut lines = CopyLines::default();
        let mut seen = Vec::new();
        for piece in [&b"a\tb"[..], b"\\tc\t\\N\n\\\\N\t\nx", b"\n"] {
            lines.push(piece, |line| seen.push(fields(line).unwrap()));
        }
        let text = |s: &str| Some(s.to_owned());
        assert_eq!(
            seen,
            [
                vec![text("a"), text("b\tc"), None],
                vec![text("\\N"), text("")],
                vec![text("x")]
            ]
        );
        assert!(fields(b"\xff").is_none() && fields(b"a\\").is_none());
    }
}
