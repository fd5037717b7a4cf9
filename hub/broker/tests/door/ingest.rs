//! What comes out in the store.

use crate::client::Raw;
use crate::{Door, eventually};
use agent_sdk_wire::{
    BatchEncoder, Clock, Event, EventState, Header, TelemetryEncoder, TimeBase, Value, encode_clock, encode_event,
};
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde_json::json;
use tests_mqtt::Version::{V4, V5};
use tests_mqtt::publish;

const WASHER: ApplianceId = ApplianceId(1);

/// One message of samples `(dt_ms, [(channel, value)])`.
pub(crate) fn cbor(
    time_base: TimeBase,
    boot_id: u64,
    seq: u64,
    t0_ms: i64,
    samples: &[(u32, &[(u8, f32)])],
) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let header = Header {
        time_base,
        boot_id,
        seq,
        t0_ms,
    };
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header).unwrap();
    for (dt_ms, values) in samples {
        let values: Vec<_> = values.iter().map(|(c, v)| (*c, Value::F32(*v))).collect();
        encoder.push(*dt_ms, &values).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

#[tokio::test]
async fn cbor_is_quantised_flagged_and_stored_once() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let t0 = door.now_ms() - 60_000;
    let samples: &[(u32, &[(u8, f32)])] = &[(0, &[(1, 1.2344), (2, 40.25)]), (1_000, &[(1, 99.0), (9, 7.5)])];
    let message = cbor(TimeBase::Utc, 11, 100, t0, samples);
    device.send(&publish("d/washer/t", 1, &message)).await;
    device.expect_ack(1).await;
    // The same again, as after a lost acknowledgement.
    device.send(&publish("d/washer/t", 2, &message)).await;
    device.expect_ack(2).await;
    let samples = door.store.samples();
    assert_eq!(samples.len(), 2);
    let (first, second) = (&samples[0].1, &samples[1].1);
    assert_eq!(first.at.as_millisecond(), t0);
    assert_eq!(
        (first.values.clone(), first.extra.clone()),
        (vec![Some(1234), Some(403)], None)
    );
    assert_eq!(second.values, []);
    assert_eq!(
        second.extra,
        Some(json!({"unknown": {"9": 7.5}, "out_of_range": {"pump_current": 99.0}}))
    );
    let counters = door.broker.counters();
    let count = |c: &std::sync::atomic::AtomicU64| c.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(
        (count(&counters.samples_stored), count(&counters.samples_repeated)),
        (2, 2)
    );
}

#[tokio::test]
async fn uptime_is_placed_by_the_device_s_clock_pair_also_after_a_reconnect() {
    let door = Door::open().await;
    let now = door.now_ms();
    let reading = |seq, t0| cbor(TimeBase::Uptime, 5, seq, t0, &[(0, &[(1, 1.0)])]);
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    // Nothing known yet: taken as just measured.
    device.send(&publish("d/washer/t", 1, &reading(0, 10_000))).await;
    let mut buffer = [0; 64];
    let pair = Clock {
        boot_id: 5,
        uptime_ms: 100_000,
        utc_ms: now,
    };
    let pair = encode_clock(&mut buffer, &pair).unwrap().to_vec();
    device.send(&publish("d/washer/t", 2, &pair)).await;
    device.send(&publish("d/washer/t", 3, &reading(1, 40_000))).await;
    for packet_id in 1..=3 {
        device.expect_ack(packet_id).await;
    }
    let mut again = Raw::connected(door.addr, "acme", "washer").await;
    again.send(&publish("d/washer/t", 4, &reading(2, 70_000))).await;
    again.expect_ack(4).await;
    let samples = door.store.samples().into_iter();
    let times: Vec<_> = samples.map(|(_, s)| s.at.as_millisecond() - now).collect();
    assert_eq!(times, [0, -60_000, -30_000]);
}

