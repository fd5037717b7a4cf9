//! Topics: what is built is read, and a device reaches only its own.

use agent_sdk_wire::topic::{
    DeviceTopic, Subscription, ThingsBoard, Topic, TopicError, covers, is_filter, may_publish, may_subscribe,
};
use proptest::prelude::*;

#[test]
fn listed_topics_are_read_and_written() {
    let cases = [
        ("d/wm-1/t", DeviceTopic::Telemetry),
        ("d/wm-1/j", DeviceTopic::TelemetryJson),
        ("d/wm-1/e", DeviceTopic::Event),
        ("d/wm-1/s", DeviceTopic::State),
        ("d/wm-1/c/42", DeviceTopic::Command("42")),
        ("d/wm-1/r/42", DeviceTopic::Reply("42")),
        ("d/wm-1/f/chunk/7", DeviceTopic::Firmware("chunk/7")),
    ];
    for (text, topic) in cases {
        let expected = Topic::Device { device: "wm-1", topic };
        assert_eq!(Topic::parse(text), Ok(expected));
        assert_eq!(expected.to_string(), text);
    }
    let cases = [
        ("telemetry", ThingsBoard::Telemetry),
        ("attributes", ThingsBoard::Attributes),
        ("attributes/request/1", ThingsBoard::AttributesRequest("1")),
        ("attributes/response/1", ThingsBoard::AttributesAnswer("1")),
        ("rpc/request/2", ThingsBoard::RpcRequest("2")),
        ("rpc/response/2", ThingsBoard::RpcAnswer("2")),
        ("claim", ThingsBoard::Claim),
    ];
    for (rest, topic) in cases {
        let text = format!("v1/devices/me/{rest}");
        let expected = Topic::ThingsBoard(topic);
        assert_eq!(Topic::parse(&text), Ok(expected));
        assert_eq!(expected.to_string(), text);
    }
    let provisioning = Topic::Provisioning {
        nonce: "n1",
        rest: "register/csr",
    };
    assert_eq!(Topic::parse("p/n1/register/csr"), Ok(provisioning));
    assert_eq!(provisioning.to_string(), "p/n1/register/csr");
}

#[test]
fn anything_else_is_refused() {
    let cases = [
        ("", TopicError::Level(1)),
        ("d", TopicError::Unknown),
        ("d/wm-1", TopicError::Unknown),
        ("d/wm-1/x", TopicError::Unknown),
        ("d/wm-1/t/more", TopicError::Unknown),
        ("d/wm-1/c", TopicError::Unknown),
        ("d/wm-1/c/1/2", TopicError::Unknown),
        ("d//t", TopicError::Level(2)),
        ("家电/冰箱", TopicError::Level(1)),
        ("d/wm-1/c/+", TopicError::Level(4)),
        ("d/wm-1/#", TopicError::Level(3)),
        ("$SYS/broker", TopicError::Level(1)),
        ("d/1/f/a/b/c/d/e", TopicError::TooDeep),
        ("v2/1/t", TopicError::Unknown),
        ("v1/devices/wm-1/telemetry", TopicError::Unknown),
        ("v1/devices/me", TopicError::Unknown),
        ("v1/devices/me/rpc/request", TopicError::Unknown),
        ("v1/devices/me/rpc/request/1/2", TopicError::Unknown),
        ("v1/gateway/telemetry", TopicError::Unknown),
    ];
    for (text, error) in cases {
        assert_eq!(Topic::parse(text), Err(error), "{text}");
    }
    assert_eq!(
        Topic::parse(&format!("d/{}/t", "x".repeat(65))),
        Err(TopicError::Level(2))
    );
}

#[test]
fn a_device_publishes_only_upwards_and_on_its_own() {
    let own = |topic| Ok(Topic::Device { device: "wm-1", topic });
    assert_eq!(may_publish("wm-1", "d/wm-1/t"), own(DeviceTopic::Telemetry));
    assert_eq!(may_publish("wm-1", "d/wm-1/r/9"), own(DeviceTopic::Reply("9")));
    let question = Topic::ThingsBoard(ThingsBoard::RpcRequest("3"));
    assert_eq!(may_publish("wm-1", "v1/devices/me/rpc/request/3"), Ok(question));
    let answer = "v1/devices/me/attributes/response/3";
    assert_eq!(may_publish("wm-1", answer), Err(TopicError::Direction));
    assert_eq!(may_publish("wm-1", "d/wm-2/t"), Err(TopicError::Foreign));
    assert_eq!(may_publish("wm-1", "d/wm-1/c/9"), Err(TopicError::Direction));
    assert_eq!(may_publish("wm-1", "p/n/register"), Err(TopicError::Foreign));
}

