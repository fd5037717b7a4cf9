//! Telemetry JSON: the three forms, and refusals that help.

use agent_sdk_wire::json::{JsonError, JsonSample, MAX_JSON_BYTES, decode, number, split};
use proptest::prelude::*;

fn sample(ts_ms: Option<i64>, values: &[(&str, f64)]) -> JsonSample {
    JsonSample {
        ts_ms,
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect(),
        others: Vec::new(),
    }
}

#[test]
fn what_is_no_number_stands_beside_the_numbers() {
    let read =
        decode(br#"[{"temperature": 21, "state": "on", "error": null, "at": {"x": [1]}}, {"state": "off"}]"#).unwrap();
    assert_eq!(read[0].values, [("temperature".to_owned(), 21.0)]);
    let others: Vec<_> = read[0]
        .others
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_string()))
        .collect();
    let expected = [("at", r#"{"x":[1]}"#), ("error", "null"), ("state", r#""on""#)];
    assert_eq!(others, expected.map(|(n, v)| (n, v.to_owned())));
    assert_eq!((read[1].values.len(), read[1].others.len()), (0, 1));
    // They count as values.
    let many: Vec<_> = (0..255).map(|index| format!("\"c{index}\":\"x\"")).collect();
    assert!(matches!(
        decode(format!("{{\"a\":1,{}}}", many.join(",")).as_bytes()),
        Err(JsonError::Values { count: 256, .. })
    ));
}

#[test]
fn three_forms_are_read() {
    let values = &[("door", 1.0), ("pump_current_a", 0.31)];
    let timed = br#"{"ts": 1767225600000, "values": {"pump_current_a": 0.31, "door": true}}"#;
    assert_eq!(decode(timed).unwrap(), [sample(Some(1_767_225_600_000), values)]);
    assert_eq!(
        decode(br#"{"pump_current_a": 0.31, "door": true}"#).unwrap(),
        [sample(None, values)]
    );
    assert_eq!(
        decode(br#"{"values": {"a": 1}}"#).unwrap(),
        [sample(None, &[("a", 1.0)])]
    );
    let array = br#"[{"ts": 1, "values": {"a": 1}}, {"a": 2}]"#;
    assert_eq!(
        decode(array).unwrap(),
        [sample(Some(1), &[("a", 1.0)]), sample(None, &[("a", 2.0)])]
    );
    // A channel may be called "values".
    assert_eq!(decode(br#"{"values": 3}"#).unwrap(), [sample(None, &[("values", 3.0)])]);
}

#[test]
fn refusals_name_the_place() {
    let refused = |text: &str| decode(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("{\"a\": 1,\n oops"), "not JSON: line 2, column 2, at \"oops\"");
    assert_eq!(refused("{\"a\": 1}\0"), "not JSON: line 1, column 9, at \"\\0\"");
    assert_eq!(refused("{\"a\": 1"), "not JSON: line 1, column 7, where it ends");
    assert_eq!(refused(r#"[{"a":1},{}]"#), "sample 1 is empty: it holds no value");
    assert_eq!(
        refused(r#"[{},{"a":"x"}]"#),
        "sample 1: value of \"a\" is neither a number nor true or false"
    );
    assert_eq!(refused("[]"), "0 samples: 1 to 64 are allowed");
    assert_eq!(refused("[3]"), "sample 0 is not an object");
    let ts = "sample 0: \"ts\" must be whole milliseconds, with \"values\" beside it and nothing else";
    assert_eq!(refused(r#"{"ts": 5, "a": 1}"#), format!("{ts}: there is \"a\""));
    assert_eq!(
        refused(r#"{"ts": "now", "values": {}}"#),
        format!("{ts}: it is \"now\"")
    );
    assert_eq!(refused(r#"{"ts": 5}"#), format!("{ts}: it is 5"));
    assert_eq!(
        refused(r#"{"time": 5, "values": {"a": 1}}"#),
        format!("{ts}: there is \"time\"")
    );
    assert!(refused(r#"{"": 1}"#).starts_with("sample 0: a name"));
    let many: Vec<_> = (0..256).map(|index| format!("\"c{index}\":1")).collect();
    assert!(matches!(
        decode(format!("{{{}}}", many.join(",")).as_bytes()),
        Err(JsonError::Values { count: 256, .. })
    ));
    assert!(matches!(
        decode(&vec![b' '; MAX_JSON_BYTES + 1]),
        Err(JsonError::TooLong)
    ));
}

/// What the strict reader refuses, sample by sample.
#[test]
fn what_is_almost_json_is_split_into_its_samples() {
    let read = |text: &str| split(text.as_bytes()).map(|samples| serde_json::Value::Array(samples).to_string());
    let cases = [
        ("{\"a\":1}\0\0", r#"[{"a":1}]"#),
        ("\u{FEFF}{\"a\":1}", r#"[{"a":1}]"#),
        (r#"[{"a":1},3,{}]"#, r#"[{"a":1},3,{}]"#),
        (
            r#"{"a":NaN,"b":[-Infinity,+inf,nan]}"#,
            r#"{"a":"NaN","b":["-Infinity","+inf","nan"]}"#,
        ),
        (
            r#"{"NaN":NaN,"b":"NaN \" NaN","c":1e5}"#,
            r#"{"NaN":"NaN","b":"NaN \" NaN","c":100000.0}"#,
        ),
    ];
    for (text, expected) in cases {
        let expected = if expected.starts_with('[') {
            expected.to_owned()
        } else {
            format!("[{expected}]")
        };
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
    let refused = |text: &str| split(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("\0\0"), "not JSON: line 1, column 0, where it ends");
    assert_eq!(refused(r#"{"a":NaNo}"#), "not JSON: line 1, column 6, at \"NaNo}\"");
    assert!(refused(r#"{"a":NaN,}"#).starts_with("not JSON: line 1, column "));
    assert_eq!(refused("[]"), "0 samples: 1 to 64 are allowed");
}

#[test]
fn numbers_are_read_from_text() {
    for (text, expected) in [
        ("21.5", 21.5),
        (" -3 ", -3.0),
        ("1e2", 100.0),
        ("true", 1.0),
        ("false", 0.0),
    ] {
        assert_eq!(number(text), Some(expected), "{text}");
    }
    for text in ["NaN", "-nan", "Infinity", "-inf"] {
        assert!(number(text).is_some_and(|value| !value.is_finite()), "{text}");
    }
    for text in ["", "on", "21,5", "21.5 C", "0x1F", "1_000"] {
        assert_eq!(number(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "[\\[\\]{}:,\"a-z0-9.ets ]{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for input in [text.as_bytes(), &bytes] {
            for sample in decode(input).unwrap_or_default() {
                prop_assert!(sample.values.iter().all(|(_, value)| value.is_finite()));
            }
            // What the strict reader takes is read the same way.
            if decode(input).is_ok() {
                prop_assert!(split(input).is_ok());
            }
        }
    }
}
