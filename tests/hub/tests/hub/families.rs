//! A family that its maker adds while the hub runs: its readings are stored, and its page says what it and its channels are
//! called.

use std::path::Path;
use std::time::Duration;
use tests_hub::console::{Console, page};
use tests_hub::eventually;
use tests_hub::fleet::log_in;
use tests_hub::hub::{Lab, project};
use tests_hub::site::{TestSite, daytime_zone};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const FRIDGE: &str = r#"
name = "fridge"
version = 1

[[channels]]
id = 1
name = "inside_c"
unit = "Cel"
decimals = 1
min = -40.0
max = 60.0

[[channels]]
id = 2
name = "compressor_a"
unit = "A"
decimals = 2
min = 0.0
max = 20.0

[words]
name = { zh-CN = "冰箱", en = "Refrigerator" }
spoken = { zh-CN = "冰箱", en = "refrigerator" }

[words.channels]
inside_c = { zh-CN = "冷藏室温度", en = "inside temperature" }
compressor_a = { zh-CN = "压缩机电流", en = "compressor current" }
"#;

/// A copy of the project's models that a test may add to; of the pump rig's the version that a network judges.
pub(super) fn copy_models(to: &Path) {
    for (family, from) in [
        ("profiles", "profiles"),
        ("pump-rig", "evaluation/pump-rig-1"),
        ("washing-machine", "washing-machine"),
    ] {
        let (from, to) = (project().join("models").join(from), to.join(family));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

async fn ready(lab: &Lab) -> String {
    let answer = reqwest::get(format!("http://{}/readyz", lab.http)).await.unwrap();
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_comes_while_the_hub_runs() {
    let mut lab = Lab::new().unwrap();
    let models = lab.path().join("models");
    copy_models(&models);
    let profile = models.join("profiles/fridge.toml");
    // The one that comes with the hub has other channels.
    std::fs::remove_file(&profile).unwrap();
    lab.models(models.clone());
    let hub = lab.serve().await.unwrap();

    // One that cannot be used is told, and the hub goes on.
    std::fs::write(&profile, FRIDGE.replace("id = 2", "id = 3")).unwrap();
    eventually("the profile is refused", PATIENCE, async || {
        let told = ready(&lab).await;
        (told.contains("fridge.toml") && told.contains("channel compressor_a has id 3")).then_some(())
    })
    .await;
    std::fs::write(&profile, FRIDGE).unwrap();
    eventually("the profile is taken", PATIENCE, async || {
        (!ready(&lab).await.contains("fridge.toml")).then_some(())
    })
    .await;

    let site = TestSite {
        trunk: None,
        password: None,
        devices: vec![("f-1".to_owned(), "fridge".to_owned(), None)],
        consent: false,
        zone: daytime_zone(12),
    };
    lab.apply(&site.toml()).await.unwrap();
    let mut device = log_in(lab.mqtt, "f-1").await.unwrap();
    let reading = br#"{"inside_c": 4.5, "compressor_a": 1.25}"#;
    device.publish_all(&[("d/f-1/j", &reading[..])], 1).await.unwrap();

    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let id = eventually("the reading is stored", PATIENCE, async || {
        let appliances = console.all("/api/v1/appliances").await.unwrap();
        let fridge = appliances.into_iter().find(|appliance| appliance["device"] == "f-1")?;
        (fridge["samples"] == 1).then(|| fridge["id"].as_i64().unwrap())
    })
    .await;
    let readings = console.get(&format!("/api/v1/appliances/{id}/readings")).await.unwrap();
    let series = readings["items"].as_array().unwrap();
    for (channel, value) in [("inside_c", 4.5), ("compressor_a", 1.25)] {
        let one = series.iter().find(|series| series["channel"] == channel).unwrap();
        assert_eq!(one["points"][0]["value"], value, "{one}");
    }
    for (language, words) in [
        ("en", ["Refrigerator f-1", "inside temperature", "compressor current"]),
        ("zh-CN", ["冰箱 f-1", "冷藏室温度", "压缩机电流"]),
    ] {
        let page = page(&lab, language, &format!("/appliances/{id}")).await.unwrap();
        for word in words {
            assert!(page.contains(word), "{word} is not in\n{page}");
        }
    }
    hub.stop().await.unwrap();
}
