//! An export that is killed with -9 again and again, as the machine's end would.

use super::given::heir;
use super::lived::lived;
use super::{content, name};
use hub_store_postgres::{Cluster, ClusterOptions};
use sqlx::ConnectOptions;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tests_hub::eventually;
use tests_hub::hub::Lab;
use tests_hub::soak::audit;

const KILLS: usize = 6;
/// So few that the little there is takes hundreds of files.
const ROWS_PER_FILE: &str = "25";
/// Files that must be finished between two kills.
const FILES_BETWEEN: usize = 3;
/// To start the database, end what a kill has left of it, and write some files.
const PATIENCE: Duration = Duration::from_secs(60);

/// Finished files of telemetry with their last change.
fn finished(folder: &Path) -> BTreeMap<String, SystemTime> {
    let Ok(files) = folder.read_dir() else {
        return BTreeMap::new();
    };
    let files = files.map(Result::unwrap).filter(|file| {
        let path = file.path();
        path.extension().is_some_and(|ending| ending == "parquet")
    });
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, file.metadata().unwrap().modified().unwrap())
        })
        .collect()
}

/// Starts the export and kills it when so many files are finished; whether it was in the middle.
async fn kill_in_the_middle(lab: &Lab, args: &[&str], folder: &Path, files: usize) -> bool {
    let mut export = lab.spawn(args).unwrap();
    let until = Instant::now() + PATIENCE;
    while finished(folder).len() < files && export.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not come to {files} files");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let runs = export.try_wait().unwrap().is_none();
    export.kill().await.unwrap();
    runs && !folder.join("manifest.json").exists()
}

/// All files are still as they were, but perhaps for the last: it is whole, and its line in the journal may be missing.
fn stay(kept: &BTreeMap<String, SystemTime>, now: &BTreeMap<String, SystemTime>) -> bool {
    let noted = kept.len().saturating_sub(1);
    kept.iter().take(noted).all(|(file, at)| now.get(file) == Some(at))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_killed_in_the_middle_goes_on_and_equals_one_in_one_go() {
    let lived = lived().await;
    let lab = lived.lab;
    let acknowledged = lived.fleet.finish().await.unwrap() + lived.worn;
    // Once beside the hub, which does not notice.
    let beside = lab.path().join("beside");
    let args = ["export", "--to", name(&beside), "--rows-per-file", ROWS_PER_FILE];
    assert!(kill_in_the_middle(&lab, &args, &beside, FILES_BETWEEN).await);
    content(&lab, &args).await;
    lived.hub.stop().await.unwrap();

    let whole = content(&lab, &["export", "--to", name(&lab.path().join("whole"))]).await;
    let cut = lab.path().join("cut");
    let args = ["export", "--to", name(&cut), "--rows-per-file", ROWS_PER_FILE];
    let (mut kept, mut in_the_middle) = (BTreeMap::new(), 0);
    // The first kill comes before any file is finished.
    for round in 0..KILLS {
        let files = kept.len() + round.min(1) * FILES_BETWEEN;
        in_the_middle += usize::from(kill_in_the_middle(&lab, &args, &cut, files).await);
        let now = finished(&cut);
        assert!(stay(&kept, &now), "a finished file was written again");
        kept = now;
    }
    assert_eq!(in_the_middle, KILLS, "the export was over before it was killed");
    let taken = lab
        .run(&["import", "--from", name(&cut)])
        .await
        .unwrap_err()
        .to_string();
    assert!(taken.contains("there is no manifest.json"), "{taken}");

    assert_eq!(content(&lab, &args).await, whole);
    let now = finished(&cut);
    assert!(stay(&kept, &now), "a finished file was written again");
    println!(
        "{KILLS} kills; {} of {} files were finished before the last",
        kept.len(),
        now.len()
    );
    assert!(!cut.join("journal.jsonl").exists());
    let again = lab.run(&args).await.unwrap_err().to_string();
    assert!(again.contains("holds a complete export already"), "{again}");

    let taken = import_killed_in_the_middle(&lab, &cut, &whole, acknowledged).await;
    println!("{KILLS} kills; {taken} files were in before the last");
}

/// The same the other way: what is in stays in, and no hub serves a half. How many files were in before the last kill.
async fn import_killed_in_the_middle(before: &Lab, from: &Path, whole: &str, readings: u64) -> i64 {
    let lab = heir(before, None);
    let args = ["import", "--from", name(from)];
    let mut taken = 0;
    for _ in 0..KILLS {
        taken = kill_import(&lab, &args, taken + FILES_BETWEEN as i64).await;
        let half = lab.run(&["export", "--hash"]).await.unwrap_err().to_string();
        assert!(
            half.contains("run `forecall import` again with the same folder"),
            "{half}"
        );
    }
    assert_eq!(content(&lab, &args).await, whole);
    assert_eq!(content(&lab, &["export", "--hash"]).await, whole);
    let stored = audit(&lab).await.unwrap();
    assert_eq!((stored.rows, stored.distinct), (readings, readings));
    taken
}

/// Starts the import and kills it when so many files are in; how many there were.
async fn kill_import(lab: &Lab, args: &[&str], files: i64) -> i64 {
    let mut import = lab.spawn(args).unwrap();
    let running = async || Cluster::is_running(&lab.state()).unwrap().then_some(());
    eventually("the import has the database", PATIENCE, running).await;
    let cluster = Cluster::join_or_start(&lab.state(), ClusterOptions::default()).await;
    let cluster = cluster.unwrap();
    assert!(cluster.is_joined(), "the import was over before it was killed");
    let taken = eventually("files are in", PATIENCE, async || {
        let mut sql = cluster.connect_options().connect().await.ok()?;
        let count = sqlx::query_scalar("select count(*) from import_file");
        count.fetch_one(&mut sql).await.ok().filter(|taken| *taken >= files)
    })
    .await;
    assert!(
        import.try_wait().unwrap().is_none(),
        "the import was over before it was killed"
    );
    import.kill().await.unwrap();
    taken
}
