//! Addresses of this server.

/// A path on this server; whatever else is asked for leads to the start.
pub(crate) fn local(path: &str) -> &str {
    let second = path.as_bytes().get(1);
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if path.starts_with('/') && second != Some(&b'/') && plain {
        path
    } else {
        "/"
    }
}

/// A text as the value of a query.
pub(crate) fn in_query(text: &str) -> String {
    text.bytes().map(percent).collect()
}

/// A byte of a query value (RFC 3986 §2).
fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_to_another_site() {
        assert_eq!(local("/tickets?category=open"), "/tickets?category=open");
        for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb"] {
            assert_eq!(local(foreign), "/");
        }
    }
}
