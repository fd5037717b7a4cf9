//! The device agent in Rust.

use jiff::SignedDuration;
use serde_json::json;
use std::time::Duration;
use tests_firmware::board::{Board, Image, Plan, Running, Wire, stack_bytes};
use tests_firmware::link::Link;
use tests_firmware::stage::{PATIENCE, Pump, Stage};
use tests_hub::clients::mosquitto_sub;
use tests_hub::eventually;
use tests_hub::fleet::recent;
use tests_hub::soak::{Stored, audit};
use tokio::time::{sleep, timeout};

/// Readings of a second.
const STEP_MS: u64 = 1_000;
/// What the image may take of the stack, with smoltcp, its driver, the state of both and of the agent, which lie there.
const STACK_MAX: u64 = 48 * 1_024;
/// QEMU's start and the device's first connection, on a loaded machine.
const START_MAX: SignedDuration = SignedDuration::from_secs(40);
/// The message kinds `[3, …]`, an event, and `[4, …]`, a batch.
const EVENT: [u8; 2] = [0x88, 3];
const BATCH: [u8; 2] = [0x88, 4];

fn start(stage: &Stage, board: Board, plan: &Plan<'_>) -> Running {
    Running::start(stage.lab.path(), board, Image::Agent, Wire::Ethernet, plan).unwrap()
}

/// How long after the first one a reading was taken: `past` of them a second apart, the others `period_ms`.
fn taken_ms(past: u64, period_ms: u64) -> impl Fn(u64) -> i64 {
    move |number| {
        let ms = number.min(past) * STEP_MS + number.saturating_sub(past) * period_ms;
        i64::try_from(ms).unwrap()
    }
}

/// An hour of readings, without a network and without a clock; during it the pump wears out. Afterwards all of them stand where they
/// belong, and the hub opens the pump's ticket.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_alone_is_stored_where_it_belongs_and_a_worn_pump_gets_its_ticket() {
    const COUNT: u64 = 3_600;
    let mut stage = Stage::open(&["alone"]).await.unwrap();
    let pump = Pump {
        device: "alone",
        unit: 1,
        worn_from: 3_000,
    };
    let begun = recent();
    let plan = Plan {
        device: pump.device,
        port: stage.lab.mqtt.port(),
        boot: pump.unit,
        more: &[("past", COUNT), ("count", COUNT), ("worn_from", pump.worn_from)],
    };
    let mut board = start(&stage, Board::M3, &plan);
    stage.until_stored(pump.device, COUNT).await;
    board.is_alive().unwrap();
    let first = stage
        .readings_are(&pump, COUNT, taken_ms(COUNT, STEP_MS))
        .await
        .unwrap();
    // The hour ended when the board started.
    let ended = first + SignedDuration::from_millis(i64::try_from(COUNT * STEP_MS).unwrap());
    let late = ended.duration_since(begun);
    assert!(late > SignedDuration::from_secs(-2) && late < START_MAX, "{late}");
    whole(&stage, pump.device, COUNT).await;

    let tickets = eventually("a ticket", PATIENCE, async || {
        let tickets = stage.all("tickets").await.unwrap();
        (!tickets.is_empty()).then_some(tickets)
    })
    .await;
    assert_eq!(tickets.len(), 1, "one fault, one ticket: {tickets:?}");
    assert_eq!(tickets[0]["ticket"]["fault_class"], "flow_loss", "{tickets:?}");
    stage.stop().await.unwrap();
}

/// More hours without a network than the outbox holds: the oldest readings give way, the hub is told how many messages of them, and
/// what is left is whole.
#[tokio::test(flavor = "multi_thread")]
async fn what_gave_way_is_counted_and_the_rest_is_whole() {
    const BATCH: u64 = 32;
    const COUNT: u64 = 400 * BATCH;
    let mut stage = Stage::open(&["long-alone"]).await.unwrap();
    let pump = Pump {
        device: "long-alone",
        unit: 50,
        worn_from: u64::MAX,
    };
    let plan = Plan {
        device: pump.device,
        port: stage.lab.mqtt.port(),
        boot: pump.unit,
        more: &[("past", COUNT), ("count", COUNT), ("batch", BATCH)],
    };
    let mut board = start(&stage, Board::M4, &plan);
    let dropped = eventually("drops are told", PATIENCE, async || {
        let told = stage.device_agent(pump.device).await.ok()?;
        told["dropped_telemetry"].as_u64().filter(|dropped| *dropped > 0)
    })
    .await;
    let left = COUNT - dropped * BATCH;
    assert!(left > 3_600, "an hour fits: {left} readings are left");
    stage.until_stored(pump.device, left).await;
    let taken = taken_ms(COUNT, STEP_MS);
    stage.readings_from(&pump, COUNT - left, COUNT, taken).await.unwrap();
    let shown = stage.appliance(pump.device).await.unwrap();
    assert_eq!(shown["samples"], left, "{shown}");
    board.is_alive().unwrap();
    stage.stop().await.unwrap();
    let stored = audit(&stage.lab).await.unwrap();
    let expected = Stored {
        rows: left,
        distinct: left,
    };
    assert_eq!(stored, expected, "stored, and stored twice");
}