#[tokio::test]
async fn json_in_its_forms() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let ts = door.now_ms() - 5_000;
    let array = format!(
        r#"[{{"ts":{ts},"values":{{"pump_current":2}}}},{{"ts":{},"values":{{"colour":1}}}}]"#,
        ts - 1_000
    );
    for (packet_id, payload) in [(1, array.as_str()), (2, array.as_str()), (3, r#"{"water_temp":20.06}"#)] {
        device.send(&publish("d/washer/j", packet_id, payload.as_bytes())).await;
        device.expect_ack(packet_id).await;
    }
    let samples = door.store.samples();
    assert_eq!(samples.len(), 3, "the repeat is recognised");
    assert_eq!(samples[0].1.at.as_millisecond(), ts - 1_000, "oldest first");
    assert_eq!(samples[0].1.extra, Some(json!({"unknown": {"colour": 1.0}})));
    assert_eq!(samples[1].1.values, [Some(2000)]);
    assert_eq!(samples[2].1.values, [None, Some(201)]);
    assert_eq!(samples[2].1.at.as_millisecond(), door.now_ms());
    let skews = door
        .store
        .with(|s| s.messages.iter().map(|m| m.skew_ms).collect::<Vec<_>>());
    assert_eq!(skews, [Some(5_000), Some(5_000), None]);
}

/// As ThingsBoard's devices send it: one text does not cost the readings beside it.
#[tokio::test]
async fn what_is_no_number_is_kept_beside_the_readings() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let ts = door.now_ms() - 5_000;
    let message = |state: &str| {
        format!(r#"{{"ts":{ts},"values":{{"state":"{state}","water_temp":21,"pump_current":null,"at":{{"x":[1]}}}}}}"#)
    };
    for (packet_id, state) in [(1, "on"), (2, "on"), (3, "off")] {
        device
            .send(&publish("d/washer/j", packet_id, message(state).as_bytes()))
            .await;
        device.expect_ack(packet_id).await;
    }
    let (samples, quarantined) = (door.store.samples(), door.store.with(|s| s.quarantined.len()));
    assert_eq!(quarantined, 0);
    let extra = |state: &str| Some(json!({"unknown": {"state": state, "pump_current": null, "at": {"x": [1]}}}));
    let stored: Vec<_> = samples.into_iter().map(|(_, s)| (s.values, s.extra)).collect();
    let values = vec![None, Some(210)];
    assert_eq!(
        stored,
        [(values.clone(), extra("on")), (values, extra("off"))],
        "the repeat is recognised, and another text is no repeat"
    );
}

