//! Closed tickets as a table for training.

use crate::support::{after, alarm, appliance, morning, played, seen};
use hub_core::actor::Actor;
use hub_core::id::TicketId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::{TicketEvent, TicketKind};
use hub_moving::labels;
use hub_store::prediction::PredictionStore;
use hub_store::ticket::TicketStore;
use hub_store_postgres::PostgresStore;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::BTreeMap;
use std::path::Path;

/// A row, by the names of its columns.
type Label = BTreeMap<String, String>;

fn read(file: &Path) -> Vec<Label> {
    let reader = SerializedFileReader::new(std::fs::File::open(file).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let label = |row: parquet::record::Row| {
        let fields = row.get_column_iter();
        fields.map(|(name, field)| (name.clone(), field.to_string())).collect()
    };
    rows.map(label).collect()
}

fn outcome(resolution: Resolution, verdict: Verdict, part: Option<&str>) -> Outcome {
    Outcome {
        resolution,
        verdict,
        note: "what the owner said".to_owned(),
        part: part.map(str::to_owned),
    }
}

async fn does(store: &PostgresStore, ticket: TicketId, event: TicketEvent) {
    let hub = Actor::hub("lena");
    store.apply_ticket(&hub, ticket, &event, after(30)).await.unwrap();
}

async fn close(store: &PostgresStore, ticket: TicketId, outcome: Outcome) {
    does(store, ticket, TicketEvent::Closed { outcome }).await;
}

async fn alarmed(store: &PostgresStore, tenant: &str, device: &str, class: &str) -> TicketId {
    let id = appliance(store, tenant, device).await;
    let commit = seen(vec![alarm(id, class, 0.95)]);
    store.commit_scoring(&commit, after(1)).await.unwrap()[0]
        .opened
        .unwrap()
}

#[tokio::test]
async fn closed_tickets_are_a_table_with_model_verdict_and_part() {
    let (_base, store) = played().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels.parquet");
    assert_eq!(labels(&store, None, &file).await.unwrap(), 0);
    assert_eq!(read(&file), Vec::new());

    let repaired = alarmed(&store, "acme", "wm-1", "drain_pump_wear").await;
    let fixed = outcome(Resolution::ConfirmedFixed, Verdict::Right, Some("排水泵 4055"));
    close(&store, repaired, fixed).await;
    // It was closed in a hurry, and corrected.
    let mistaken = alarmed(&store, "acme", "wm-2", "drum_bearing").await;
    let fixed = outcome(Resolution::ConfirmedFixed, Verdict::Right, None);
    close(&store, mistaken, fixed).await;
    let event = TicketEvent::Corrected {
        outcome: outcome(Resolution::NoFaultFound, Verdict::Wrong, None),
        reason: "nobody was there".to_owned(),
    };
    does(&store, mistaken, event).await;
    let other = alarmed(&store, "beta", "wm-1", "drain_pump_wear").await;
    close(&store, other, outcome(Resolution::FalseAlarm, Verdict::Wrong, None)).await;
    // Open: nobody knows yet.
    alarmed(&store, "acme", "wm-3", "drain_pump_wear").await;
    // What no model saw, with a part and without one.
    for (device, part) in [("wm-3", Some("door seal")), ("wm-4", None)] {
        let id = appliance(&store, "acme", device).await;
        let hub = Actor::hub("lena");
        let opened = store
            .open_ticket(&hub, id, TicketKind::Repair, "it leaks", after(2))
            .await;
        let fixed = outcome(Resolution::ConfirmedFixed, Verdict::NotChecked, part);
        close(&store, opened.unwrap().id, fixed).await;
    }

    assert_eq!(labels(&store, None, &file).await.unwrap(), 4);
    let all = read(&file);
    assert_eq!(all.len(), 4);
    assert_eq!(labels(&store, Some("beta"), &file).await.unwrap(), 1);
    assert_eq!(read(&file), all[3..]);

    let first = |name: &str| all[0][name].as_str();
    let quoted = |text: &str| format!("\"{text}\"");
    let (hash, ticket) = ("5f".repeat(32), repaired.to_string());
    for (name, value) in [
        ("tenant", "acme"),
        ("device", "wm-1"),
        ("profile", "washing-machine"),
        ("family", "washing-machine"),
        ("hash", hash.as_str()),
        ("fault_class", "drain_pump_wear"),
        ("resolution", "confirmed_fixed"),
        ("verdict", "right"),
        ("part", "排水泵 4055"),
        ("ticket", ticket.as_str()),
    ] {
        assert_eq!(first(name), quoted(value), "{name}");
    }
    assert_eq!([first("version"), first("corrected")], ["1", "false"]);
    // Event time of the alarm and of what was frozen with it, and the time at which a person closed it.
    let reading = first("alarm_at");
    for name in ["window_from", "window_to", "anomalous_since"] {
        assert_eq!(first(name), reading, "{name} beside {}", morning());
    }
    assert_ne!(first("closed_at"), reading);

    let corrected = |label: &Label| (label["verdict"].clone(), label["corrected"].clone());
    assert_eq!(corrected(&all[1]), (quoted("wrong"), "true".to_owned()));
    assert_eq!(corrected(&all[3]), (quoted("wrong"), "false".to_owned()));
    let missed = |name: &str| all[2][name].as_str();
    assert_eq!(
        [missed("device"), missed("part")],
        [quoted("wm-3"), quoted("door seal")]
    );
    for name in ["family", "version", "hash", "fault_class", "alarm_at", "window_from"] {
        assert_eq!(missed(name), "null", "{name}");
    }
}
