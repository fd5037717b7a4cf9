//! What befalls the database under a hub that has publishers: it is killed, its disk is full. Nothing acknowledged is
//! lost, nothing is stored twice, the hub says how it is and goes on by itself.

use std::process::Command;
use std::time::{Duration, Instant};
use tests_hub::hub::Lab;
use tests_hub::soak::{Fleet, audit, site};

const PUBLISHERS: usize = 16;
/// What happens must be seen, and be over, within this on a loaded machine.
const SEEN_MAX: Duration = Duration::from_secs(60);

async fn get(lab: &Lab, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", lab.http)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn until_ready_is(lab: &Lab, wanted: u16) -> String {
    let start = Instant::now();
    loop {
        let (status, said) = get(lab, "/readyz").await;
        if status == wanted {
            return said;
        }
        assert!(start.elapsed() < SEEN_MAX, "{status} {said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_under_load_is_told_and_comes_back() {
    let lab = Lab::new().unwrap();
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    for round in 1..=3 {
        fleet.more(200, SEEN_MAX).await.unwrap();
        assert!(lab.kill_database() > 3);
        let said = until_ready_is(&lab, 503).await;
        assert!(said.contains("\"database\"") || said.contains("\"store\""), "{said}");
        assert_eq!(get(&lab, "/healthz").await.0, 200, "the process itself is well");
        let back = fleet.more(200, SEEN_MAX).await.unwrap();
        until_ready_is(&lab, 200).await;
        let (_, metrics) = get(&lab, "/metrics").await;
        assert!(metrics.contains("forecall_database_up 1\n") && metrics.contains("forecall_lease_held 1\n"));
        assert!(metrics.contains("forecall_ingest_held 0\n"));
        println!("round {round}: 200 acknowledged {back:?} after the kill");
    }
    lab.run(&["doctor"]).await.unwrap();
    let acknowledged = fleet.finish().await.unwrap();
    assert_eq!(hub.errors(), Vec::<String>::new());
    hub.stop().await.unwrap();
    let stored = audit(&lab).await.unwrap();
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}

/// A file system of its own, unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=755"), "forecall-test"])
            .arg(at)
            .status();
        match mounted {
            Ok(status) if status.success() => Some(Self(at.to_owned())),
            _ => {
                println!("skipped: mounting a tmpfs is not allowed here");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_the_hub_goes_on_when_there_is_room() {
    let lab = Lab::new().unwrap();
    let Some(_disk) = SmallDisk::mount(&lab.state(), 600) else {
        return;
    };
    lab.apply(&site(PUBLISHERS).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let mut fleet = Fleet::start(lab.mqtt, PUBLISHERS);
    fleet.more(200, SEEN_MAX).await.unwrap();
    // All that is left, as another program would take it.
    let filler = lab.state().join("filler");
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", "status=none"])
        .arg(format!("of={}", filler.display()))
        .output()
        .unwrap();
    assert!(!filled.status.success(), "the disk is not full");
    let said = until_ready_is(&lab, 503).await;
    assert!(said.contains("\"store\""), "{said}");
    let doctor = lab.run(&["doctor"]).await.unwrap_err().to_string();
    assert!(doctor.contains("FAIL  disk: "), "{doctor}");
    // Nothing is acknowledged that is not stored; some of it may still fit.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let errors = hub.errors();
    assert!(errors.len() <= 1, "{errors:?}");
    std::fs::remove_file(&filler).unwrap();
    let back = fleet.more(400, SEEN_MAX).await.unwrap();
    until_ready_is(&lab, 200).await;
    println!(
        "400 acknowledged {back:?} after there was room again; {} error lines",
        hub.errors().len()
    );
    let acknowledged = fleet.finish().await.unwrap();
    hub.stop().await.unwrap();
    let stored = audit(&lab).await.unwrap();
    println!("{acknowledged} acknowledged, {stored:?}");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}