#[test]
fn a_device_subscribes_only_to_the_listed_filters() {
    assert_eq!(may_subscribe("wm-1", "d/wm-1/c/+"), Ok(Subscription::Commands));
    assert_eq!(may_subscribe("wm-1", "d/wm-1/f/+"), Ok(Subscription::Firmware));
    for (filter, expected) in [
        ("attributes", Subscription::Attributes),
        ("attributes/response/+", Subscription::AttributesAnswers),
        ("rpc/request/+", Subscription::RpcRequests),
        ("rpc/response/+", Subscription::RpcAnswers),
    ] {
        assert_eq!(may_subscribe("wm-1", &format!("v1/devices/me/{filter}")), Ok(expected));
    }
    for filter in [
        "#",
        "v1/devices/me/#",
        "v1/devices/+/attributes",
        "v1/devices/me/rpc/request/#",
        "d/+/c/+",
        "d/wm-2/c/+",
        "d/wm-10/c/+",
        "d/wm-1/#",
        "d/wm-1/c/#",
        "$share/g/d/wm-1/c/+",
        "d/wm-1/t",
    ] {
        assert_eq!(may_subscribe("wm-1", filter), Err(TopicError::Filter), "{filter}");
    }
}

#[test]
fn filters() {
    for right in ["#", "+", "d/+/t", "d/wm-1/#", "+/+/+/+/+/+/#", "a/+/b/+"] {
        assert!(is_filter(right), "{right}");
    }
    for wrong in [
        "",
        "/",
        "d//t",
        "d/#/t",
        "d/a+",
        "d/a#",
        "##",
        "a/b/c/d/e/f/g/h",
        "家/+",
        "$share/g/d/+/t",
        "d/+/",
    ] {
        assert!(!is_filter(wrong), "{wrong}");
    }
}

#[test]
fn narrower_filters_are_covered() {
    for (granted, filter) in [
        ("d/+/t", "d/+/t"),
        ("d/+/t", "d/wm-1/t"),
        ("d/+/#", "d/+/t"),
        ("d/+/#", "d/wm-1/#"),
        ("d/+/#", "d/wm-1"),
        ("#", "#"),
        ("#", "+/+"),
        ("+/+", "d/+"),
    ] {
        assert!(covers(granted, filter), "{granted} covers {filter}");
    }
    for (granted, filter) in [
        ("d/+/t", "d/+/+"),
        ("d/+/t", "d/#"),
        ("d/+/t", "d/wm-1/t/x"),
        ("d/wm-1/t", "d/+/t"),
        ("d/+", "d/#"),
        ("d/+", "#"),
        ("d/+/t", "d/wm-1"),
        ("d/+/#", "#"),
        ("#", "$share/g/#"),
    ] {
        assert!(!covers(granted, filter), "{granted} does not cover {filter}");
    }
}

/// MQTT's own rule, the other way round: does this topic match this filter?
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => matches(filter, topic),
        ([level, filter @ ..], [other, topic @ ..]) => level == other && matches(filter, topic),
        _ => false,
    }
}

proptest! {
    /// What is covered lets nothing through that the granted filter does not; and what is not has a topic that shows why,
    /// except that `+/#` is not seen to be `#`.
    #[test]
    fn covers_agrees_with_matching(granted in "[ab+](/[ab+]){0,2}(/#)?|#", filter in "[ab+](/[ab+]){0,2}(/#)?|#") {
        let levels = ["a", "b", "c"];
        let mut topics: Vec<Vec<&str>> = levels.iter().map(|l| vec![*l]).collect();
        for length in 1..4 {
            for start in topics.clone().into_iter().filter(|t| t.len() == length) {
                topics.extend(levels.iter().map(|l| [start.as_slice(), &[*l]].concat()));
            }
        }
        let (g, f): (Vec<_>, Vec<_>) = (granted.split('/').collect(), filter.split('/').collect());
        let narrower = topics.iter().all(|t| !matches(&f, t) || matches(&g, t));
        prop_assert!(narrower || !covers(&granted, &filter));
        prop_assert!(covers(&granted, &filter) || !narrower || filter.ends_with('#'));
    }

    #[test]
    fn what_is_read_is_written_again(text in "[dpx]/[a-z0-9/+#é.-]{0,40}") {
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert_eq!(topic.to_string(), text);
        }
    }
}
