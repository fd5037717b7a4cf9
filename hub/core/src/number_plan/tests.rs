use super::PhoneNumberError::{Character, Country, Decimal, Extension, Length, NotNational};
use super::*;

fn plan(country: &str, trunk: &str, abroad: &str, area: Option<&str>) -> NumberPlan {
    NumberPlan {
        country_code: country.to_owned(),
        trunk_prefix: trunk.to_owned(),
        international_prefix: abroad.to_owned(),
        area_code: area.map(str::to_owned),
        written: WrittenForm::E164,
    }
}

fn shanghai() -> NumberPlan {
    plan("86", "0", "00", Some("21"))
}

fn reads(plan: &NumberPlan, table: &[(&str, Option<&str>)]) {
    for (text, number) in table {
        let read = plan.read(text).ok();
        assert_eq!(read.as_ref().map(PhoneNumber::reveal), *number, "{text}");
    }
}

#[test]
fn callers_are_read_as_they_are_dialled_in_china() {
    let owner = Some("+8613800008412");
    reads(
        &shanghai(),
        &[
            ("+8613800008412", owner),
            ("8613800008412", owner),
            ("008613800008412", owner),
            ("13800008412", owner),
            ("013800008412", owner),
            ("138-0000-8412", owner),
            ("(0)138 0000 8412", owner),
            ("02155500100", Some("+862155500100")),
            ("2155500100", Some("+862155500100")),
            ("55500100", Some("+862155500100")),
            ("01055500100", Some("+861055500100")),
            ("4008000001", Some("+864008000001")),
            ("0014155550100", Some("+14155550100")),
            ("00442079460018", Some("+442079460018")),
            ("00", None),
            ("110", None),
            ("8001", None),
            ("0099912345678", None),
            ("138000084121234567", None),
            ("anonymous", None),
            ("", None),
        ],
    );
}

#[test]
fn and_elsewhere() {
    reads(
        &plan("44", "0", "00", Some("20")),
        &[
            ("020 7946 0018", Some("+442079460018")),
            ("2079460018", Some("+442079460018")),
            ("79460018", Some("+442079460018")),
            ("442079460018", Some("+442079460018")),
            ("07700900123", Some("+447700900123")),
            ("0033142764978", Some("+33142764978")),
        ],
    );
    reads(
        &plan("1", "1", "011", Some("415")),
        &[
            ("4155550100", Some("+14155550100")),
            ("14155550100", Some("+14155550100")),
            ("5550100", Some("+14155550100")),
            ("011442079460018", Some("+442079460018")),
        ],
    );
    // A zero that belongs to the number.
    reads(
        &plan("39", "", "00", None),
        &[
            ("0669821234", Some("+390669821234")),
            ("3123456789", Some("+393123456789")),
            ("390669821234", Some("+390669821234")),
        ],
    );
}

#[test]
fn a_number_may_say_itself_where_it_holds() {
    let plan = shanghai();
    let read = |context: &str, text: &str| {
        let number = plan.within(context)?.read(text).ok()?;
        Some(number.reveal().to_owned())
    };
    assert_eq!(read("+86", "13800008412").as_deref(), Some("+8613800008412"));
    assert_eq!(read("+8610", "55500100").as_deref(), Some("+861055500100"));
    assert_eq!(read("+86-10", "55500100").as_deref(), Some("+861055500100"));
    assert_eq!(read("carrier.example", "55500100").as_deref(), Some("+862155500100"));
    assert_eq!(read("+44", "13800008412"), None);
}

#[test]
fn numbers_are_written_as_the_carrier_wants_them() {
    let number = |text| PhoneNumber::new(text).unwrap();
    let (home, abroad) = (number("+8613800008412"), number("+14155550100"));
    for (written, at_home, beyond) in [
        (WrittenForm::E164, "+8613800008412", "+14155550100"),
        (WrittenForm::WithoutPlus, "8613800008412", "14155550100"),
        (WrittenForm::International, "008613800008412", "0014155550100"),
        (WrittenForm::National, "013800008412", "0014155550100"),
    ] {
        let plan = NumberPlan { written, ..shanghai() };
        assert_eq!(
            (plan.write(&home).as_str(), plan.write(&abroad).as_str()),
            (at_home, beyond)
        );
        // What is written is read again; without plus and prefix a number abroad could be one at home.
        assert_eq!(plan.read(at_home), Ok(home.clone()));
        if written != WrittenForm::WithoutPlus {
            assert_eq!(plan.read(beyond), Ok(abroad.clone()));
        }
    }
}

