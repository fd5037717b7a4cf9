use super::{connect, publish, subscribe};
use crate::identity::{Credentials, Identity, Will};
use crate::writer::Writer;

fn written(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = vec![0; 256];
    let mut writer = Writer::new(&mut out, 0);
    write(&mut writer);
    let (kept, is_complete) = writer.finish();
    assert!(is_complete);
    out.truncate(kept);
    out
}

#[test]
fn connect_says_who_comes_and_what_is_left_behind() {
    let identity = Identity {
        client_id: "wm",
        credentials: Some(Credentials {
            user_name: "t/wm",
            password: Some(&[1, 0xFF]),
        }),
        will: Some(Will {
            topic: "s",
            payload: b"off",
        }),
        topic_prefix: "d/wm/",
        subscriptions: &[],
    };
    let expected = [
        &b"\x00\x04MQTT\x04\xEC\x00\x3C"[..],
        b"\x00\x02wm",
        b"\x00\x06d/wm/s\x00\x03off",
        b"\x00\x04t/wm",
        b"\x00\x02\x01\xFF",
    ];
    assert_eq!(written(|writer| connect(writer, &identity, 60)), expected.concat());
}

#[test]
fn connect_flags_say_what_follows() {
    let token = Credentials {
        user_name: "token",
        password: None,
    };
    let secret = Credentials {
        user_name: "u",
        password: Some(b""),
    };
    let will = Will {
        topic: "s",
        payload: b"",
    };
    let cases = [
        ("id", None, None, 0x00),
        ("", None, None, 0x02),
        ("id", Some(token), None, 0x80),
        ("id", Some(secret), None, 0xC0),
        ("id", None, Some(will), 0x2C),
        ("", Some(secret), Some(will), 0xEE),
    ];
    for (client_id, credentials, will, flags) in cases {
        let identity = Identity {
            client_id,
            credentials,
            will,
            ..Identity::default()
        };
        assert_eq!(written(|writer| connect(writer, &identity, 1))[7], flags);
    }
}

#[test]
fn a_message_has_an_identifier_only_at_qos_1() {
    let bytes = |id| written(|writer| publish(writer, "d/wm/", b"t", id, &[1, 2]));
    assert_eq!(bytes(0), b"\x00\x06d/wm/t\x01\x02");
    assert_eq!(bytes(0x1234), b"\x00\x06d/wm/t\x12\x34\x01\x02");
}

#[test]
fn at_most_eight_filters_are_subscribed_to() {
    let subscriptions = ["c/+"; 9];
    let identity = Identity {
        topic_prefix: "d/wm/",
        subscriptions: &subscriptions[..2],
        ..Identity::default()
    };
    let bytes = written(|writer| subscribe(writer, &identity, 0xFFFF));
    assert_eq!(bytes, b"\xFF\xFF\x00\x08d/wm/c/+\x01\x00\x08d/wm/c/+\x01");
    let all = Identity {
        subscriptions: &subscriptions,
        ..identity
    };
    let bytes = written(|writer| subscribe(writer, &all, 1));
    assert_eq!(bytes.len(), 2 + 8 * 11);
}
