use super::PhoneNumberError::{Character, Country, Decimal, Extension, Length, NotInternational};
use super::*;

const LONDON: &str = "+442079460018";
const SHANGHAI: &str = "+862155500100";
const MOBILE: &str = "+8613800005678";

/// Spellings, and the number that each is.
const READ: &[(&str, &str)] = &[
    // Separators.
    ("+442079460018", LONDON),
    ("+44 20 7946 0018", LONDON),
    ("+44-20-7946-0018", LONDON),
    ("+44.20.7946.0018", LONDON),
    ("+44/20/79460018", LONDON),
    ("+33.1.42.68.53.00", "+33142685300"),
    ("+32.2.123.45.00", "+3221234500"),
    ("+44 (20) 7946 0018", LONDON),
    ("(+44) 20 7946 0018", LONDON),
    (" +44 20 7946 0018\r\n", LONDON),
    ("+44 20\u{2011}7946\u{2013}0018", LONDON),
    ("+44\u{2212}20\u{2014}7946\u{FE63}0018", LONDON),
    // The zero that is not dialled from abroad.
    ("+44 (0)20 7946 0018", LONDON),
    ("+44(0)2079460018", LONDON),
    ("+44 ( 0 ) 20 7946 0018", LONDON),
    ("+44 (020) 7946 0018", LONDON),
    ("+44 020 7946 0018", LONDON),
    ("+4402079460018", LONDON),
    ("+86 021 5550 0100", SHANGHAI),
    ("+86 (0)21 5550 0100", SHANGHAI),
    ("+86-021-55500100", SHANGHAI),
    ("+86 (021) 5550-0100", SHANGHAI),
    ("+86 0138 0000 5678", MOBILE),
    ("+49 (0)30 23125055", "+493023125055"),
    ("+49 030 23125055", "+493023125055"),
    ("+81 (0)3-1234-5678", "+81312345678"),
    ("+33 (0)1 42 76 49 78", "+33142764978"),
    ("+7 8 495 123-45-67", "+74951234567"),
    ("+36 06 1 234 5678", "+3612345678"),
    ("+1 1 415 555 0100", "+14155550100"),
    // Written so by people whose country has none, or no longer.
    ("+1 (0) 415 555 0100", "+14155550100"),
    ("+48 (0)22 123 45 67", "+48221234567"),
    ("+34 (0)912 345 678", "+34912345678"),
    // And one that is dialled from abroad.
    ("+39 06 6982 1234", "+390669821234"),
    ("+39 (0)6 6982 1234", "+390669821234"),
    ("+39 (0)35 1234567", "+390351234567"),
    ("+39 (0)331 123456", "+390331123456"),
    ("+225 (0)7 07 12 34 56", "+2250707123456"),
    ("+39 312 345 6789", "+393123456789"),
    // Begins like a national prefix, and is none.
    ("+7 800 555 35 35", "+78005553535"),
    ("+375 800 11 11 11", "+375800111111"),
    ("+1 800 555 0199", "+18005550199"),
    // Full width, and what cannot be seen.
    ("＋４４２０７９４６００１８", LONDON),
    ("＋86 138 0000 5678", MOBILE),
    ("+86（138）0000－5678", MOBILE),
    ("+８６　１３８　００００　５６７８", MOBILE),
    ("\u{FEFF}+86 138 0000 5678", MOBILE),
    ("+86\u{200B}138\u{200B}0000\u{200B}5678", MOBILE),
    ("+86\u{A0}138\u{202F}0000\u{2009}5678", MOBILE),
    ("\u{202A}+8613800005678\u{202C}", MOBILE),
    ("\u{200E}+8613800005678\u{200F}", MOBILE),
    ("\u{2066}+8613800005678\u{2069}", MOBILE),
    ("+86\u{AD}138\u{2060}0000\u{200D}5678", MOBILE),
    ("\u{200B} \u{FEFF}+8613800005678 \u{200B}", MOBILE),
    // Of no area in use, fictitious, and such as tests have.
    ("+1 555 555 0100", "+15555550100"),
    ("+1 415 555 0100", "+14155550100"),
    ("+86 138 0001 0000", "+8613800010000"),
    ("+86 400 800 0001", "+864008000001"),
    ("+86 10 5550 0100", "+861055500100"),
    ("+44 7700 900123", "+447700900123"),
    ("+61 491 570 006", "+61491570006"),
    // Short and long countries, and numbers of none.
    ("+683 4000", "+6834000"),
    ("+290 22222", "+29022222"),
    ("+354 410 4000", "+3544104000"),
    ("+49 1512 3456789", "+4915123456789"),
    ("+800 1234 5678", "+80012345678"),
    ("+54 9 11 2345-6789", "+5491123456789"),
    ("+55 11 96123-4567", "+5511961234567"),
    ("+91 98765 43210", "+919876543210"),
];

