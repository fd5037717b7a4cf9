//! Calls by other flows than the one that ships, over the fake trunk, and orders that do not fit their flow.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{TestHost, TestVoice, limits, order};
use hub_core::call_result::{CallResult, Disposition};
use hub_core::language::Language;
use hub_voice::signaling::fake::FakePhone;
use hub_voice::{CallOrder, Flow};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

fn presses(key: char) -> FakePhone {
    FakePhone::Answers {
        after: SOON,
        keys: vec![(SOON, key)],
        hangs_up: None,
    }
}

#[tokio::test]
async fn a_flow_from_elsewhere_is_played_as_it_says() {
    let flow = Flow::load(
        "visit.toml",
        r##"
        start = "visit"
        key_wait_s = 3
        wrong_max = 1
        wrong_end = "bye"
        time_end = "bye"
        values = { brand = "text", slot = "time-window", by = "date-time" }

        [prompts]
        visit = ["greeting when brand", "greeting-unnamed unless brand", "slot"]
        another-time = ["another-time"]
        bye = ["goodbye"]

        [nodes.visit]
        step = "gather"
        say = ["visit"]
        keys = { "#" = "save" }
        wrong = "bye"
        silence = "bye"

        [nodes.save]
        step = "save"
        choice = "another_time"
        saved = "thanks"
        refused = "bye"

        [nodes.thanks]
        step = "farewell"
        say = ["another-time"]

        [nodes.bye]
        step = "farewell"
        say = ["bye"]
        "##,
    );
    let visit = CallOrder {
        flow: Arc::new(flow.unwrap()),
        ..order(Language::En)
    };
    for (key, disposition, last) in [
        ('#', Disposition::AnotherTime, "agree on another time"),
        ('1', Disposition::NothingChosen, "ring this number back"),
    ] {
        let voice = TestVoice::fake([presses(key)], limits());
        let detail = voice.ring(visit.clone(), Arc::new(TestHost::default())).await;
        assert_eq!(detail.disposition, Some(disposition), "{detail:?}");
        let said: Vec<&str> = detail.transcript.iter().map(|line| line.text.as_str()).collect();
        assert!(
            said[0].contains("Haier") && said[0].contains("A technician can come"),
            "{said:?}"
        );
        assert!(!said[0].contains("drain pump"), "{said:?}");
        assert!(said.last().unwrap().contains(last), "{said:?}");
    }
}

#[tokio::test]
async fn an_order_that_lacks_a_value_of_its_flow_rings_nobody() {
    let voice = TestVoice::fake([presses('1')], limits());
    let mut order = order(Language::En);
    order.values.remove("price");
    let detail = voice.ring(order, Arc::new(TestHost::default())).await;
    assert_eq!(detail.result, CallResult::NotPlaced);
    assert!(detail.reason.contains("no value \"price\""), "{}", detail.reason);
    assert!(detail.this_call_only);
    assert_eq!(detail.post_dial_ms, 0);
    assert!(voice.stack.seen().is_empty());
}
