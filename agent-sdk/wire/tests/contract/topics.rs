//! Topics: what is built is read, and a device reaches only its own.

use agent_sdk_wire::topic::{DeviceTopic, Subscription, Topic, TopicError, may_publish, may_subscribe};
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
    assert_eq!(may_publish("wm-1", "d/wm-1/t"), Ok(DeviceTopic::Telemetry));
    assert_eq!(may_publish("wm-1", "d/wm-1/r/9"), Ok(DeviceTopic::Reply("9")));
    assert_eq!(may_publish("wm-1", "d/wm-2/t"), Err(TopicError::Foreign));
    assert_eq!(may_publish("wm-1", "d/wm-1/c/9"), Err(TopicError::Direction));
    assert_eq!(may_publish("wm-1", "p/n/register"), Err(TopicError::Foreign));
}

#[test]
fn a_device_subscribes_only_to_the_listed_filters() {
    assert_eq!(may_subscribe("wm-1", "d/wm-1/c/+"), Ok(Subscription::Commands));
    assert_eq!(may_subscribe("wm-1", "d/wm-1/f/+"), Ok(Subscription::Firmware));
    for filter in [
        "#",
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

proptest! {
    #[test]
    fn what_is_read_is_written_again(text in "[dpx]/[a-z0-9/+#é.-]{0,40}") {
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert_eq!(topic.to_string(), text);
        }
    }
}