/// One bad sample of a message costs no other: it is in quarantine by itself, told to the device, and once.
#[tokio::test]
async fn what_cannot_be_taken_of_a_batch_is_put_aside_by_itself() {
    let door = Door::open().await;
    let (mut device, _) = Raw::connected_v5(door.addr, "acme", "washer", &[]).await;
    let ts = door.now_ms() - 5_000;
    let batch = format!(
        r#"[{{"ts":{ts},"values":{{"pump_current":"2"}}}},{{"ts":36000,"values":{{"pump_current":3}}}},{{"ts":{},"values":{{"water_temp":21}}}}]"#,
        ts + 1_000
    );
    for packet_id in [1, 2] {
        device
            .send(&V5.publish(1, "d/washer/j", packet_id, batch.as_bytes()))
            .await;
        let (first, body) = device.packet().await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(first, 0x40, "PUBACK");
        assert!(body.contains("in quarantine: 1 of 3 samples"), "{body}");
    }
    let samples = door.store.samples();
    let values: Vec<_> = samples.iter().map(|(_, sample)| sample.values.clone()).collect();
    assert_eq!(values, [vec![Some(2_000)], vec![None, Some(210)]]);
    assert_eq!(door.store.appliance(WASHER).quarantined, 1, "the repeat is recognised");
    let aside = door.store.with(|s| s.quarantined[0].clone());
    assert_eq!(aside.payload, br#"{"ts":36000,"values":{"pump_current":3}}"#);
    let reason =
        "1 of 3 samples, the others are stored: sample 1: device clock is off: the sample says 1970-01-01T00:00:36Z";
    assert!(aside.reason.starts_with(reason), "{}", aside.reason);
    let counters = door.broker.counters();
    let count = |c: &std::sync::atomic::AtomicU64| c.load(std::sync::atomic::Ordering::Relaxed);
    let counted = [
        &counters.samples_stored,
        &counters.samples_repeated,
        &counters.quarantined,
    ]
    .map(count);
    assert_eq!(counted, [2, 2, 1]);
}

#[tokio::test]
async fn events_have_a_lane_of_their_own() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let mut buffer = [0; 256];
    let event = Event {
        time_base: TimeBase::Utc,
        boot_id: 11,
        seq: 100,
        at_ms: door.now_ms(),
        state: EventState::Raised,
        code: "E21",
        detail: "drain\0slow",
    };
    let event = encode_event(&mut buffer, &event).unwrap().to_vec();
    let reading = cbor(TimeBase::Utc, 11, 100, door.now_ms(), &[(0, &[(1, 1.0)])]);
    device.send(&publish("d/washer/e", 1, &event)).await;
    device.send(&publish("d/washer/t", 2, &reading)).await;
    device.expect_ack(1).await;
    device.expect_ack(2).await;
    let samples = door.store.samples();
    assert_eq!(samples.len(), 2, "the same number in two lanes is no repeat");
    let extra = json!({"event": {"code": "E21", "state": "raised", "detail": "drain\u{FFFD}slow"}});
    assert_eq!(samples[0].1.extra, Some(extra));
}

#[tokio::test]
async fn what_cannot_be_read_is_quarantined_with_the_reason_and_acknowledged() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let years_off = cbor(TimeBase::Utc, 1, 0, 946_684_800_000, &[(0, &[(1, 1.0)])]);
    let ahead = format!(r#"{{"ts":{},"values":{{"a":1}}}}"#, door.now_ms() + 700_000);
    let mut buffer = [0; 64];
    let pair = Clock {
        boot_id: 5,
        uptime_ms: 0,
        utc_ms: 0,
    };
    let pair = encode_clock(&mut buffer, &pair).unwrap().to_vec();
    let cases: [(&str, &[u8], &str); 7] = [
        ("d/washer/t", b"\xFF\xFF", "message at byte 0"),
        ("d/washer/j", b"{\"a\":", "not JSON: line 1"),
        ("d/washer/j", b"{\"a\":\"b\"}", "neither a number"),
        (
            "d/washer/t",
            &years_off,
            "device clock is off: the sample says 2000-01-01T00:00:00Z",
        ),
        ("d/washer/j", ahead.as_bytes(), "device clock is off"),
        ("d/washer/t", &pair, "device clock is off"),
        ("d/washer/e", &years_off, "does not belong on this topic"),
    ];
    for (packet_id, (topic, payload, reason)) in (1..).zip(cases) {
        device.send(&publish(topic, packet_id, payload)).await;
        device.expect_ack(packet_id).await;
        let last = door.store.with(|s| s.quarantined.last().cloned()).unwrap();
        assert!(last.reason.contains(reason), "{reason}: {}", last.reason);
        assert_eq!((last.topic.as_str(), last.payload.as_slice()), (topic, payload));
    }
    assert_eq!(door.store.samples().len(), 0);
}

#[tokio::test]
async fn the_last_word_of_a_device_that_leaves_is_stored() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let mut last = V4.publish(0, "d/washer/j", 0, br#"{"pump_current":1}"#);
    last.extend([0xE0, 0]);
    device.send(&last).await;
    device.expect_closed("it left").await;
    eventually("stored", || door.store.samples().len() == 1).await;
    let trace = door.store.with(|s| s.messages[0].trace);
    assert_eq!(trace.0.get_version_num(), 7);
    let stamp = trace.0.get_timestamp().unwrap().to_unix().0;
    assert_eq!(stamp as i64, crate::NOW.parse::<Timestamp>().unwrap().as_second());
}