/// Answers are lost, the link is cut, hub and database are killed, and all the time the device goes on measuring.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_lost_answers_and_a_killed_hub() {
    const COUNT: u64 = 700;
    const PERIOD_MS: u64 = 20;
    let mut stage = Stage::open(&["stream"]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    let pump = Pump {
        device: "stream",
        unit: 5,
        worn_from: u64::MAX,
    };
    let plan = Plan {
        device: pump.device,
        port: link.port,
        boot: pump.unit,
        more: &[
            ("count", COUNT),
            ("period_ms", PERIOD_MS),
            ("batch", 8),
            ("backoff_cap_ms", 1_000),
        ],
    };
    let board = start(&stage, Board::M4, &plan);
    stage.until_stored(pump.device, 40).await;
    link.lose_answers();
    // Some batches, each of 160 ms, arrive that the device does not know of.
    sleep(Duration::from_secs(1)).await;
    link.cut();
    sleep(Duration::from_millis(500)).await;
    link.mend();
    // What arrived already comes again, and is told from what is new.
    eventually("repeats", PATIENCE, async || {
        let appliance = stage.appliance(pump.device).await.unwrap();
        (appliance["repeated"].as_u64()? > 0).then_some(())
    })
    .await;
    let so_far = stage.appliance(pump.device).await.unwrap()["samples"].as_u64().unwrap();
    assert!(so_far < COUNT, "the stream has ended before the hub could be killed");
    stage.kill().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    stage.restart().await.unwrap();
    stage.until_stored(pump.device, COUNT).await;

    stage.readings_are(&pump, COUNT, taken_ms(0, PERIOD_MS)).await.unwrap();
    whole(&stage, pump.device, COUNT).await;
    let published = link.published();
    assert!(
        published.iter().any(|message| message.is_again),
        "nothing was sent again"
    );
    let new = published.iter().filter(|message| !message.is_again);
    let order: Vec<u64> = new.filter_map(|message| first_number(&message.payload)).collect();
    assert!(order.len() > 10 && order.is_sorted(), "out of order: {order:?}");
    assert!(link.connections() >= 3, "{}", link.connections());

    // All has arrived: the device says goodbye, and ends well.
    let reply = stage.command(pump.device, "1", "stop").await.unwrap();
    assert_eq!(reply, json!({ "status": "done", "result": COUNT }));
    let said = board.ended(PATIENCE).await.unwrap();
    assert!(said.contains("stopped"), "{said}");
    let stack = stack_bytes("rust", &said).unwrap();
    assert!(stack > 0 && stack <= STACK_MAX, "{stack} bytes of stack");
    println!("stack of the Rust image, with smoltcp and its driver: {stack} bytes");
    stage.until_online_is(pump.device, false).await;
    stage.stop().await.unwrap();
    let stored = audit(&stage.lab).await.unwrap();
    let expected = Stored {
        rows: COUNT,
        distinct: COUNT,
    };
    assert_eq!(stored, expected, "stored, and stored twice");
}

