//! Recorded data of a real pump rig through the whole hub: the same alarms as `forecall score` on the same file.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::hub::{Lab, project, recorded_data};
use tests_hub::site::{SECRET, TestSite, daytime_zone};

/// Rows of the fault-free recording that no model was trained on.
const SOUND_ROWS: std::ops::Range<usize> = 4_000..4_400;
/// Scoring goes on after the last acknowledgement.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_alarms_at_the_same_second_in_the_hub_and_in_a_file() {
    let Some(data) = recorded_data() else {
        println!("skipped: the recorded data are not there (../shared/data/skab beside the project)");
        return;
    };
    let lab = Lab::new().unwrap();
    let worn = data.join("skab/valve1/6.csv");
    let sound = sound_piece(&data, lab.path());
    let devices = ["worn", "sound"].map(|d| (d.to_owned(), "pump-rig".to_owned(), None));
    let site = TestSite {
        trunk: None,
        password: None,
        devices: devices.to_vec(),
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    // The sound one first: once the other's finding is there, all of the sound one has been scored too.
    for (device, input) in [("sound", &sound), ("worn", &worn)] {
        replay(&lab, device, input).await;
    }
    let finding = eventually("the worn rig's finding", PATIENCE, async || {
        finding(&console, "worn").await
    })
    .await;
    // What is shown of an appliance is counted from the rows once a second.
    let rows = std::fs::read_to_string(&worn).unwrap().lines().count() - 1;
    let last_sample = eventually("all of the worn rig is counted", PATIENCE, async || {
        let worn = appliance(&console, "worn").await;
        (worn["samples"] == rows).then(|| time(&worn["last_sample_at"]))
    })
    .await;
    let before_end = last_sample.duration_since(time(&finding["alarm_at"])).as_secs();

    let (first_alarm, end) = score(&lab, &worn).await;
    let (first_alarm, end) = (first_alarm.expect("an alarm in the file"), end);
    let expected = civil(&end).duration_since(civil(&first_alarm)).as_secs();
    println!("first alarm {first_alarm}, {expected} s before the end; in the hub {before_end} s");
    assert_eq!(before_end, expected, "the same first alarm");

    assert_eq!(score(&lab, &sound).await.0, None, "no alarm row on sound data");
    assert_eq!(self::finding(&console, "sound").await, None);
    hub.stop().await.unwrap();
}

fn sound_piece(data: &Path, dir: &Path) -> PathBuf {
    let text = std::fs::read_to_string(data.join("skab/anomaly-free/anomaly-free-first5600.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let piece = dir.join("sound.csv");
    let rows = lines[1..][SOUND_ROWS].join("\n");
    std::fs::write(&piece, format!("{}\n{rows}\n", lines[0])).unwrap();
    piece
}

fn models() -> String {
    project().join("models").to_string_lossy().into_owned()
}

async fn replay(lab: &Lab, device: &str, input: &Path) {
    let (models, mqtt) = (models(), lab.mqtt.to_string());
    let args = [
        ["replay", "--profile", "pump-rig"].as_slice(),
        &["--tenant", "acme", "--device", device, "--secret", SECRET],
        &["--input", input.to_str().unwrap(), "--mqtt", &mqtt, "--models", &models],
    ];
    lab.run(&args.concat()).await.unwrap();
}

/// Recorded times of the first row with an alarm and of the last row.
async fn score(lab: &Lab, input: &Path) -> (Option<String>, String) {
    let output = lab.path().join("scored.csv");
    let models = models();
    let args = [
        ["score", "--family", "pump-rig"].as_slice(),
        &["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()],
        &["--models", &models],
    ];
    lab.run(&args.concat()).await.unwrap();
    let scored = std::fs::read_to_string(&output).unwrap();
    let rows: Vec<Vec<&str>> = scored.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let recorded = std::fs::read_to_string(input).unwrap().lines().count() - 1;
    assert_eq!(rows.len(), recorded, "a row for each row");
    // A step ends with the row before the one that begins the next step, and it is by that one that a file tells it.
    let told = rows.iter().position(|row| row[2] == "1");
    let first = told.map(|row| rows[row - 1][0].to_owned());
    (first, rows[rows.len() - 1][0].to_owned())
}

async fn appliance(console: &Console, device: &str) -> Value {
    let appliances = console.all("/api/v1/appliances").await.unwrap();
    appliances.into_iter().find(|a| a["device"] == device).unwrap()
}

async fn finding(console: &Console, device: &str) -> Option<Value> {
    let id = appliance(console, device).await["id"].clone();
    let findings = console.all("/api/v1/findings").await.unwrap();
    findings.into_iter().find(|f| f["appliance"] == id)
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Recorded times have no zone.
fn civil(text: &str) -> jiff::civil::DateTime {
    text.parse().unwrap()
}