/// One batch of samples a second apart.
fn batch(time_base: TimeBase, seq: u64, t0_ms: i64, columns: &[(u8, [Option<i32>; 3])]) -> Vec<u8> {
    let mut buffer = [0; 256];
    let header = Header {
        time_base,
        boot_id: 11,
        seq,
        t0_ms,
    };
    let mut encoder = BatchEncoder::new(&mut buffer, &header, [0, 1_000, 2_000].into_iter()).unwrap();
    for (channel, values) in columns {
        encoder.column(*channel, values.iter().copied()).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

#[tokio::test]
async fn a_batch_is_stored_as_the_rows_that_it_stands_for() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let t0 = door.now_ms() - 60_000;
    let rows: &[(u32, &[(u8, f32)])] = &[
        (0, &[(1, 1.234), (2, 40.25)]),
        (1_000, &[(1, 99.0)]),
        (2_000, &[(2, -20.0)]),
    ];
    let columns = [
        (1, [Some(1_234), Some(99_000), None]),
        (2, [Some(403), None, Some(-200)]),
        (9, [None, Some(75), None]),
    ];
    let rows = cbor(TimeBase::Utc, 10, 100, t0, rows);
    let columns = batch(TimeBase::Utc, 100, t0, &columns);
    // The batch twice, as after a lost acknowledgement; then rows under numbers that it had, and one more.
    let mixed: &[(u32, &[(u8, f32)])] = &[(0, &[(1, 2.0)]), (1_000, &[(1, 3.0)])];
    let mixed = cbor(TimeBase::Utc, 11, 102, t0 + 2_000, mixed);
    for (packet_id, message) in (1..).zip([&rows, &columns, &columns, &mixed]) {
        device.send(&publish("d/washer/t", packet_id, message)).await;
        device.expect_ack(packet_id).await;
    }
    let samples: Vec<_> = door.store.samples().iter().map(|(_, s)| s.clone()).collect();
    assert_eq!(samples.len(), 7, "three rows, three of the batch, and one behind it");
    let stored = |from: usize| -> Vec<_> {
        let three = samples.iter().skip(from).take(3);
        three.map(|s| (s.at.as_millisecond() - t0, s.values.clone())).collect()
    };
    assert_eq!(stored(0), stored(3));
    assert_eq!(samples[3].values, [Some(1_234), Some(403)]);
    assert_eq!(
        samples[4].extra,
        Some(json!({"unknown": {"9": {"stored": 75}}, "out_of_range": {"pump_current": 99.0}})),
        "the scale of a channel that the profile does not have is not known"
    );
    assert_eq!(samples[6].values, [Some(3_000)]);
}

#[tokio::test]
async fn a_batch_of_uptime_is_placed_and_a_damaged_one_quarantined() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let whole = batch(TimeBase::Uptime, 0, 10_000, &[(1, [Some(1_000), None, Some(2_000)])]);
    let mut damaged = whole.clone();
    damaged.truncate(whole.len() - 1);
    device.send(&publish("d/washer/t", 1, &damaged)).await;
    device.send(&publish("d/washer/e", 2, &whole)).await;
    device.send(&publish("d/washer/t", 3, &whole)).await;
    for packet_id in 1..=3 {
        device.expect_ack(packet_id).await;
    }
    let reasons: Vec<_> = door
        .store
        .with(|s| s.quarantined.iter().map(|q| q.reason.clone()).collect());
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].starts_with("column at byte "), "{}", reasons[0]);
    assert!(reasons[1].contains("does not belong on this topic"), "{}", reasons[1]);
    let now = door.now_ms();
    let times: Vec<_> = door
        .store
        .samples()
        .iter()
        .map(|(_, s)| s.at.as_millisecond() - now)
        .collect();
    assert_eq!(times, [-2_000, -1_000, 0], "the newest as just measured");
}