#[test]
fn a_plan_that_no_number_goes_by_is_refused() {
    assert_eq!(shanghai().check(), Ok(()));
    let field = |plan: NumberPlan| plan.check().map_err(|(field, _)| field);
    for code in ["", "999", "+86", "086", "8613"] {
        assert_eq!(
            field(plan(code, "0", "00", None)),
            Err("number_plan.country_code"),
            "{code}"
        );
    }
    assert_eq!(field(plan("86", "0a", "00", None)), Err("number_plan.trunk_prefix"));
    assert_eq!(
        field(plan("86", "0", "", None)),
        Err("number_plan.international_prefix")
    );
    assert_eq!(field(plan("86", "0", "00", Some(""))), Err("number_plan.area_code"));
    assert_eq!(
        field(plan("86", "0", "00", Some("1234567"))),
        Err("number_plan.area_code")
    );
}

fn own(plan: &NumberPlan, table: &[(&str, Result<&str, PhoneNumberError>)]) {
    for (text, wanted) in table {
        let read = plan.read_own(text).map(|number| number.reveal().to_owned());
        assert_eq!(read.as_deref().map_err(|error| *error), *wanted, "{text:?}");
    }
}

#[test]
fn people_write_their_own_number_as_it_is_dialled_in_their_country() {
    let (mobile, fixed) = (Ok("+8613800138000"), Ok("+862155500100"));
    own(
        &shanghai(),
        &[
            ("138 0013 8000", mobile),
            ("13800138000", mobile),
            ("１３８００１３８０００", mobile),
            ("138-0013-8000", mobile),
            ("\u{202A}138 0013 8000\u{202C}", mobile),
            ("0138 0013 8000", mobile),
            ("+86 138 0013 8000", mobile),
            ("0086 138 0013 8000", mobile),
            ("021 5550 0100", fixed),
            ("(021) 5550 0100", fixed),
            ("（021）5550－0100", fixed),
            ("00 86 21 5550 0100", fixed),
            ("+44 20 7946 0018", Ok("+442079460018")),
            ("0044 (0)20 7946 0018", Ok("+442079460018")),
            // In which town, nobody says; and a `+` that is missing is not added.
            ("5550 0100", Err(NotNational)),
            ("8613800138000", Err(Length(15))),
            // Too short and too long for the country.
            ("138 0013 800", Err(NotNational)),
            ("0138-0000", Err(NotNational)),
            ("021 5550 010", Err(NotNational)),
            ("0138 0013 800001", Err(Length(16))),
            ("110", Err(Length(5))),
            ("", Err(Length(2))),
            ("00 999 12345678", Err(Country)),
            // As with `+`.
            ("138 0013 8OOO", Err(Character('O'))),
            ("13800138000.0", Err(Decimal)),
            ("021 5550 0100 转 8001", Err(Extension)),
        ],
    );
}

#[test]
fn and_so_they_do_elsewhere() {
    let germany = plan("49", "0", "00", Some("30"));
    own(
        &germany,
        &[
            ("0171 1234567", Ok("+491711234567")),
            ("0171/1234567", Ok("+491711234567")),
            ("(030) 901820", Ok("+4930901820")),
            ("030 901820", Ok("+4930901820")),
            ("0049 30 901820", Ok("+4930901820")),
            ("+49 (0)30 901820", Ok("+4930901820")),
            // Without the zero it could be a number next door.
            ("30 901820", Err(NotNational)),
            ("901820", Err(NotNational)),
            ("171 1234567", Err(NotNational)),
            ("49 30 901820", Err(NotNational)),
        ],
    );
    own(
        &plan("44", "", "00", None),
        &[
            ("020 7946 0018", Ok("+442079460018")),
            ("07400 123456", Ok("+447400123456")),
            // Of nobody's, as in films: it needs its country code.
            ("07700 900123", Err(NotNational)),
            ("+44 7700 900123", Ok("+447700900123")),
            ("2079460018", Err(NotNational)),
            ("7946 0018", Err(Length(10))),
            ("0123456", Err(NotNational)),
        ],
    );
    own(
        &plan("1", "1", "011", Some("415")),
        &[
            ("(415) 555-0100", Ok("+14155550100")),
            ("1 415 555 0100", Ok("+14155550100")),
            ("011 44 20 7946 0018", Ok("+442079460018")),
            ("555-0100", Err(Length(8))),
        ],
    );
    // Where numbers have no national prefix, and a zero belongs to the number.
    own(
        &plan("39", "", "00", None),
        &[
            ("06 6982 1234", Ok("+390669821234")),
            ("312 345 6789", Ok("+393123456789")),
            ("6982 1234", Err(NotNational)),
        ],
    );
    own(&plan("34", "", "00", None), &[("912 345 678", Ok("+34912345678"))]);
}

/// One key for the do-not-call list, for consent, for limits and for the caller who rings back.
#[test]
fn what_is_read_in_national_form_is_the_number_that_is_read_with_its_country() {
    let plan = shanghai();
    let known = PhoneNumber::new("+86 138 0013 8000");
    for text in [
        "138 0013 8000",
        "0138-0013-8000",
        "0086 13800138000",
        "+86 (0)138 0013 8000",
    ] {
        assert_eq!(plan.read_own(text), known, "{text}");
    }
    let told = NotNational.to_string();
    assert!(told.contains("national prefix and area code"), "{told}");
}
