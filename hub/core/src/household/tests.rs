use super::*;
use crate::consent::{Channel, Purpose};
use uuid::Uuid;

const CALLS: Subject = Subject::SERVICE_CALLS;

fn number(digits: &str) -> Number {
    Number {
        number: PhoneNumber::new(digits).unwrap(),
        do_not_call: false,
    }
}

fn person(n: u128, numbers: &[&str], consent: Consent) -> Person {
    let said = Standing {
        subject: CALLS,
        consent,
        at: Timestamp::UNIX_EPOCH,
    };
    Person {
        id: PersonId(Uuid::from_u128(n)),
        name: format!("Person {n}"),
        language: Language::En,
        numbers: numbers.iter().map(|digits| number(digits)).collect(),
        consents: if consent == Consent::NeverGiven {
            vec![]
        } else {
            vec![said]
        },
    }
}

fn home(persons: Vec<Person>) -> Household {
    Household {
        id: HouseholdId(Uuid::from_u128(100)),
        tenant: TenantId::new("acme").unwrap(),
        name_in_tenant: "h".into(),
        address: None,
        zone: "Asia/Shanghai".into(),
        persons,
    }
}

fn rung(home: &Household) -> Option<u128> {
    home.to_ring(CALLS).map(|person| person.id.0.as_u128())
}

#[test]
fn the_first_who_may_be_rung_is() {
    use Consent as C;
    let phone = &["+8613800001111"][..];
    let cases = [
        ("nobody", vec![], None),
        (
            "two who agree",
            vec![person(1, phone, C::Given), person(2, phone, C::Given)],
            Some(1),
        ),
        (
            "the second agrees",
            vec![person(1, phone, C::Withdrawn), person(2, phone, C::Given)],
            Some(2),
        ),
        (
            "the first has no number",
            vec![person(1, &[], C::Given), person(2, phone, C::Given)],
            Some(2),
        ),
        (
            "nobody agrees",
            vec![
                person(1, &[], C::Given),
                person(2, phone, C::NeverGiven),
                person(3, phone, C::Withdrawn),
            ],
            Some(2),
        ),
        ("no number at all", vec![person(1, &[], C::Given)], Some(1)),
    ];
    for (name, persons, expected) in cases {
        assert_eq!(rung(&home(persons)), expected, "{name}");
    }
}

#[test]
fn a_listed_number_gives_way_to_the_next_and_one_who_has_no_other_to_the_next_person() {
    let mut first = person(1, &["+8613800001111", "+8613800002222"], Consent::Given);
    first.numbers[0].do_not_call = true;
    let second = person(2, &["+8613800003333"], Consent::Given);
    assert_eq!(first.number().map(|own| own.number.reveal()), Some("+8613800002222"));
    let mut home = home(vec![first, second]);
    assert_eq!(rung(&home), Some(1));
    home.persons[0].numbers[1].do_not_call = true;
    assert_eq!(home.persons[0].never_rung(CALLS), Some(HoldReason::DoNotCall));
    assert_eq!(rung(&home), Some(2));
    let who = |digits: &str| {
        let number = PhoneNumber::new(digits).unwrap();
        home.who_has(&number).map(|person| person.id.0.as_u128())
    };
    assert_eq!(
        [who("+8613800002222"), who("+8613800003333"), who("+8613800004444")],
        [Some(1), Some(2), None]
    );
}

#[test]
fn a_yes_counts_for_its_purpose_and_channel_alone() {
    let mut one = person(1, &["+8613800001111"], Consent::Given);
    for (purpose, channel) in [
        (Purpose::Appointment, Channel::Call),
        (Purpose::PredictedFault, Channel::Message),
        (Purpose::PredictedFault, Channel::Email),
    ] {
        assert_eq!(one.consent(Subject { purpose, channel }), Consent::NeverGiven);
    }
    one.consents[0].subject.channel = Channel::Email;
    assert_eq!(one.never_rung(CALLS), Some(HoldReason::NoConsent));
}

#[test]
fn an_address_is_not_logged() {
    let address = Address::new("1 Lane");
    assert_eq!(format!("{address:?}"), "Address(…)");
}
