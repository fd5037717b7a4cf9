//! Messages as devices send them: what ingest makes of each, kind by kind.

use crate::decode::{Origin, Work};
use crate::session::{Kind, Message};
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::{ApplianceProfile, Channel};
use hub_store::telemetry::Ingest;
use jiff::Timestamp;

/// In ms; the same as a written time.
const NOW: i64 = 1_772_442_000_000;

/// What comes of a message: stored integers of current and voltage for each sample, and a part of why the rest is in
/// quarantine, if there is a rest.
#[derive(Debug, PartialEq)]
struct Answer {
    /// Seconds before now, and values.
    samples: Vec<(i64, Vec<Option<i32>>)>,
    quarantined: Option<(String, String)>,
}

fn profile() -> ApplianceProfile {
    let channel = |id, name: &str| Channel {
        id,
        name: name.into(),
        unit: "A".into(),
        decimals: 3,
        min: -10.0,
        max: 1_000.0,
    };
    ApplianceProfile {
        name: "pump".into(),
        version: 1,
        channels: vec![channel(1, "Current"), channel(2, "Voltage"), channel(3, "t")],
    }
}

fn answer(payload: &[u8]) -> Answer {
    let received_at = Timestamp::from_millisecond(NOW).unwrap();
    let origin = Origin {
        appliance: ApplianceId(1),
        message: Message::new(b"v1/devices/me/telemetry", payload),
        received_at,
    };
    let trace = TraceId::new(received_at, [0; 10]);
    let (ingest, _) = Work::decode(&Kind::TelemetryJson, false, origin, Ok(&profile()), trace).place(None);
    let samples = ingest.readings().map(|message| message.samples.iter());
    let of_sample = |sample: &hub_core::telemetry::Sample| {
        let ago = received_at.duration_since(sample.at).as_secs();
        (ago, sample.values.clone())
    };
    let aside = match &ingest {
        Ingest::Quarantine(all) => Some(all),
        Ingest::Partly(partly) => Some(&partly.aside),
        _ => None,
    };
    Answer {
        samples: samples.into_iter().flatten().map(of_sample).collect(),
        quarantined: aside.map(|q| (q.reason.clone(), String::from_utf8_lossy(&q.payload).into_owned())),
    }
}

const CURRENT: i32 = 1_234;
const VOLTAGE: i32 = 230_100;

