//! Why a baseline has started over, in both languages.

use super::*;
use hub_core::baseline::{Baseline, Firmware, Restart, RestartReason};
use jiff::Timestamp;

fn page(language: Language, baseline: &Baseline, now: Timestamp) -> String {
    let page = appliance::baseline::render(&reader(language), baseline, now, "appliance:1").into_string();
    assert!(!page.contains('\u{27e6}'), "a text is missing");
    words(&page).replace(['\u{2068}', '\u{2069}'], "").replace('\n', " ")
}

fn firmware(told: &str) -> Firmware {
    let mut firmware = Firmware::first("1.2 <b>", sample::at("08:00"));
    firmware.tell(told, sample::at("08:10"));
    firmware
}

#[test]
fn each_restart_says_why() {
    let restart = |reason| Restart {
        at: sample::at("08:30"),
        reason,
    };
    let (from, to) = ("1.2".to_owned(), "1.3".to_owned());
    let baseline = Baseline {
        firmware: None,
        holds_a_fault: false,
        restarts: vec![
            restart(RestartReason::Firmware { from, to }),
            restart(RestartReason::OtherProfile),
            restart(RestartReason::NewOwner),
            restart(RestartReason::Repaired),
        ],
    };
    let english = page(Language::En, &baseline, sample::at("09:00"));
    for piece in [
        "firmware 1.2 → 1.3",
        "another profile",
        "another household",
        "as repaired",
    ] {
        assert!(english.contains(piece), "{piece} is not in {english}");
    }
    let chinese = page(Language::ZhCn, &baseline, sample::at("09:00"));
    for piece in ["固件 1.2 → 1.3", "另一份档案", "换了用户", "已修复"] {
        assert!(chinese.contains(piece), "{piece} is not in {chinese}");
    }
}

#[test]
fn what_a_restart_waits_for_is_said() {
    let now = sample::at("09:00");
    let mut baseline = Baseline {
        firmware: Some(firmware("1.2 <b>")),
        ..Baseline::default()
    };
    let said = |baseline: &Baseline| page(Language::En, baseline, now);
    assert!(said(&baseline).contains("1.2 &lt;b&gt;"));
    assert!(!said(&baseline).contains('▲'));
    baseline.firmware = Some(firmware("1.3"));
    assert!(said(&baseline).contains("starts again with its next reading"));
    baseline.holds_a_fault = true;
    assert!(said(&baseline).contains("when open findings and tickets are closed"));
    assert!(page(Language::ZhCn, &baseline, now).contains("以免把故障当作正常"));

    let mut again = firmware("1.3");
    again.restart(sample::at("08:20"));
    again.tell("1.4", sample::at("08:40"));
    baseline = Baseline {
        firmware: Some(again),
        ..Baseline::default()
    };
    assert!(said(&baseline).contains("since it did so a short while ago"));
}
