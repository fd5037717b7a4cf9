//! What counts as normal, in every stage and both languages.

use super::*;
use hub_core::normal::{Counted, LearnedNormal, LeftOut, NoNormal, NormalStage};
use strum::VariantArray;

fn page(language: Language, told: &Result<LearnedNormal, NoNormal>) -> String {
    let page = appliance::normal::render(&reader(language), "washing-machine", told).into_string();
    assert!(!page.contains('\u{27e6}'), "a text is missing: {page}");
    assert!(!page.contains("<b>"), "a name is not escaped: {page}");
    words(&page).replace(['\u{2068}', '\u{2069}'], "").replace('\n', " ")
}

fn contains(language: Language, baseline: LearnedNormal, pieces: &[&str]) {
    let page = page(language, &Ok(baseline));
    for piece in pieces {
        assert!(page.contains(piece), "{piece} is not in\n{page}");
    }
}

#[test]
fn each_feature_has_its_normal_what_is_harmless_and_how_far_it_is_away() {
    let english = [
        "What counts as normal",
        "saved on 22 Nov 09:02",
        "Watched by washing-machine/1",
        "Learned from 42 programme runs",
        "Watched without a break since 22 Nov 08:30",
        "Steps compared with the normal 118",
        "drain-pump current 0.31 A 0.30 A ± 12.0 % (floor 10.0 %) 0.36 A +1.25 (from the first normal \u{2212}0.50)",
        "water temperature 40.2 °C – ± 2.25 °C (floor 2.00 °C) 39.5 °C ▲ not compared: it has had no value lately",
        "spin_&lt;b&gt; not compared: too little of the calibration had it",
    ];
    contains(Language::En, sample::normal(), &english);
    let chinese = [
        "正常状态",
        "11月22日 09:02",
        "学习依据 42 次程序运行",
        "排水泵电流 0.31 A 0.30 A ± 12.0 %",
        "（与最初正常值相比 \u{2212}0.50）",
        "▲ 未比较：近来没有数值",
        "未比较：学习期间数值太少",
    ];
    contains(Language::ZhCn, sample::normal(), &chinese);
}

#[test]
fn learning_says_how_far_it_is_and_what_holds_it_up() {
    let learning = |stage| LearnedNormal {
        stage,
        counted: Counted::Periods,
        period_s: Some(86_400.0),
        calibrated: 12,
        calibration: 40,
        compared: None,
        watched_since: None,
        refused_by: Some("motor_current_a".to_owned()),
        features: Vec::new(),
        ..sample::normal()
    };
    let english = [
        "so far 12 of 40 periods of 24 h in which it ran",
        "“motor current” moves from one state to another",
    ];
    contains(Language::En, learning(NormalStage::Calibrating), &english);
    let given_up = ["For a long time no stretch of one state has been found", english[1]];
    contains(Language::En, learning(NormalStage::CannotCalibrate), &given_up);
    let chinese = [
        "已有 12，需要 40 个运行时段（每段 24 小时）",
        "“电机电流”在不同状态之间变化",
    ];
    contains(Language::ZhCn, learning(NormalStage::Calibrating), &chinese);
    contains(
        Language::ZhCn,
        learning(NormalStage::CannotCalibrate),
        &["长时间未找到单一状态的时段"],
    );
    let page = page(Language::En, &Ok(learning(NormalStage::Calibrating)));
    assert!(!page.contains("Normal now"), "an empty table is shown: {page}");
}

#[test]
fn every_count_and_every_reason_has_words_in_both_languages() {
    for language in [Language::En, Language::ZhCn] {
        for counted in Counted::VARIANTS {
            let baseline = LearnedNormal {
                counted: *counted,
                period_s: Some(90.0),
                ..sample::normal()
            };
            assert!(page(language, &Ok(baseline)).contains("42"));
        }
        for why in LeftOut::VARIANTS {
            let mut baseline = sample::normal();
            baseline.features.truncate(1);
            baseline.features[0].left_out = Some(*why);
            let page = page(language, &Ok(baseline));
            assert!(
                !page.contains("+1.25"),
                "{why:?} is told as if it were compared: {page}"
            );
        }
        let reasons = NoNormal::VARIANTS.iter().map(|why| page(language, &Err(*why)));
        let reasons: std::collections::BTreeSet<String> = reasons.collect();
        assert_eq!(reasons.len(), NoNormal::VARIANTS.len());
    }
    let restarted = page(Language::En, &Err(NoNormal::Restarted));
    assert!(
        restarted.contains("a repair or with another owner, profile or firmware"),
        "{restarted}"
    );
    let restarted = page(Language::ZhCn, &Err(NoNormal::Restarted));
    assert!(
        restarted.contains("维修或更换用户、档案、固件后已重新开始学习"),
        "{restarted}"
    );
}
