//! The same stream gives the same tickets, whichever database the hub works on: its own cluster, a given PostgreSQL, a
//! given TimescaleDB.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::database::Database;
use tests_hub::eventually;
use tests_hub::fleet::write_csv;
use tests_hub::hub::{Lab, project, recorded_data};
use tests_hub::site::{SECRET, TestSite, daytime_zone};
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine};

/// Scoring goes on after the last acknowledgement.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of the synthetic stream: sound, then wearing until it fails, then repaired. Its own baseline takes about 20 days.
const DAYS: [i64; 3] = [25, 20, 15];
/// Nothing is said of a stream after its last alarm has ended: then all is there to be compared.
const ENDED: &str = "the alarm has ended when the stream ends";

/// What one appliance sends.
struct Stream {
    device: &'static str,
    profile: &'static str,
    input: PathBuf,
    rows: usize,
    span: SignedDuration,
    /// How often an alarm rises in it.
    alarms: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_stream_gives_the_same_tickets_on_every_database() {
    let lab = Lab::new().unwrap();
    let streams = streams(&lab).await;
    if streams.len() < 2 {
        println!("left out: the recorded data are not there (../shared/data/skab beside the project)");
    }
    let mut seen = vec![("its own cluster", tickets(None, &streams).await)];
    let given_postgres = Database::with_least_rights().await.unwrap();
    let mut given = vec![("a given PostgreSQL", given_postgres, Some("partitions"))];
    match Database::timescale().await.unwrap() {
        Some(timescale) => given.push(("TimescaleDB in WebAssembly", timescale, Some("hypertable"))),
        None => println!("left out: no TimescaleDB in target/clients/timescale; `cargo xtask setup test` adds it"),
    }
    // Whichever it has.
    given.extend(
        Database::named()
            .await
            .unwrap()
            .map(|named| ("TEST_DATABASE_URL", named, None)),
    );
    for (name, database, expected) in given {
        seen.push((name, tickets(Some(&database.url), &streams).await));
        let layout = database.layout().await.unwrap();
        assert!(expected.is_none_or(|expected| expected == layout), "{layout} on {name}");
        database.stop().await.unwrap();
    }
    let (_, own) = &seen[0];
    let classes: Vec<&Value> = own.iter().map(|ticket| &ticket["fault_class"]).collect();
    assert_eq!(classes, ["drain_pump_wear", "flow_loss"][..streams.len()]);
    let expected = hash(own);
    for (name, tickets) in &seen {
        println!("{} {} tickets on {name}", hash(tickets), tickets.len());
        assert_eq!(tickets, own, "on {name}");
        assert_eq!(hash(tickets), expected, "on {name}");
    }
}

async fn streams(lab: &Lab) -> Vec<Stream> {
    let synthetic = lab.path().join("synthetic.csv");
    write_synthetic(&synthetic);
    let mut all = vec![stream(lab, "synthetic", "washing-machine", synthetic).await];
    if let Some(data) = recorded_data() {
        let worn = data.join("skab/valve1/12.csv");
        all.push(stream(lab, "recorded", "pump-rig", worn).await);
    }
    all
}

/// A machine whose pump wears out and is changed.
fn write_synthetic(to: &Path) {
    let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let [sound, wearing, repaired] = DAYS;
    let onset = start + SignedDuration::from_hours(24 * sound);
    let failure = onset + SignedDuration::from_hours(24 * wearing);
    let mut machine = WashingMachine::new(Unit::draw(11, 0), start).with_fault(FaultPlan {
        kind: FaultKind::DrainPumpWear,
        onset,
        days_to_failure: wearing as f64,
    });
    let mut samples = machine.step_until(failure);
    machine.repair(failure);
    samples.extend(machine.step_until(failure + SignedDuration::from_hours(24 * repaired)));
    write_csv(to, &samples).unwrap();
}

async fn stream(lab: &Lab, device: &'static str, profile: &'static str, input: PathBuf) -> Stream {
    let output = lab.path().join("scored.csv");
    let models = models();
    let mut args = vec!["score", "--family", profile, "--models", &models];
    args.extend(["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()]);
    lab.run(&args).await.unwrap();
    let scored = std::fs::read_to_string(&output).unwrap();
    let rows: Vec<(SignedDuration, bool)> = scored.lines().skip(1).map(scored_row).collect();
    let alarms = rows.windows(2).filter(|pair| !pair[0].1 && pair[1].1).count();
    let (last, alarm) = rows[rows.len() - 1];
    assert!(alarms > 0 && !alarm, "{device}: {ENDED}");
    Stream {
        device,
        profile,
        input,
        rows: rows.len(),
        span: last - rows[0].0,
        alarms,
    }
}

/// When a row is, and whether the alarm stands. Recorded times have no zone.
fn scored_row(line: &str) -> (SignedDuration, bool) {
    let cells: Vec<&str> = line.split(',').collect();
    let at: jiff::civil::DateTime = cells[0].trim_end_matches('Z').parse().unwrap();
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    (at.duration_since(Timestamp::UNIX_EPOCH), cells[2] == "1")
}

fn models() -> String {
    project().join("models").to_string_lossy().into_owned()
}

/// What a hub on this database makes of the streams.
async fn tickets(database: Option<&str>, streams: &[Stream]) -> Vec<Value> {
    let mut lab = Lab::new().unwrap();
    if let Some(url) = database {
        lab.set("DATABASE_URL", url);
    }
    let device = |stream: &Stream| (stream.device.to_owned(), stream.profile.to_owned(), None);
    // There is a trunk, but no owner agreed to be called: the database decides that nobody is rung.
    let trunk = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let site = TestSite {
        trunk: Some(trunk.local_addr().unwrap()),
        password: None,
        devices: streams.iter().map(device).collect(),
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let mut tickets = Vec::new();
    for stream in streams {
        replay(&lab, stream).await;
        let ended = eventually("all of the stream's alarms have ended", PATIENCE, async || {
            ended(&console, stream).await
        });
        tickets.extend(ended.await);
    }
    hub.stop().await.unwrap();
    trunk.set_nonblocking(true).unwrap();
    assert!(trunk.recv(&mut [0; 64]).is_err(), "nobody is rung");
    tickets
}

async fn replay(lab: &Lab, stream: &Stream) {
    let (models, mqtt) = (models(), lab.mqtt.to_string());
    let mut args = vec!["replay", "--profile", stream.profile, "--tenant", "acme"];
    args.extend(["--device", stream.device, "--secret", SECRET]);
    args.extend(["--input", stream.input.to_str().unwrap()]);
    args.extend(["--mqtt", &mqtt, "--models", &models]);
    lab.run(&args).await.unwrap();
}

/// The stream's tickets, once nothing will be said of it any more: all of it is counted, as many findings as it has
/// alarms were made and cleared, and the owner's consent was asked for.
async fn ended(console: &Console, stream: &Stream) -> Option<Vec<Value>> {
    let appliances = console.all("/api/v1/appliances").await.unwrap();
    let appliance = appliances.iter().find(|a| a["device"] == stream.device)?;
    let findings = console.all("/api/v1/findings").await.unwrap();
    let own: Vec<&Value> = findings.iter().filter(|f| f["appliance"] == appliance["id"]).collect();
    if appliance["samples"] != stream.rows
        || own.len() != stream.alarms
        || own.iter().any(|finding| finding["state"] != "cleared")
    {
        return None;
    }
    let start = time(&appliance["last_sample_at"]) - stream.span;
    let summaries = console.all("/api/v1/tickets").await.unwrap();
    let mut tickets = Vec::new();
    for summary in summaries.iter().filter(|t| t["appliance"]["id"] == appliance["id"]) {
        if summary["ticket"]["contact"]["reason"].is_null() {
            return None;
        }
        let id = summary["ticket"]["id"].as_str().unwrap();
        let view = console.get(&format!("/api/v1/tickets/{id}")).await.unwrap();
        let of_this = own.iter().filter(|f| f["ticket"] == id);
        tickets.push(said(&view, of_this.copied(), start));
    }
    Some(tickets)
}

/// What a ticket says, without what is of the moment and of the database: ids, and when the hub did what.
fn said<'a>(view: &Value, findings: impl Iterator<Item = &'a Value>, start: Timestamp) -> Value {
    let ticket = &view["ticket"];
    // When the worker has looked at it is chance; that it was held is said by the ticket.
    let events = view["timeline"].as_array().unwrap().iter().map(|line| &line["event"]);
    let timeline = events.filter(|event| event["event"] != "held").map(|event| {
        let of = |name: &str| rounded(&event[name]);
        json!([
            event["event"],
            event["fault_class"],
            of("probability"),
            event["severity"]
        ])
    });
    json!({
        "number": ticket["number"],
        "fault_class": ticket["fault_class"],
        "severity": ticket["severity"],
        "status": ticket["status"],
        "phase": ticket["contact"]["phase"],
        "reason": ticket["contact"]["reason"],
        "assignee": ticket["assignee"],
        "appointment": ticket["appointment"],
        "outcome": ticket["outcome"],
        "device": view["appliance"]["device"],
        "samples": view["appliance"]["samples"],
        "owner": view["owner"]["name_in_tenant"],
        "attempts": view["attempts"],
        "timeline": timeline.collect::<Vec<_>>(),
        "findings": findings.map(|finding| found(finding, start)).collect::<Vec<_>>(),
    })
}

fn found(finding: &Value, start: Timestamp) -> Value {
    let (prediction, evidence) = (&finding["prediction"], &finding["evidence"]);
    let each = |list: &Value, of: &dyn Fn(&Value) -> Value| list.as_array().unwrap().iter().map(of).collect::<Vec<_>>();
    let point = |point: &Value| {
        json!([
            since(&point["at"], start),
            rounded(&point["score"]),
            each(&point["values"], &rounded)
        ])
    };
    json!({
        "fault_class": finding["fault_class"],
        "state": finding["state"],
        "count": finding["count"],
        "alarm_at": since(&finding["alarm_at"], start),
        "prediction": {
            "fault_class": prediction["fault_class"],
            "probability": rounded(&prediction["probability"]),
            "severity": prediction["severity"],
            "score": rounded(&prediction["score"]),
            "model": prediction["model"],
            "at": since(&prediction["at"], start),
            "since": since(&prediction["since"], start),
            "top": each(&prediction["top"], &contribution),
        },
        "evidence": {
            "channels": each(&evidence["channels"], &contribution),
            "points": each(&evidence["points"], &point),
            "anomalous_since": since(&evidence["anomalous_since"], start),
        },
    })
}

fn contribution(of: &Value) -> Value {
    json!({
        "channel": of["channel"],
        "unit": of["unit"],
        "share": rounded(&of["share"]),
        "value": rounded(&of["value"]),
        "baseline_mean": rounded(&of["baseline_mean"]),
        "baseline_deviation": rounded(&of["baseline_deviation"]),
    })
}

/// In units of 1e-5: the network's last bits are no matter of the database.
fn rounded(value: &Value) -> Value {
    value
        .as_f64()
        .map_or(Value::Null, |value| json!((value * 1e5).round() as i64))
}

/// Milliseconds from the stream's start: a replay moves it to end when it is sent.
fn since(value: &Value, start: Timestamp) -> i64 {
    i64::try_from(time(value).duration_since(start).as_millis()).unwrap()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// SHA-256 of the tickets as JSON: members by name, without white space.
fn hash(tickets: &[Value]) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(tickets).unwrap()))
}
