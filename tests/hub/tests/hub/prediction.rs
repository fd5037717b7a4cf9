//! Same stream, same alarms: across restarts, and between `forecall score` and the hub.

use serde_json::Value;
use tests_hub::console::Console;
use tests_hub::fleet::{past, recent, send, write_csv};
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::watch::{all_is_scored, figure};
use tests_world::FaultKind;

const DAYS: i64 = 55;

async fn finding(console: &Console, device: &str) -> Option<Value> {
    let appliances = console.all("/api/v1/appliances").await.unwrap();
    let id = appliances.iter().find(|a| a["device"] == device)?["id"].clone();
    console
        .all("/api/v1/findings")
        .await
        .unwrap()
        .into_iter()
        .find(|f| f["appliance"] == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_mid_stream_and_the_score_command_give_the_same_alarms() {
    let lab = Lab::new().unwrap();
    let devices = ["through", "restarted"]
        .map(|d| (d.to_owned(), "washing-machine".to_owned(), None))
        .to_vec();
    let site = TestSite {
        trunk: None,
        password: None,
        devices,
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let samples = past(11, DAYS, Some(FaultKind::DrainPumpWear), recent());

    send(&lab, "through", 1, samples.clone()).await.unwrap();
    // Cut inside the calibration, in the sound time, and during the wear.
    let cuts = [samples.len() / 5, samples.len() / 2, samples.len() * 4 / 5];
    let mut from = 0;
    let mut hub = hub;
    for (boot, to) in cuts.into_iter().chain([samples.len()]).enumerate() {
        send(&lab, "restarted", boot as u64, samples[from..to].to_vec())
            .await
            .unwrap();
        from = to;
        if to < samples.len() {
            hub.kill().await.unwrap();
            lab.kill_database();
            hub = lab.serve().await.unwrap();
        }
    }
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    // Neither changes any more.
    all_is_scored(&lab).await;
    // The last hub has scored at least what came after the last cut, and tells how soon.
    let timed = figure(&lab, "scoring_seconds_count").await;
    assert!(timed >= (samples.len() - cuts[2]) as f64, "{timed}");
    let through = finding(&console, "through").await.unwrap();
    let restarted = finding(&console, "restarted").await.unwrap();
    for field in ["fault_class", "alarm_at", "state", "evidence"] {
        assert_eq!(through[field], restarted[field], "{field}");
    }
    for field in ["probability", "score"] {
        let of = |finding: &Value| finding["prediction"][field].as_f64().unwrap();
        assert!((of(&through) - of(&restarted)).abs() < 1e-5, "{field}");
    }
    assert_eq!(through["fault_class"], "drain_pump_wear");

    let (input, output) = (lab.path().join("in.csv"), lab.path().join("out.csv"));
    write_csv(&input, &samples).unwrap();
    let models = tests_hub::hub::project().join("models");
    let args = [
        "score",
        "--family",
        "washing-machine",
        "--models",
        models.to_str().unwrap(),
        "--input",
        input.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ];
    lab.run(&args).await.unwrap();
    let scored = std::fs::read_to_string(&output).unwrap();
    let mut before = false;
    let mut rises: Vec<jiff::Timestamp> = Vec::new();
    for row in scored.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()) {
        let alarm = row[2] == "1";
        if alarm && !before {
            rises.push(row[0].parse().unwrap());
        }
        before = alarm;
    }
    let findings = console.all("/api/v1/findings").await.unwrap();
    let of_this = findings.iter().filter(|f| f["appliance"] == through["appliance"]);
    let mut raised: Vec<jiff::Timestamp> = of_this
        .map(|f| f["alarm_at"].as_str().unwrap().parse().unwrap())
        .collect();
    raised.sort();
    assert_eq!(rises, raised, "every alarm of `forecall score` and of the hub");
    assert_eq!(before, through["state"] == "open", "and whether it stands at the end");
    hub.stop().await.unwrap();
}
