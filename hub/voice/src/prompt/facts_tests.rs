use super::super::shipped;
use super::super::tts::{EspeakTts, check_phonemes};
use super::*;
use jiff::Zoned;

fn at(day: i8, hour: i8, minute: i8) -> Zoned {
    jiff::civil::date(2026, 11, day)
        .at(hour, minute, 0, 0)
        .in_tz("Asia/Shanghai")
        .unwrap()
}

fn values(language: Language) -> Values {
    Values::from(
        [
            ("brand", Value::Text("海尔".into())),
            ("appliance", shipped::appliance("washing-machine", language)),
            ("serial", Value::Digits("8412".into())),
            ("fault", shipped::fault("drain_pump_wear", language)),
            ("safe", Value::YesNo(true)),
            ("price", yuan(12_000)),
            ("slot", window(at(24, 9, 0), at(24, 12, 0))),
            ("by", Value::DateTime(at(23, 17, 0))),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// The same with one of them replaced.
fn with(language: Language, name: &str, value: Value) -> Values {
    let mut values = values(language);
    values.insert(name.to_owned(), value);
    values
}

fn haier() -> Values {
    with(Language::En, "brand", Value::Text("Haier".into()))
}

fn money(currency: &str, minor_units: u64) -> Value {
    Value::Money {
        currency: currency.into(),
        minor_units,
    }
}

fn yuan(minor_units: u64) -> Value {
    money("CNY", minor_units)
}

fn window(start: Zoned, end: Zoned) -> Value {
    Value::TimeWindow { start, end }
}

/// What a node of the owner's call says.
fn segments(node: &str, language: Language, values: &Values) -> Vec<Segment> {
    let (flow, texts) = (Flow::owner_call(), crate::texts::load().unwrap());
    let facts = Facts::new(&texts, language, &flow, values).unwrap();
    let node = flow.nodes.iter().find(|known| known.name == node).unwrap();
    facts.segments(node.say()).unwrap()
}

fn said(node: &str, language: Language, values: &Values) -> String {
    let segments = segments(node, language, values);
    segments
        .into_iter()
        .map(|segment| segment.text)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_mandarin_menu_says_everything_in_mandarin() {
    let text = said("menu", Language::ZhCn, &values(Language::ZhCn));
    for part in [
        "海尔客户服务的自动来电",
        "不推销",
        "验证码",
        "尾号是， 八， 四， 一， 二。",
        "排水泵",
        "照常使用",
        "一百二十元",
        "上午九点到十二点",
        "请按九",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.chars().any(|c| c.is_ascii_alphanumeric()), "{text}");
}

#[test]
fn the_english_menu_says_everything() {
    let text = said("menu", Language::En, &haier());
    for part in [
        "automatic call from Haier",
        "sells nothing",
        "with a serial number that ends in 8, 4, 1, 2.",
        "drain pump",
        "120 yuan",
        "Tuesday, 24 November, between 9 and 12",
        "press 9",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn without_slot_price_or_safety_the_words_change() {
    let mut other = values(Language::En);
    other.remove("slot");
    for (name, value) in [
        ("safe", Value::YesNo(false)),
        ("price", yuan(0)),
        ("fault", shipped::fault("never_heard_of", Language::En)),
        ("appliance", shipped::appliance("teleporter", Language::En)),
    ] {
        other.insert(name.to_owned(), value);
    }
    let text = said("menu", Language::En, &other);
    assert!(
        text.contains("do not use it") && text.contains("free of charge") && !text.contains("press 1"),
        "{text}"
    );
    assert!(
        text.contains("your appliance") && text.contains("may soon develop a fault"),
        "{text}"
    );
}

#[test]
fn only_messages_without_values_may_be_recordings() {
    let segments = segments("menu", Language::En, &haier());
    let fixed = |name: &str| segments.iter().find(|s| s.message == name).unwrap().fixed;
    assert!(fixed("keys-slot") && fixed("safe") && !fixed("greeting") && !fixed("slot"));
}

/// So that a fleet of any size has the same few to speak.
#[test]
fn a_serial_number_is_read_out_of_pieces_that_all_appliances_share() {
    for (language, about) in [(Language::En, "ends in"), (Language::ZhCn, "尾号是，")] {
        let own = segments("menu", language, &values(language));
        let at = own.iter().position(|s| s.message == "number").unwrap();
        assert!(own[at].text.ends_with(about) && !own[at].goes_on, "{own:?}");
        let pieces = &own[at + 1..at + 5];
        assert!(pieces.iter().all(|piece| piece.fixed && piece.goes_on), "{pieces:?}");
        assert!(own.iter().filter(|segment| segment.goes_on).count() == 4);
        let others = segments(
            "menu",
            language,
            &with(language, "serial", Value::Digits("4182".into())),
        );
        assert!(
            others.iter().all(|segment| own.contains(segment)),
            "only their order differs"
        );
    }
    let unnumbered = segments(
        "menu",
        Language::En,
        &with(Language::En, "serial", Value::Digits("-".into())),
    );
    assert!(unnumbered.iter().all(|segment| !segment.goes_on));
}

/// Values that differ in every way that reaches a prompt.
fn varied(language: Language) -> Vec<Values> {
    let brands = ["海尔", "Bosch", "Miele 美诺", "LG", "A.O.史密斯", "3M", "Ångström", ""];
    let classes = [
        "drain_pump_wear",
        "drum_bearing",
        "heater_scale",
        "door_gasket",
        "flow_loss",
        "rotor_imbalance",
        "hot_water",
    ];
    let mut all = Vec::new();
    for (n, brand) in brands.into_iter().enumerate() {
        let day = i8::try_from(n).unwrap() + 20;
        let hour = i8::try_from(n * 2).unwrap() + 6;
        let serial = ["8412", "0O1I", "ZX81", "", "QWERTY", "99", "a0b1", "HVKL"][n];
        let minor_units = [0, 12_000, 99_999, 5, 210_000_050, 25, 20_000, 1_010][n];
        let mut values = Values::from(
            [
                ("brand", Value::Text(brand.into())),
                ("serial", Value::Digits(serial.into())),
                (
                    "appliance",
                    shipped::appliance(["washing-machine", "pump-rig", "fridge"][n % 3], language),
                ),
                ("fault", shipped::fault(classes[n % classes.len()], language)),
                ("safe", Value::YesNo(n % 2 == 0)),
                ("price", money(["CNY", "USD", "EUR", "JPY", "SEK"][n % 5], minor_units)),
                ("by", Value::DateTime(at(day, hour, 59))),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if n != 3 {
            values.insert("slot".to_owned(), window(at(day, hour, 5), at(day, hour + 2, 30)));
        }
        all.push(values);
    }
    all.push(with(language, "fault", shipped::fault("unknown_fault", language)));
    all
}

#[tokio::test]
async fn no_mandarin_prompt_is_read_in_another_language() {
    let tts = EspeakTts::default();
    let flow = Flow::owner_call();
    for values in varied(Language::ZhCn) {
        for node in flow.nodes.iter().filter(|node| !node.say().is_empty()) {
            let text = said(&node.name, Language::ZhCn, &values);
            let phonemes = tts
                .phonemes(Language::ZhCn, &text)
                .await
                .expect("espeak-ng is installed");
            check_phonemes(Language::ZhCn, &phonemes).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!phonemes.contains("(en)") && phonemes.len() > 20, "{text}: {phonemes}");
        }
    }
}

#[tokio::test]
async fn the_check_does_find_english() {
    let tts = EspeakTts::default();
    let phonemes = tts
        .phonemes(Language::ZhCn, "您好，Bosch 客户服务")
        .await
        .expect("espeak-ng is installed");
    assert!(check_phonemes(Language::ZhCn, &phonemes).is_err(), "{phonemes}");
    assert!(check_phonemes(Language::En, "(zh)").is_ok());
}

#[test]
fn the_keys_come_before_the_details_and_a_danger_is_said_again() {
    let danger = with(Language::En, "safe", Value::YesNo(false));
    let names = |node, values: &Values| -> Vec<String> {
        let spoken = segments(node, Language::En, values).into_iter();
        spoken
            .filter(|segment| !segment.goes_on)
            .map(|segment| segment.message)
            .collect()
    };
    assert_eq!(
        names("menu", &danger),
        [
            "greeting-unnamed",
            "about",
            "fault",
            "slot",
            "keys-slot",
            "number",
            "unsafe",
            "price"
        ]
    );
    // An owner who presses a key at once has not heard the end of the menu.
    for (node, name) in [
        ("booked", "booked"),
        ("another-time", "another-time"),
        ("person", "person"),
        ("do-not-call", "do-not-call"),
        ("not-saved", "not-saved"),
    ] {
        assert_eq!(names(node, &danger), ["unsafe", name]);
        assert_eq!(names(node, &values(Language::En)), [name]);
    }
}

/// The words that come with the hub are said as they stand; what nobody has words for, in general ones.
#[test]
fn words_of_a_family_and_a_fault_are_said_as_they_are_handed_in() {
    let said_of = |language, appliance, fault| {
        let mut values = values(language);
        values.insert("appliance".to_owned(), shipped::appliance(appliance, language));
        values.insert("fault".to_owned(), shipped::fault(fault, language));
        let segments = segments("menu", language, &values);
        [1, 2].map(|at: usize| segments[at].text.clone())
    };
    let known = said_of(Language::ZhCn, "pump-rig", "hot_water");
    let sentence = "它的数据显示，水温比平时高，可能很快会过热。";
    assert_eq!(known, ["这次来电是关于您家的水泵。", sentence]);
    let known = said_of(Language::En, "washing-machine", "door_gasket");
    let sentence = "Its readings show that the door seal may have begun to leak.";
    assert_eq!(known, ["It is about your washing machine.", sentence]);
    let other = said_of(Language::En, "fridge", "unknown_fault");
    let sentence = "Its readings differ from its usual ones. It may soon develop a fault.";
    assert_eq!(other, ["It is about your appliance.", sentence]);
}
