//! JSON as CBOR and back: by the examples of RFC 8949, whatever value, and whatever bytes.

use agent_sdk_wire::json::{from_cbor, to_cbor};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    to_cbor(value, &mut out);
    out
}

/// RFC 8949, appendix A.
#[test]
fn the_examples_of_the_standard_are_written_and_read() {
    let cases = [
        (json!(0), "00"),
        (json!(23), "17"),
        (json!(24), "1818"),
        (json!(1_000), "1903e8"),
        (json!(1_000_000), "1a000f4240"),
        (json!(1_000_000_000_000_u64), "1b000000e8d4a51000"),
        (json!(u64::MAX), "1bffffffffffffffff"),
        (json!(-1), "20"),
        (json!(-100), "3863"),
        (json!(-1_000), "3903e7"),
        (json!(100_000.0), "fa47c35000"),
        (json!(1.1), "fb3ff199999999999a"),
        (json!(-4.1), "fbc010666666666666"),
        (json!(false), "f4"),
        (json!(true), "f5"),
        (json!(null), "f6"),
        (json!(""), "60"),
        (json!("IETF"), "6449455446"),
        (json!("水"), "63e6b0b4"),
        (json!([1, [2, 3], [4, 5]]), "8301820203820405"),
        (json!({"a": 1, "b": [2, 3]}), "a26161016162820203"),
    ];
    for (value, expected) in cases {
        let written = cbor(&value);
        assert_eq!(hex::encode(&written), expected, "{value}");
        assert_eq!(from_cbor(&written), Some(value));
    }
}

#[test]
fn what_has_no_form_in_json_is_not_read() {
    let cases = [
        ("", "nothing"),
        ("0000", "more than one item"),
        ("4401020304", "bytes"),
        ("c11a514b67b0", "a tag"),
        ("f93c00", "a half float"),
        ("f97e00", "not a number"),
        ("fa7f800000", "infinity"),
        ("f7", "undefined"),
        ("9f01ff", "an array without a length"),
        ("a10102", "a key that is no text"),
        ("a2616101616102", "a key that comes twice"),
        ("8201", "an array that is cut"),
        ("9bffffffffffffffff", "an array that announces more than there is"),
        ("7bffffffffffffffff", "a text that does"),
        ("61ff", "no UTF-8"),
    ];
    for (bytes, what) in cases {
        assert_eq!(from_cbor(&hex::decode(bytes).unwrap()), None, "{what}");
    }
    let nested = |levels: usize| [vec![0x81; levels - 1], vec![0x80]].concat();
    assert!(from_cbor(&nested(16)).is_some());
    assert_eq!(from_cbor(&nested(17)), None);
    assert_eq!(from_cbor(&nested(8_000)), None);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..30).prop_map(Value::from),
            btree_map(".{0,9}", inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_is_read_as_it_was_written(value in value()) {
        prop_assert_eq!(from_cbor(&cbor(&value)), Some(value));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..60)) {
        if let Some(value) = from_cbor(&bytes) {
            prop_assert_eq!(from_cbor(&cbor(&value)), Some(value));
        }
    }
}
