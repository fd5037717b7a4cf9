//! What may be the name of a topic.

/// Whether these bytes are a topic name that may be published to: not empty, well-formed UTF-8, without U+0000 and
/// without wildcards (§1.5.3, §3.3.2.1, §4.7.3).
///
/// Written out, because the check of the standard library costs more flash and is not known to be free of panics.
pub(crate) fn is_topic(bytes: &[u8]) -> bool {
    // How many bytes the character needs, and what the next of them may be (RFC 3629, section 4).
    let (mut more, mut least, mut most) = (0_u8, 0x80, 0xBF);
    for byte in bytes {
        if more > 0 {
            if *byte < least || *byte > most {
                return false;
            }
            more = more.wrapping_sub(1);
            (least, most) = (0x80, 0xBF);
            continue;
        }
        match *byte {
            0 | b'#' | b'+' | 0x80..=0xC1 | 0xF5..=0xFF => return false,
            0x01..=0x7F => {}
            0xC2..=0xDF => more = 1,
            0xE0..=0xEF => more = 2,
            0xF0..=0xF4 => more = 3,
        }
        match *byte {
            0xE0 => least = 0xA0,
            0xED => most = 0x9F,
            0xF0 => least = 0x90,
            0xF4 => most = 0x8F,
            _ => {}
        }
    }
    more == 0 && !bytes.is_empty()
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
