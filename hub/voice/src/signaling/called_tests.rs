use super::*;

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).unwrap()
}

/// Whose a called number is, of three companies at one carrier's address.
fn whose(uri: &str) -> Option<&'static str> {
    let own = [
        ("acme", number("+862155500100")),
        ("beta", number("+864008000002")),
        ("gamma", number("+14155550100")),
    ];
    let called = Called::read(uri)?;
    owner(&called, own.iter().map(|(name, number)| (number, *name)))
}

#[test]
fn a_called_number_finds_its_company_in_every_form() {
    for (uri, company) in [
        // With its country code.
        ("sip:+862155500100@10.0.0.1:5060", Some("acme")),
        ("SIP:+862155500100@10.0.0.1", Some("acme")),
        ("sips:+862155500100@hub.example", Some("acme")),
        ("sip:%2B862155500100@10.0.0.1", Some("acme")),
        ("sip:%2b86%32155500100@10.0.0.1", Some("acme")),
        ("sip:+86-21-5550-0100@10.0.0.1;user=phone", Some("acme")),
        ("sip:+86(21)5550.0100@10.0.0.1", Some("acme")),
        (
            "sip:+862155500100;cpc=ordinary@10.0.0.1:5060;transport=udp",
            Some("acme"),
        ),
        ("sip:+862155500100;npdi;rn=+8621999@10.0.0.1", Some("acme")),
        ("sip:+862155500100:secret@10.0.0.1", Some("acme")),
        ("sip:+862155500100@[2001:db8::1]:5060", Some("acme")),
        ("tel:+862155500100", Some("acme")),
        ("tel:+86-21-5550-0100;phone-context=x", Some("acme")),
        ("sip:862155500100@10.0.0.1", Some("acme")),
        ("tel:862155500100", Some("acme")),
        ("sip:14155550100@10.0.0.1", Some("gamma")),
        // As it is dialled from abroad.
        ("sip:00862155500100@10.0.0.1", Some("acme")),
        ("sip:011862155500100@10.0.0.1", Some("acme")),
        ("sip:0011862155500100@10.0.0.1", Some("acme")),
        ("sip:00-86-400-800-0002@10.0.0.1", Some("beta")),
        // From elsewhere in the country.
        ("sip:02155500100@10.0.0.1", Some("acme")),
        ("sip:021-5550-0100@10.0.0.1;user=phone", Some("acme")),
        ("sip:2155500100@10.0.0.1", Some("acme")),
        ("tel:02155500100;phone-context=+86", Some("acme")),
        ("sip:4008000002@10.0.0.1", Some("beta")),
        ("sip:04008000002@10.0.0.1", Some("beta")),
        ("sip:4155550100@10.0.0.1", Some("gamma")),
        // From next door.
        ("sip:55500100@10.0.0.1", Some("acme")),
        ("tel:5550-0100;phone-context=+8621", Some("acme")),
        ("sip:8000002@10.0.0.1", Some("beta")),
        // What is none of theirs.
        ("sip:+862155500101@10.0.0.1", None),
        ("sip:+8602155500100@10.0.0.1", None),
        ("sip:+2155500100@10.0.0.1", None),
        ("sip:862155500101@10.0.0.1", None),
        ("sip:99862155500100@10.0.0.1", None),
        ("sip:12155500100@10.0.0.1", None),
        ("sip:02255500100@10.0.0.1", None),
        ("sip:21555001000@10.0.0.1", None),
        ("sip:500100@10.0.0.1", None),
        ("sip:100@10.0.0.1", None),
        ("sip:+@10.0.0.1", None),
        ("sip:86+2155500100@10.0.0.1", None),
        ("sip:++862155500100@10.0.0.1", None),
        ("sip:hub@10.0.0.1", None),
        ("sip:acme2155500100@10.0.0.1", None),
        ("sip:+862155500100", None),
        ("sip:@10.0.0.1", None),
        ("sip:10.0.0.1", None),
        ("tel:", None),
        ("mailto:+862155500100@10.0.0.1", None),
        ("", None),
    ] {
        assert_eq!(whose(uri), company, "{uri}");
    }
}

#[test]
fn a_call_that_could_be_for_two_companies_is_for_neither() {
    let shanghai = number("+862155500100");
    let peking = number("+861055500100");
    let atlanta = number("+12155500100");
    let own = || [("sh", &shanghai), ("pk", &peking), ("at", &atlanta)].into_iter();
    let whose = |user: &str| {
        let called = Called::of_user(user).unwrap();
        owner(&called, own().map(|(name, number)| (number, name)))
    };
    for (user, company) in [
        ("55500100", None),
        ("2155500100", None),
        ("02155500100", None),
        // The better of two.
        ("12155500100", Some("at")),
        ("1055500100", Some("pk")),
        ("862155500100", Some("sh")),
        ("+862155500100", Some("sh")),
    ] {
        assert_eq!(whose(user), company, "{user}");
    }
}

#[test]
fn only_a_number_with_its_country_code_is_global() {
    assert_eq!(
        Called::of_user("+86-21-5550-0100").unwrap().global(),
        Some(number("+862155500100"))
    );
    for user in ["862155500100", "02155500100", "+1"] {
        assert_eq!(Called::of_user(user).unwrap().global(), None, "{user}");
    }
    assert!(Called::from(&number("+862155500100")) == Called::of_user("+862155500100").unwrap());
}

#[test]
fn country_codes_have_one_to_three_digits() {
    for (digits, len) in [
        ("14155550100", 1),
        ("74951234567", 1),
        ("2012345678", 2),
        ("27123456789", 2),
        ("211123456", 3),
        ("33123456789", 2),
        ("351123456789", 3),
        ("39061234567", 2),
        ("421123456789", 3),
        ("447911123456", 2),
        ("5511123456789", 2),
        ("59112345678", 3),
        ("6591234567", 2),
        ("67912345", 3),
        ("81312345678", 2),
        ("8613800008412", 2),
        ("85212345678", 3),
        ("886212345678", 3),
        ("919876543210", 2),
        ("971501234567", 3),
        ("989121234567", 2),
    ] {
        assert_eq!(country_code_len(digits), len, "{digits}");
    }
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_addresses_never_panic(uri in ".{0,60}", user in "[+0-9().;%-]{0,30}") {
            let _ = Called::read(&uri);
            if let Some(called) = Called::of_user(&user) {
                let _ = called.global();
                let _ = owner(&called, [(&number("+862155500100"), ())].into_iter());
            }
        }
    }
}
