use super::super::tts::{EspeakTts, check_phonemes};
use super::*;
use crate::order::{ApplianceKind, Price};

fn at(day: i8, hour: i8, minute: i8) -> Zoned {
    jiff::civil::date(2026, 11, day)
        .at(hour, minute, 0, 0)
        .in_tz("Asia/Shanghai")
        .unwrap()
}

fn script() -> Script {
    Script {
        brand: "海尔".into(),
        appliance: ApplianceKind("washing-machine".into()),
        serial_tail: "8412".into(),
        fault_class: "drain_pump_wear".into(),
        safe_to_use: true,
        price: Price {
            currency: "CNY".into(),
            minor_units: 12_000,
        },
        slot: Some(Slot {
            start: at(24, 9, 0),
            end: at(24, 12, 0),
        }),
        person_rings_by: at(23, 17, 0),
    }
}

fn said(prompt: PromptId, language: Language, script: &Script) -> String {
    let segments = Texts::new().unwrap().segments(prompt, language, script).unwrap();
    segments
        .into_iter()
        .map(|segment| segment.text)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_mandarin_menu_says_everything_in_mandarin() {
    let text = said(PromptId::Menu, Language::ZhCn, &script());
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
    let text = said(
        PromptId::Menu,
        Language::En,
        &Script {
            brand: "Haier".into(),
            ..script()
        },
    );
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
    let other = Script {
        slot: None,
        safe_to_use: false,
        price: Price {
            currency: "CNY".into(),
            minor_units: 0,
        },
        fault_class: "never_heard_of".into(),
        appliance: ApplianceKind("teleporter".into()),
        ..script()
    };
    let text = said(PromptId::Menu, Language::En, &other);
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
    let script = Script {
        brand: "Haier".into(),
        ..script()
    };
    let segments = Texts::new()
        .unwrap()
        .segments(PromptId::Menu, Language::En, &script)
        .unwrap();
    let fixed = |name: &str| segments.iter().find(|s| s.message == name).unwrap().fixed;
    assert!(fixed("keys-slot") && fixed("safe") && !fixed("greeting") && !fixed("slot"));
}

/// So that a fleet of any size has the same few to speak.
#[test]
fn a_serial_number_is_read_out_of_pieces_that_all_appliances_share() {
    let texts = Texts::new().unwrap();
    for (language, about) in [(Language::En, "ends in"), (Language::ZhCn, "尾号是，")] {
        let segments = texts.segments(PromptId::Menu, language, &script()).unwrap();
        let at = segments.iter().position(|s| s.message == NUMBERED).unwrap();
        assert!(
            segments[at].text.ends_with(about) && !segments[at].goes_on,
            "{segments:?}"
        );
        let pieces = &segments[at + 1..at + 5];
        assert!(pieces.iter().all(|piece| piece.fixed && piece.goes_on), "{pieces:?}");
        assert!(segments.iter().filter(|segment| segment.goes_on).count() == 4);
        let other = Script {
            serial_tail: "4182".into(),
            ..script()
        };
        let others = texts.segments(PromptId::Menu, language, &other).unwrap();
        assert!(
            others.iter().all(|segment| segments.contains(segment)),
            "only their order differs"
        );
    }
    let unnumbered = Script {
        serial_tail: "-".into(),
        ..script()
    };
    let segments = texts.segments(PromptId::Menu, Language::En, &unnumbered).unwrap();
    assert!(segments.iter().all(|segment| !segment.goes_on));
}

/// Scripts whose values differ in every way that reaches a prompt.
fn varied() -> Vec<Script> {
    let base = script();
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
    let mut scripts = Vec::new();
    for (n, brand) in brands.into_iter().enumerate() {
        let day = i8::try_from(n).unwrap() + 20;
        let hour = i8::try_from(n * 2).unwrap() + 6;
        scripts.push(Script {
            brand: brand.into(),
            serial_tail: ["8412", "0O1I", "ZX81", "", "QWERTY", "99", "a0b1", "HVKL"][n].into(),
            appliance: ApplianceKind(["washing-machine", "pump-rig", "fridge"][n % 3].into()),
            fault_class: classes[n % classes.len()].into(),
            safe_to_use: n % 2 == 0,
            price: Price {
                currency: ["CNY", "USD", "EUR", "JPY", "SEK"][n % 5].into(),
                minor_units: [0, 12_000, 99_999, 5, 210_000_050, 25, 20_000, 1_010][n],
            },
            slot: (n != 3).then(|| Slot {
                start: at(day, hour, 5),
                end: at(day, hour + 2, 30),
            }),
            person_rings_by: at(day, hour, 59),
        });
    }
    scripts.push(Script {
        fault_class: "unknown_fault".into(),
        ..base
    });
    scripts
}

#[tokio::test]
async fn no_mandarin_prompt_is_read_in_another_language() {
    let tts = EspeakTts::default();
    for script in varied() {
        for prompt in PromptId::ALL {
            let text = said(prompt, Language::ZhCn, &script);
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
    let danger = Script {
        safe_to_use: false,
        ..script()
    };
    let texts = Texts::new().unwrap();
    let names = |prompt, script: &Script| -> Vec<String> {
        let segments = texts.segments(prompt, Language::En, script).unwrap();
        let spoken = segments.into_iter().filter(|segment| !segment.goes_on);
        spoken.map(|segment| segment.message).collect()
    };
    assert_eq!(
        names(PromptId::Menu, &danger),
        [
            "greeting-unnamed",
            "about",
            "fault-drain-pump-wear",
            "slot",
            "keys-slot",
            "number",
            "unsafe",
            "price"
        ]
    );
    // An owner who presses a key at once has not heard the end of the menu.
    for (prompt, name) in [
        (PromptId::Booked, "booked"),
        (PromptId::AnotherTime, "another-time"),
        (PromptId::Person, "person"),
        (PromptId::DoNotCall, "do-not-call"),
        (PromptId::NotSaved, "not-saved"),
    ] {
        assert_eq!(names(prompt, &danger), ["unsafe", name]);
        assert_eq!(names(prompt, &script()), [name]);
    }
}