/// An event overtakes what was measured before it, commands are answered, and a device whose power fails is shown as away.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_first_commands_are_answered_and_the_will_is_published() {
    let mut stage = Stage::open(&["event"]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    let token = integrator(&stage).await;
    let plan = Plan {
        device: "event",
        port: link.port,
        boot: 9,
        more: &[("past", 200), ("count", 200), ("batch", 10), ("event_at", 150)],
    };
    let board = start(&stage, Board::M3, &plan);
    // The event is a sample, too.
    stage.until_stored("event", 201).await;
    let published = link.published();
    let first = |topic: &str, kind: [u8; 2]| {
        let is_it = |at: &usize| published[*at].topic == topic && published[*at].payload.starts_with(&kind);
        (0..published.len()).find(is_it).unwrap()
    };
    let (event, batch) = (first("d/event/e", EVENT), first("d/event/t", BATCH));
    assert!(event < batch, "the event went after telemetry: {published:?}");
    stage.until_online_is("event", true).await;

    let reply = stage.command("event", "1", "status").await.unwrap();
    assert_eq!(reply, json!({ "status": "done", "result": 200 }));
    let reply = stage.command("event", "2", "open_door").await.unwrap();
    assert_eq!(reply, json!({ "status": "refused", "reason": "not allowed" }));

    let port = stage.lab.mqtt.port().to_string();
    let arguments = [
        ["-h", "127.0.0.1"],
        ["-p", port.as_str()],
        ["-u", token.as_str()],
        ["-t", "d/event/s"],
        ["-q", "1"],
        ["-F", "%x"],
    ];
    let (_reader, mut states) = mosquitto_sub(&arguments.concat()).unwrap();
    let next = timeout(PATIENCE, states.next_line()).await.unwrap().unwrap().unwrap();
    assert!(next.to_lowercase().starts_with("8a05"), "not a birth message: {next}");
    board.cut_power().await.unwrap();
    let next = timeout(PATIENCE, states.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(next, "8106", "not the will");
    stage.until_online_is("event", false).await;
    stage.stop().await.unwrap();
}

/// A board that crashes starts again by itself, and says first where it crashed.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_the_first_thing_that_is_told() {
    let mut stage = Stage::open(&["crash"]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    let plan = Plan {
        device: "crash",
        port: link.port,
        boot: 20,
        more: &[("period_ms", 50), ("batch", 4), ("backoff_cap_ms", 1_000)],
    };
    let mut board = start(&stage, Board::M4, &plan);
    stage.until_stored("crash", 20).await;
    let before = link.connections();
    let reply = stage.command("crash", "1", "fault").await.unwrap();
    assert_eq!(reply["status"], "done", "{reply}");
    let told = eventually("the board is back", PATIENCE, async || {
        let mut all = link.published().into_iter();
        // What is retained is the birth message, and the pair of clocks is none of the lanes.
        all.find(|message| {
            message.connection >= before && (message.topic.ends_with("/e") || has_batch(&message.payload))
        })
    })
    .await;
    assert!(
        told.topic.ends_with("/e") && told.payload.starts_with(&EVENT),
        "{told:?}"
    );
    let text = String::from_utf8_lossy(&told.payload).into_owned();
    assert!(text.contains("hard_fault") && text.contains("pc=0x0"), "{text}");
    board.is_alive().unwrap();
    stage.stop().await.unwrap();
}

/// All samples are there, none is missing between them, and nothing was dropped; these figures are up to a second old.
async fn whole(stage: &Stage, device: &str, samples: u64) {
    let what = format!("{samples} samples of {device}, without gaps or drops");
    eventually(&what, PATIENCE, async || {
        let appliance = stage.appliance(device).await.unwrap();
        let counts = ["samples", "gaps", "dropped"].map(|name| appliance[name].as_u64());
        (counts == [Some(samples), Some(0), Some(0)]).then_some(())
    })
    .await;
}

fn has_batch(payload: &[u8]) -> bool {
    payload.starts_with(&BATCH)
}

/// The number of a batch's first sample, behind its time base and its boot.
fn first_number(payload: &[u8]) -> Option<u64> {
    let rest = payload.strip_prefix(&BATCH)?;
    let (_, rest) = number(rest)?;
    let (_, rest) = number(rest)?;
    Some(number(rest)?.0)
}

/// An unsigned integer of CBOR, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let len = match head {
        0..=23 => return Some((u64::from(*head), rest)),
        24..=27 => 1 << (head - 24),
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(len)?;
    let value = digits.iter().fold(0, |value, digit| value << 8 | u64::from(*digit));
    Some((value, rest))
}

/// A token that may read what devices say of their state.
async fn integrator(stage: &Stage) -> String {
    let arguments = [
        "integrator",
        "add",
        "--tenant",
        "acme",
        "--name",
        "reader",
        "--filter",
        "d/+/s",
    ];
    let said = stage.lab.run(&arguments).await.unwrap();
    let token = said.split_whitespace().find(|word| word.starts_with("int_"));
    token.unwrap().to_owned()
}
