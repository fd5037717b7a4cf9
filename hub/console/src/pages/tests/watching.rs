//! Whether an appliance is watched, in every state and both languages.

use super::*;
use hub_core::watching::{Unjudged, WatchState, Watching};
use hub_store::site::ApplianceView;
use strum::VariantArray;

fn told(state: WatchState) -> Watching {
    Watching {
        since: Some(sample::at("08:30")),
        calibrated: 120,
        calibration: 200,
        every_ms: 60_000,
        needs_ms: 5_000,
        channels: 8,
        unsteady: (state == WatchState::CannotCalibrate).then(|| "motor_current_a".to_owned()),
        ..Watching::nothing(state)
    }
}

fn view_of(profile: &str, watching: Option<Watching>) -> ApplianceView {
    let mut view = sample::withdrawn().appliance;
    view.profile = profile.to_owned();
    view.watching = watching;
    view
}

/// The part of the page that says it.
fn page(language: Language, profile: &str, watching: Option<Watching>) -> String {
    let view = view_of(profile, watching);
    said(&appliance::page::render(&reader(language), &view, &unplaced(), None, &[], &[], &[]).into_string())
}

/// The list with this appliance alone.
fn list(language: Language, profile: &str, watching: Option<Watching>) -> String {
    let page = Page {
        items: vec![view_of(profile, watching)],
        next: None,
    };
    said(&appliance::list::render(&reader(language), &page).into_string())
}

fn said(page: &str) -> String {
    assert!(!page.contains('\u{27e6}'), "a text is missing");
    words(page).replace(['\u{2068}', '\u{2069}'], "").replace('\n', " ")
}

#[test]
fn every_state_is_said_in_both_languages() {
    for state in WatchState::VARIANTS {
        let mut watching = told(*state);
        watching.missing = 7;
        let (profile, english, chinese) = match state {
            WatchState::NoReadings => ("washing-machine", "Not yet: no reading has come", "尚未开始"),
            WatchState::NoModel => ("kettle", "Not watched: there is no model for this family", "没有模型"),
            WatchState::Calibrating => (
                "washing-machine",
                "Learning what is normal: 120 of 200",
                "正在学习正常状态：120 / 200",
            ),
            WatchState::Watched => ("washing-machine", "● Watched since 22 Nov", "● 监测中 自 11月22日"),
            WatchState::TooSeldom => (
                "washing-machine",
                "▲ Not watched: readings come every 60 s, and the model needs one every 5 s",
                "▲ 未监测：读数间隔 60 秒，模型需要不超过 5 秒",
            ),
            WatchState::ChannelsMissing => (
                "washing-machine",
                "▲ Not watched: 7 of 8 channels have no value",
                "▲ 未监测：8 个通道中有 7 个没有数值",
            ),
            WatchState::TimesPassed => (
                "washing-machine",
                "▲ Not watched: its readings bear times from before",
                "▲ 未监测：读数的时间早于",
            ),
            WatchState::CannotCalibrate => (
                "washing-machine",
                "▲ Not watched: no normal is found; “motor current” moves from one state to another",
                "▲ 未监测：找不到正常状态；“电机电流”在不同状态之间变化",
            ),
        };
        let said = (*state != WatchState::NoReadings).then_some(watching);
        for (language, words) in [(Language::En, english), (Language::ZhCn, chinese)] {
            let page = page(language, profile, said.clone());
            assert!(page.contains(words), "{state:?}: {words} is not in\n{page}");
            let state_alone = words.split(" since").next().unwrap().split(" 自").next().unwrap();
            let list = list(language, profile, said.clone());
            assert!(list.contains(state_alone), "{state:?}: {state_alone} is not in\n{list}");
        }
    }
}

#[test]
fn what_is_wrong_beside_the_state_and_why_readings_were_left_out_is_said() {
    let mut watching = told(WatchState::Watched);
    (watching.missing, watching.several_states) = (1, true);
    watching.unjudged = Unjudged::VARIANTS
        .iter()
        .zip(1..)
        .map(|(why, count)| (*why, count))
        .collect();
    let english = page(Language::En, "washing-machine", Some(watching.clone()));
    for words in [
        "1 of 8 channels have no value",
        "holds several states",
        "taken together with others of the same moment : 1",
        "no value of a channel that the model reads : 2",
        "sooner than the model needs : 3",
        "a time that came before : 4",
        "older than the newest : 5",
        "ahead of the hub’s clock : 6",
    ] {
        let words = words.replace(" : ", ": ");
        assert!(english.contains(&words), "{words} is not in\n{english}");
    }
    let chinese = page(Language::ZhCn, "washing-machine", Some(watching));
    for words in ["混有多种状态", "时间重复: 4", "时间超前于系统时钟: 6"] {
        assert!(chinese.contains(words), "{words} is not in\n{chinese}");
    }
}

#[test]
fn which_model_watches_it_and_what_made_it_learn_again_is_said() {
    let mut watching = told(WatchState::Calibrating);
    watching.model = Some("generic/1".to_owned());
    watching.unsteady = Some("motor_current_a".to_owned());
    for (language, by, why) in [
        (
            Language::En,
            "by generic/1: compared with itself",
            "“motor current” moves from one",
        ),
        (Language::ZhCn, "由 generic/1 监测", "“电机电流”在不同状态之间变化"),
    ] {
        let page = page(language, "washing-machine", Some(watching.clone()));
        assert!(page.contains(by) && page.contains(why), "{page}");
    }
    watching.model = Some("washing-machine/1".to_owned());
    assert!(page(Language::En, "washing-machine", Some(watching)).contains("by the model washing-machine/1"));
}

#[test]
fn an_appliance_that_is_away_says_why_in_both_languages() {
    let mut view = sample::withdrawn().appliance;
    view.online = false;
    view.presence_reason = "keep_alive: nothing came within one and a half times the keep-alive".to_owned();
    for (language, said) in [(Language::En, "it fell silent"), (Language::ZhCn, "心跳超时")] {
        let page = appliance::page::render(&reader(language), &view, &unplaced(), None, &[], &[], &[]).into_string();
        assert!(words(&page).contains(said) && !page.contains("keep_alive"), "{page}");
    }
}
