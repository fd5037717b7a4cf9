use super::*;

/// Who is who in which headers; the same table is played over UDP in `tests/callers.rs`.
const CALLERS: &str = include_str!("../../../../tests/sip/callers.txt");
const OWNER: &str = "+8613800008412";
const OTHER: &str = "+8613900001234";

/// Each row: who, and the headers as they stand in a message.
fn rows() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let lines = CALLERS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let mut parts = line.split(" | ").map(str::trim);
        (parts.next().unwrap(), parts.collect())
    })
}

fn known(text: &str) -> Option<PhoneNumber> {
    Some(PhoneNumber::new(text).unwrap())
}

fn expected(who: &str) -> Identity {
    match who {
        "asserted owner" => Identity::Asserted(known(OWNER)),
        "asserted nobody" => Identity::Asserted(None),
        "named owner" => Identity::Named(PhoneNumber::new(OWNER).unwrap()),
        "named other" => Identity::Named(PhoneNumber::new(OTHER).unwrap()),
        "stated owner" => Identity::Stated(known(OWNER)),
        "stated other" => Identity::Stated(known(OTHER)),
        "stated nobody" | "unreadable" => Identity::Stated(None),
        _ => panic!("{who}"),
    }
}

fn identity(lines: &[&str]) -> Identity {
    identity_by(None, lines)
}

fn identity_by(plan: Option<&NumberPlan>, lines: &[&str]) -> Identity {
    let mut headers = CallerHeaders::default();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim().to_owned();
        match name {
            "From" => headers.from = Some(value),
            "P-Asserted-Identity" => headers.asserted.push(value),
            "P-Preferred-Identity" => headers.preferred.push(value),
            "Remote-Party-ID" => headers.remote_party.push(value),
            _ => panic!("{name}"),
        }
    }
    Identity::of(&headers, plan)
}

#[test]
fn each_form_names_whom_it_names() {
    assert!(rows().count() >= 60);
    for (who, headers) in rows() {
        assert_eq!(identity(&headers), expected(who), "{headers:?}");
    }
}

/// What may stand in From may stand in an assertion too, and names the same.
#[test]
fn an_assertion_is_read_like_a_from() {
    let mut looked_at = 0;
    for (who, headers) in rows() {
        let [from] = headers.as_slice() else { continue };
        let Some(value) = from.strip_prefix("From:") else {
            continue;
        };
        let asserted = format!("P-Asserted-Identity:{value}");
        let number = expected(who).number(true);
        assert_eq!(identity(&[&asserted]), Identity::Asserted(number), "{asserted}");
        looked_at += 1;
    }
    assert!(looked_at >= 50);
}

#[test]
fn what_a_caller_states_counts_only_where_the_trunk_is_said_to_look() {
    let stated = || Identity::Stated(known(OWNER));
    assert_eq!((stated().number(true), stated().number(false)), (known(OWNER), None));
    let asserted = || Identity::Asserted(known(OWNER));
    assert_eq!(
        (asserted().number(true), asserted().number(false)),
        (known(OWNER), known(OWNER))
    );
    let named = || Identity::Named(PhoneNumber::new(OWNER).unwrap());
    assert_eq!((named().number(true), named().number(false)), (known(OWNER), None));
    for nobody in [Identity::Asserted(None), Identity::Stated(None)] {
        assert_eq!(nobody.number(true), None);
    }
}

#[test]
fn whose_number_nobody_has_checked_is_told() {
    for (who, headers) in rows() {
        let unchecked = who.starts_with("named") || ["stated owner", "stated other"].contains(&who);
        assert_eq!(identity(&headers).is_unchecked(), unchecked, "{headers:?}");
    }
}

/// What carriers of a country send for its own numbers, over a trunk that has a plan.
#[test]
fn a_plan_reads_the_forms_of_its_country() {
    let plan: NumberPlan =
        serde_json::from_value(serde_json::json!({"country_code": "86", "trunk_prefix": "0", "area_code": "21"}))
            .unwrap();
    let by_plan = |line: &str| identity_by(Some(&plan), &[line]);
    for from in [
        "<sip:13800008412@t>",
        "<sip:013800008412@t>",
        "<sip:8613800008412@t>",
        "<sip:008613800008412@t>",
        "<sip:+8613800008412@t>",
        "<sip:%2B8613800008412@t>",
        "<sip:13800008412;cpc=ordinary@t>",
        "<sip:8613800008412;cpc=ordinary@t;user=phone>",
        "<sip:138-0000-8412@t>",
        "\"Li\" <sips:013800008412@t>",
        "sip:13800008412@t;tag=1",
        "tel:13800008412;tag=1",
        "<tel:13800008412;phone-context=+86>",
        "<tel:013800008412;phone-context=%2B86>",
        "<tel:13800008412;phone-context=carrier.example>",
        "<sip:13800008412;phone-context=+86@t>",
    ] {
        let stated = by_plan(&format!("From: {from}"));
        assert_eq!(stated, Identity::Stated(known(OWNER)), "{from}");
        assert_eq!(by_plan(&format!("P-Preferred-Identity: {from}")), stated, "{from}");
        let from = from.trim_end_matches(";tag=1");
        for assertion in [
            format!("P-Asserted-Identity: {from}"),
            format!("P-Asserted-Identity: <sip:pilot@t>, {from}"),
        ] {
            assert_eq!(by_plan(&assertion), Identity::Asserted(known(OWNER)), "{assertion}");
        }
        if from.contains('<') {
            let screened = format!("Remote-Party-ID: {from};screen=yes");
            assert_eq!(by_plan(&screened), Identity::Asserted(known(OWNER)), "{screened}");
        }
    }
    for (from, number) in [
        ("<sip:02155500100@t>", Some("+862155500100")),
        ("<sip:55500100@t>", Some("+862155500100")),
        ("<tel:55500100;phone-context=+8610>", Some("+861055500100")),
        ("<sip:0014155550100@t>", Some("+14155550100")),
        ("<tel:4155550100;phone-context=+1>", None),
        ("<sip:anonymous@anonymous.invalid>", None),
        ("<sip:pilot@t>", None),
        ("<sip:8001@t>", None),
        ("\"13800008412\" <sip:x@t>", None),
    ] {
        let stated = by_plan(&format!("From: {from}"));
        assert_eq!(stated, Identity::Stated(number.and_then(known)), "{from}");
    }
}
