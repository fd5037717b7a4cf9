//! What may be the name of a topic.

/// Whether these bytes are a topic name that may be published to: not empty, well-formed UTF-8, without U+0000 and
/// without wildcards (§1.5.3, §3.3.2.1, §4.7.3).
///
/// Written out, because the check of the standard library costs more flash and is not known to be free of panics.
pub(crate) fn is_topic(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(first) = rest.next() {
        // How many bytes follow, and the first character that needs as many (RFC 3629, section 3).
        let (more, least) = match *first {
            0 | b'#' | b'+' => return false,
            0x01..=0x7F => continue,
            0x80..=0xDF => (1_u8, 0x80),
            0xE0..=0xEF => (2, 0x800),
            0xF0..=0xFF => (3, 0x1_0000),
        };
        // The bits of the character, behind as many ones as it has bytes, which the mask takes away.
        let mut character = u32::from(*first & (0x3F >> more));
        for _ in 0..more {
            let Some(next) = rest.next().filter(|next| **next & 0xC0 == 0x80) else {
                return false;
            };
            character = character << 6 | u32::from(*next & 0x3F);
        }
        let is_first_right = *first >= 0xC0 && *first < 0xF8;
        if !is_first_right || character < least || char::from_u32(character).is_none() {
            return false;
        }
    }
    !bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_topic;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn expected(bytes: &[u8]) -> bool {
        let forbidden = ['\0', '#', '+'];
        core::str::from_utf8(bytes).is_ok_and(|text| !text.is_empty() && !text.contains(forbidden))
    }

    #[test]
    fn every_pair_of_bytes_is_judged_as_the_standard_library_judges_it() {
        for pair in 0..=u16::MAX {
            let pair = pair.to_be_bytes();
            assert_eq!(is_topic(&pair), expected(&pair), "{pair:?}");
        }
        assert!(!is_topic(b""));
    }

    #[test]
    fn every_character_but_three_may_be_in_a_topic() {
        for c in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(is_topic(bytes), !matches!(c, '\0' | '#' | '+'), "{c:?}");
            let (_, cut) = bytes.split_last().unwrap();
            assert!(!is_topic(cut), "{c:?} cut short");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_as_the_standard_library_judges_them(
            bytes in vec(prop_oneof![any::<u8>(), 0x80..=0xBF_u8, 0xE0..=0xF5_u8, 0x20..=0x7E_u8], 0..8),
        ) {
            prop_assert_eq!(is_topic(&bytes), expected(&bytes), "{:?}", bytes);
        }
    }
}
