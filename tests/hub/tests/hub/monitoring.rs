//! What monitoring reads of the running program, and what the dashboards and alerts ask for.

use std::collections::BTreeSet;
use tests_hub::hub::{Lab, project};
use tests_hub::site::{TestSite, daytime_zone};

/// Names of metrics in a text: letters and underscores behind one of the two prefixes.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c))
        .filter(|name| name.starts_with("forecall_") || name.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

async fn get(lab: &Lab, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", lab.http)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboards_and_alerts_ask_only_for_what_the_hub_tells() {
    let lab = Lab::new().unwrap();
    let site = TestSite {
        trunk: None,
        password: None,
        devices: vec![("wm-1".into(), "washing-machine".into(), None)],
        consent: true,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let (status, text) = get(&lab, "/metrics").await;
    assert_eq!(status, 200);
    let told: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let mut asked = 0;
    for file in ["dashboards/grafana/forecall.json", "dashboards/alerts/forecall.yml"] {
        for name in names(&std::fs::read_to_string(project().join(file)).unwrap()) {
            let whole = name.strip_suffix("_bucket").unwrap_or(&name);
            assert!(told.contains(whole), "{file} asks for {name}; the hub tells {told:?}");
            asked += 1;
        }
    }
    assert!(asked > 20, "the search finds the names: {asked}");
    // The page that explains them names them all, without the prefix.
    let page = std::fs::read_to_string(project().join("docs/operations/monitoring.md")).unwrap();
    for name in &told {
        let short = name.strip_prefix("forecall_").unwrap_or(name);
        let explained = page.contains(&format!("`{short}`")) || short.starts_with("mqtt_router_");
        assert!(explained, "{name} is not in docs/operations/monitoring.md");
    }
    assert_eq!(get(&lab, "/readyz").await, (200, r#"{"ready":true}"#.to_owned()));
    let doctor = lab.run(&["doctor"]).await.unwrap();
    for line in [
        "ok    hub: the running hub is ready",
        "ok    database clock: ",
        "ok    database durability: fsync = on",
    ] {
        assert!(doctor.contains(line), "{line} is not in\n{doctor}");
    }
    hub.stop().await.unwrap();
}