/// Messages of one sample with current and voltage, which are stored; NOW stands for the time.
#[test]
fn messages_that_are_taken_whole() {
    let both = [Some(CURRENT), Some(VOLTAGE), None];
    let current = [Some(CURRENT), None, None];
    let cases: &[(&str, &str, i64, [Option<i32>; 3])] = &[
        (
            "numbers",
            r#"{"ts":NOW,"values":{"Current":1.234,"Voltage":230.1}}"#,
            0,
            both,
        ),
        (
            "numbers as text",
            r#"{"ts":NOW,"values":{"Current":"1.234","Voltage":"230.1"}}"#,
            0,
            both,
        ),
        (
            "a number beside one as text",
            r#"{"ts":NOW,"values":{"Current":1.234,"Voltage":"230.1"}}"#,
            0,
            both,
        ),
        (
            "text of an unknown channel beside them",
            r#"{"Current":"1.234","Voltage":230.1,"state":"on"}"#,
            0,
            both,
        ),
        ("spaces around", r#"{"Current":" 1.234 ","Voltage":"230.1\n"}"#, 0, both),
        ("exponents", r#"{"Current":"1234e-3","Voltage":2.301E2}"#, 0, both),
        ("a sign", r#"{"Current":"+1.234","Voltage":230.1}"#, 0, both),
        ("true", r#"{"Current":true}"#, 0, [Some(1_000), None, None]),
        ("true as text", r#"{"Current":"true"}"#, 0, [Some(1_000), None, None]),
        (
            "a text that is no number",
            r#"{"Current":1.234,"Voltage":"high"}"#,
            0,
            current,
        ),
        ("a decimal comma", r#"{"Current":1.234,"Voltage":"230,1"}"#, 0, current),
        ("a unit", r#"{"Current":1.234,"Voltage":"230.1 V"}"#, 0, current),
        ("null", r#"{"Current":1.234,"Voltage":null}"#, 0, current),
        (
            "an object",
            r#"{"Current":1.234,"Voltage":{"value":230.1}}"#,
            0,
            current,
        ),
        (
            "NaN",
            r#"{"ts":NOW,"values":{"Current":1.234,"Voltage":NaN}}"#,
            0,
            current,
        ),
        (
            "NaN as text",
            r#"{"ts":NOW,"values":{"Current":1.234,"Voltage":"NaN"}}"#,
            0,
            current,
        ),
        ("Infinity", r#"{"Current":1.234,"Voltage":Infinity}"#, 0, current),
        ("-Infinity", r#"{"Current":1.234,"Voltage":-Infinity}"#, 0, current),
        (
            "-Infinity as text",
            r#"{"Current":1.234,"Voltage":"-Infinity"}"#,
            0,
            current,
        ),
        ("nan, as C prints it", r#"{"Current":1.234,"Voltage":-nan}"#, 0, current),
        (
            "NaN in a name and a text",
            r#"{"Current":1.234,"NaN":"a NaN, b"}"#,
            0,
            current,
        ),
        ("NaN alone", r#"{"Current":NaN}"#, 0, [None; 3]),
        ("out of range", r#"{"Current":1.234,"Voltage":5000}"#, 0, current),
        (
            "a number beyond all numbers",
            r#"{"Current":1.234,"Voltage":"1e999"}"#,
            0,
            current,
        ),
        ("a NUL at the end", "{\"Current\":1.234}\0", 0, current),
        (
            "several NULs and a line end",
            "{\"Current\":1.234}\r\n\0\0\0",
            0,
            current,
        ),
        ("a byte-order mark", "\u{FEFF}{\"Current\":1.234}", 0, current),
        (
            "a minute ago",
            r#"{"ts":NOW-60000,"values":{"Current":1.234}}"#,
            60,
            current,
        ),
        (
            "399 days ago",
            r#"{"ts":NOW-34473600000,"values":{"Current":1.234}}"#,
            34_473_600,
            current,
        ),
        (
            "nine minutes ahead",
            r#"{"ts":NOW+540000,"values":{"Current":1.234}}"#,
            -540,
            current,
        ),
        (
            "a channel that is called t",
            r#"{"Current":1.234,"t":21}"#,
            0,
            [Some(CURRENT), None, Some(21_000)],
        ),
        (
            "a time of day that is none",
            r#"{"Current":1.234,"time":37}"#,
            0,
            current,
        ),
        (
            "a time beside ts",
            r#"{"ts":NOW,"values":{"Current":1.234,"time":1772442000}}"#,
            0,
            current,
        ),
        ("values without ts", r#"{"values":{"Current":1.234}}"#, 0, current),
    ];
    for (name, text, ago, values) in cases {
        let expected = Answer {
            samples: vec![(*ago, values.to_vec())],
            quarantined: None,
        };
        assert_eq!(answer(in_time(text).as_bytes()), expected, "{name}");
    }
}

/// Messages of which nothing can be stored, and words of the reason.
#[test]
fn messages_that_are_refused() {
    let cases: &[(&str, &str, &str)] = &[
        ("nothing", "", "not JSON: line 1, column 0, where it ends"),
        ("NULs", "\0\0", "where it ends"),
        ("cut off", r#"{"Current":1.2"#, "where it ends"),
        (
            "no JSON",
            "Current=1.2",
            "not JSON: line 1, column 1, at \"Current=1.2\"",
        ),
        ("a NUL within", "{\"Current\":\u{0}1}", "at \"\\01}\""),
        ("single quotes", "{'Current':1.2}", "at \"'Current':1.2}\""),
        ("a comma too many", r#"{"Current":1.2,}"#, "at \"}\""),
        ("Python's None", r#"{"Current":None}"#, "at \"None}\""),
        ("a number alone", "1.2", "sample 0 is not an object"),
        ("an empty list", "[]", "0 samples: 1 to 64 are allowed"),
        ("an empty reading", "{}", "sample 0 is empty: it holds no value"),
        (
            "an empty reading with a time",
            r#"{"ts":NOW,"values":{}}"#,
            "sample 0 is empty",
        ),
        (
            "text alone",
            r#"{"Current":"on"}"#,
            "value of \"Current\" is neither a number",
        ),
        (
            "a time as text",
            r#"{"ts":"NOW","values":{"Current":1}}"#,
            "and nothing else: it is \"1772442000000\"",
        ),
        (
            "a written time",
            r#"{"ts":"2026-03-02T09:00:00Z","values":{"Current":1}}"#,
            "it is \"2026-03-02T09:00:00Z\"",
        ),
        (
            "a time with a fraction",
            r#"{"ts":1772442000000.5,"values":{"Current":1}}"#,
            "it is 1772442000000.5",
        ),
        ("no time", r#"{"ts":null,"values":{"Current":1}}"#, "it is null"),
        (
            "values beside ts",
            r#"{"ts":NOW,"Current":1}"#,
            "and nothing else: there is \"Current\"",
        ),
        (
            "something beside values",
            r#"{"time":NOW,"values":{"Current":1}}"#,
            "there is \"time\"",
        ),
        (
            "seconds",
            r#"{"ts":1772442000,"values":{"Current":1}}"#,
            "seems to be seconds, and is read as milliseconds",
        ),
        (
            "microseconds",
            r#"{"ts":1772442000000000,"values":{"Current":1}}"#,
            "seems to be microseconds",
        ),
        (
            "since its start",
            r#"{"ts":36000,"values":{"Current":1}}"#,
            "the sample says 1970-01-01T00:00:36Z",
        ),
        ("zero", r#"{"ts":0,"values":{"Current":1}}"#, "device clock is off"),
        (
            "below zero",
            r#"{"ts":-1,"values":{"Current":1}}"#,
            "device clock is off",
        ),
        (
            "401 days ago",
            r#"{"ts":NOW-34646400000,"values":{"Current":1}}"#,
            "device clock is off",
        ),
        (
            "eleven minutes ahead",
            r#"{"ts":NOW+660000,"values":{"Current":1}}"#,
            "device clock is off",
        ),
        (
            "a time called timestamp",
            r#"{"timestamp":NOW,"Current":1}"#,
            "\"timestamp\" seems to be its time, which is read from \"ts\"",
        ),
        (
            "a time called time, in seconds",
            r#"{"time":1772442000,"Current":1}"#,
            "\"time\" seems to be",
        ),
        (
            "a time called Date, written",
            r#"{"Date":"2026-03-02 09:00:00","Current":1}"#,
            "\"Date\" seems to be",
        ),
        (
            "a time called datetime, as text",
            r#"{"datetime":"NOW","Current":1}"#,
            "\"datetime\" seems to be",
        ),
        (
            "a name that cannot be seen",
            r#"{"a\u0000":1}"#,
            "a name holds control characters",
        ),
        ("an empty name", r#"{"":1}"#, "a name is empty"),
    ];
    for (name, text, words) in cases {
        let text = in_time(text);
        let Answer { samples, quarantined } = answer(text.as_bytes());
        let (reason, payload) = quarantined.unwrap_or_else(|| panic!("{name}: taken"));
        assert!(reason.contains(words), "{name}: {reason}");
        assert_eq!(
            (samples.len(), payload),
            (0, text),
            "{name}: nothing is stored, and all of it is kept"
        );
    }
}

/// Batches of which a part can be stored: how many samples, what is put aside, and words of the reason.
#[test]
fn batches_that_are_taken_in_part() {
    let good = r#"{"ts":NOW,"values":{"Current":1.2}}"#;
    let cases: &[(&str, &str, usize, &str, &str)] = &[
        (
            "a wrong time",
            r#"[GOOD,{"ts":36000,"values":{"Current":1.24}}]"#,
            1,
            r#"{"ts":36000,"values":{"Current":1.24}}"#,
            "1 of 2 samples, the others are stored: sample 1: device clock is off",
        ),
        (
            "a wrong time first",
            r#"[{"ts":36000,"values":{"Current":1}},GOOD,GOOD]"#,
            2,
            r#"{"ts":36000,"values":{"Current":1}}"#,
            "sample 0: device clock",
        ),
        ("an empty sample", r#"[GOOD,{}]"#, 1, "{}", "sample 1 is empty"),
        ("no object", r#"[GOOD,3]"#, 1, "3", "sample 1 is not an object"),
        ("null", r#"[null,GOOD]"#, 1, "null", "sample 0 is not an object"),
        (
            "a time as text",
            r#"[GOOD,{"ts":"x","values":{"Current":1}}]"#,
            1,
            r#"{"ts":"x","values":{"Current":1}}"#,
            "it is \"x\"",
        ),
        (
            "a time of another name",
            r#"[GOOD,{"t_":1,"timestamp":NOW}]"#,
            1,
            r#"{"t_":1,"timestamp":NOW}"#,
            "\"timestamp\" seems to be",
        ),
        (
            "NaN beside a wrong time",
            r#"[{"Current":NaN},{"ts":1,"values":{"Voltage":NaN}}]"#,
            1,
            r#"{"ts":1,"values":{"Voltage":"NaN"}}"#,
            "sample 1: device clock",
        ),
        (
            "two wrong ones",
            r#"[{},GOOD,3]"#,
            1,
            "[{},3]",
            "2 of 3 samples, the others are stored: sample 0 is empty: it holds no value; sample 2 is not",
        ),
        (
            "more than are told",
            r#"[1,2,3,4,5,6,GOOD]"#,
            1,
            "[1,2,3,4,5,6]",
            "sample 3 is not an object; and 2 more",
        ),
    ];
    for (name, text, count, kept, words) in cases {
        let Answer { samples, quarantined } = answer(in_time(&text.replace("GOOD", good)).as_bytes());
        let (reason, payload) = quarantined.unwrap_or_else(|| panic!("{name}: taken"));
        assert!(reason.contains(words), "{name}: {reason}");
        assert_eq!((samples.len(), payload), (*count, in_time(kept)), "{name}");
    }
    // A message that is put aside is one itself.
    let aside = answer(br#"[{"ts":36000,"values":{"Current":1}}]"#);
    assert_eq!(aside.samples, []);
}

/// With the time in the place of NOW, NOW-1000 and NOW+1000.
fn in_time(text: &str) -> String {
    let mut parts = text.split("NOW");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-'))
            .unwrap_or(part.len());
        let (offset, rest) = part.split_at(end);
        written += &format!("{}{rest}", NOW + offset.parse::<i64>().unwrap_or_default());
    }
    written
}
