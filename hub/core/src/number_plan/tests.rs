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
