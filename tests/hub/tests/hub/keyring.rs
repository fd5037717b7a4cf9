//! A keyring is made where nothing is, and nowhere else; what the hub keeps is for its own user.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests_hub::bed::keyring_file;
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};

fn site() -> String {
    let site = TestSite {
        trunk: None,
        password: None,
        devices: vec![("wm-1".into(), "washing-machine".into(), None)],
        consent: true,
        zone: daytime_zone(12),
    };
    site.toml()
}

/// The same site file as a dry run.
async fn dry_run(lab: &Lab) -> anyhow::Result<String> {
    let file = lab.path().join("dry.toml");
    std::fs::write(&file, site()).unwrap();
    lab.run(&["apply", "-f", file.to_str().unwrap(), "--dry-run"]).await
}

/// The lines of changes, without the last, which counts them.
fn changes(said: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = said.lines().collect();
    lines.pop();
    lines
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_where_nothing_is_tells_all_and_makes_nothing() {
    let bare = Lab::bare().unwrap();
    let told = dry_run(&bare).await.unwrap();
    assert!(told.ends_with("would change (nothing was kept)\n"), "{told}");
    assert!(!bare.state().exists(), "a state directory was made");
    let lab = Lab::new().unwrap();
    let applied = lab.apply(&site()).await.unwrap();
    assert_eq!(changes(&told), changes(&applied));
    assert!(changes(&told).len() >= 3, "{told}");
    assert_eq!(changes(&dry_run(&lab).await.unwrap()), [""; 0], "it is applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_is_missing_is_asked_for_and_never_made_again() {
    let lab = Lab::new().unwrap();
    lab.apply(&site()).await.unwrap();
    let keyring = keyring_file(&lab.state());
    // Root's database passes through the folder; nobody reads or writes in it.
    assert_eq!(mode(&lab.state()) & 0o066, 0, "{:o}", mode(&lab.state()));
    assert_eq!((mode(&keyring), mode(&lab.state().join("hub.lock"))), (0o600, 0o600));

    let away = lab.path().join("away");
    std::fs::rename(&keyring, &away).unwrap();
    let missing = |done: anyhow::Result<String>| {
        let refused = done.expect_err("it went on without its keyring").to_string();
        for words in ["keyring.toml is missing", "restore your copy of it to there"] {
            assert!(refused.contains(words), "{words:?} is not in {refused}");
        }
        assert!(!keyring.exists(), "a keyring was made beside data");
    };
    missing(lab.run(&["serve"]).await);
    missing(lab.apply(&site()).await);
    missing(dry_run(&lab).await);
    missing(lab.run(&["doctor"]).await);
    std::fs::rename(&away, &keyring).unwrap();
    std::fs::set_permissions(&keyring, std::fs::Permissions::from_mode(0o600)).unwrap();
    lab.apply(&site()).await.unwrap();
}