/// Texts that are no number, and why.
const REFUSED: &[(&str, PhoneNumberError)] = &[
    ("", NotInternational),
    ("+", Country),
    ("13800005678", NotInternational),
    ("008613800005678", NotInternational),
    ("8613800005678", NotInternational),
    ("020 7946 0018", NotInternational),
    // Countries that there are not.
    ("+999 123 456 789", Country),
    ("+210 123 4567", Country),
    ("+0 44 20 7946 0018", Country),
    ("+0044 20 7946 0018", Country),
    // Lengths.
    ("+123", Length(3)),
    ("+1 253 0000", Length(8)),
    ("+1 415 555 010", Length(10)),
    ("+1 415 555 01000", Length(12)),
    ("+44 20 7946 00", Length(10)),
    ("+86 138 0000 567890", Length(15)),
    ("+86 138", Length(5)),
    ("+49 1512 3456789 0123456", Length(20)),
    // Characters, by code point.
    ("+44 20 7946 OO18", Character('O')),
    ("+12x45678", Extension),
    ("+44 20 7946 0018 a", Character('a')),
    ("+44 20 7946 0018*", Character('*')),
    ("+44 20 7946 0018\u{661}", Character('\u{661}')),
    ("+44 20\n7946 0018", Character('\n')),
    ("+44 20\t7946 0018", Character('\t')),
    ("++44 20 7946 0018", Character('+')),
    ("+44 20 7946 0018 / +44 20 7946 0019", Character('+')),
    ("tel:+442079460018", Character('t')),
    ("+44 20 7946 001８ Ａ", Character('Ａ')),
    ("+1 800 FLOWERS", Character('F')),
    ("+8.613800005678E12", Character('E')),
    // Somebody behind a switchboard.
    ("+44 20 7946 0018 ext. 12", Extension),
    ("+44 20 7946 0018 EXT 12", Extension),
    ("+44 20 7946 0018 x12", Extension),
    ("+44 20 7946 0018#12", Extension),
    ("+44 20 7946 0018,,12", Extension),
    ("+44 20 7946 0018;ext=12", Extension),
    ("+86 21 5550 0100 转 8001", Extension),
    ("+86 21 5550 0100 分机8001", Extension),
    // A spreadsheet's.
    ("+8613800005678.0", Decimal),
    ("8613800005678.0", Decimal),
    ("+8613800005678.00", Decimal),
];

#[test]
fn a_number_has_one_form_however_it_is_written() {
    for (text, number) in READ {
        let read = PhoneNumber::new(text).map(|read| read.reveal().to_owned());
        assert_eq!(read.as_deref(), Ok(*number), "{text:?}");
    }
    for (text, why) in REFUSED {
        assert_eq!(PhoneNumber::new(text), Err(*why), "{text:?}");
    }
    assert!(READ.len() + REFUSED.len() >= 60);
}

#[test]
fn its_form_is_read_as_itself() {
    for (_, number) in READ {
        assert_eq!(PhoneNumber::new(number).unwrap().reveal(), *number);
    }
}

#[test]
fn why_a_text_is_none_is_told_without_a_digit_of_it() {
    let told = |text| PhoneNumber::new(text).unwrap_err().to_string();
    let with_letter = told("+44 20 7946 OO18");
    assert!(with_letter.contains("U+004F"), "{with_letter}");
    assert!(told("+44 20 7946 001８ Ａ").contains("U+FF21"));
    for (text, _) in REFUSED {
        assert!(!told(text).contains("7946"), "{text:?}");
    }
}

#[test]
fn a_number_is_masked_wherever_it_is_shown() {
    let number = PhoneNumber::new("+86 (138) 0000-5678").unwrap();
    assert_eq!(number.reveal(), "+8613800005678");
    assert_eq!(
        format!("{number} {number:?}"),
        "+86*******5678 PhoneNumber(+86*******5678)"
    );
    assert_eq!(serde_json::to_string(&number).unwrap(), "\"+86*******5678\"");
    assert_eq!(PhoneNumber::new("+6834000").unwrap().masked(), "+***4000");
}

#[test]
fn what_is_kept_is_taken_as_it_stands() {
    let kept = |text| PhoneNumber::kept(text).map(|number| number.reveal().to_owned());
    for text in ["+4402079460018", "+9991234567", "+1234567"] {
        assert_eq!(kept(text).as_deref(), Ok(text));
    }
    assert_eq!(kept("4402079460018"), Err(NotInternational));
    assert_eq!(kept("+44 2079460018"), Err(Character(' ')));
    assert_eq!(kept("+123456"), Err(Length(6)));
}

#[test]
fn the_spelling_of_before_is_known() {
    for (number, before) in [
        (LONDON, Some("+4402079460018")),
        (MOBILE, Some("+86013800005678")),
        ("+34912345678", None),
    ] {
        let kept = PhoneNumber::new(number).unwrap().kept_with_prefix();
        assert_eq!(kept.as_ref().map(PhoneNumber::reveal), before, "{number}");
    }
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}", number in "\\+[0-9]{0,20}", mixed in "[+0-9() .x\u{200B}-]{0,30}") {
            for text in [text, number, mixed] {
                let Ok(read) = PhoneNumber::new(&text) else { continue };
                let again = PhoneNumber::new(read.reveal());
                prop_assert_eq!(again.as_ref().map(PhoneNumber::reveal), Ok(read.reveal()));
                prop_assert!(PhoneNumber::kept(read.reveal()).is_ok() && !read.masked().is_empty());
            }
        }
    }
}
