//! Backup and restore by the program: of a hub that has lived, beside it, into a new state directory and a given database.

use super::given::{Given, KEYRING, heir};
use super::lived::{TRUNK_PASSWORD, lived, seen};
use super::{content, name, page};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hub_store_postgres::Keyring;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests_hub::hub::Lab;
use tests_hub::site::TestSite;
use tests_hub::soak::audit;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_hub_at_work_is_restored_and_a_hub_serves_there() {
    let mut lived = lived().await;
    let first = lived.lab;
    let password = first.password();
    let before = seen(&first, &password).await;
    // Beside the hub, while devices publish.
    let beside = first.path().join("beside");
    let said = first.run(&["backup", "--to", name(&beside)]).await.unwrap();
    assert!(said.contains("of the keyring only its fingerprint is in it"), "{said}");
    lived.fleet.more(100, PATIENCE).await.unwrap();
    lived.hub.stop().await.unwrap();
    let whole = content(&first, &["export", "--hash"]).await;

    // As the page says.
    let out = first.path().join("backup");
    let second = heir(&first, None);
    std::fs::remove_dir_all(second.state()).unwrap();
    let (from, to) = (first.state(), second.state());
    let places = [
        ("/mnt/backup/2026-11-22", name(&out)),
        ("/var/lib/forecall", name(&from)),
        ("/var/lib/new", name(&to)),
    ];
    let said = page(&first, "backup.md", &places).await;
    assert!(said.contains("start the hub with `forecall serve`"), "{said}");
    assert_eq!(content(&second, &["export", "--hash"]).await, whole);
    only_what_is_said_is_open(&out, &from.join(KEYRING));
    refusals(&first, &second, &out).await;
    elsewhere(&first, &beside, &whole).await;

    let hub = second.serve().await.unwrap();
    assert_eq!(seen(&second, &password).await, before);
    lived.fleet.more(400, PATIENCE).await.unwrap();
    let acknowledged = lived.fleet.finish().await.unwrap() + lived.worn;
    hub.stop().await.unwrap();
    let stored = audit(&second).await.unwrap();
    println!("{acknowledged} acknowledged before the backup and after the restore, {stored:?}");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}

async fn refusals(first: &Lab, full: &Lab, out: &Path) {
    let again = first.run(&["backup", "--to", name(out)]).await.unwrap_err().to_string();
    assert!(
        again.contains(name(out)) && again.contains("name a new folder"),
        "{again}"
    );
    let restore = ["restore", "--from", name(out)];
    let full = full.run(&restore).await.unwrap_err().to_string();
    assert!(
        full.contains("nothing was restored") && full.contains("is not empty"),
        "{full}"
    );
    let new = heir(first, None);
    std::fs::remove_file(new.state().join(KEYRING)).unwrap();
    let none = new.run(&restore).await.unwrap_err().to_string();
    assert!(none.contains("there is no keyring at"), "{none}");
    Keyring::open_or_create(&new.state().join(KEYRING)).unwrap();
    let other = new.run(&restore).await.unwrap_err().to_string();
    assert!(other.contains("was written under another keyring"), "{other}");
}

/// The backup that was made beside the hub goes into a database of an administrator and from there into an own cluster; a
/// backup of a hub with the least rights goes where somebody has the same.
async fn elsewhere(first: &Lab, beside: &Path, whole: &str) {
    let given = Given::start().await;
    let second = heir(first, Some(&given.another("restored").await));
    second.run(&["restore", "--from", name(beside)]).await.unwrap();
    let held = content(&second, &["export", "--hash"]).await;
    let out = second.path().join("out");
    second.run(&["backup", "--to", name(&out)]).await.unwrap();
    let third = heir(first, None);
    third.run(&["restore", "--from", name(&out)]).await.unwrap();
    assert_eq!(content(&third, &["export", "--hash"]).await, held);

    let (export, out) = (first.path().join("export"), first.path().join("least"));
    content(first, &["export", "--to", name(&export)]).await;
    let least = heir(first, Some(&given.url()));
    content(&least, &["import", "--from", name(&export)]).await;
    least.run(&["backup", "--to", name(&out)]).await.unwrap();
    let own = heir(first, None);
    let other = own
        .run(&["restore", "--from", name(&out)])
        .await
        .unwrap_err()
        .to_string();
    let words = "in schema \"forecall_hub\", and the target's role works in \"public\"";
    assert!(other.contains(words), "{other}");
    // Nothing of it is there, so that a backup of the right kind can still be restored.
    own.run(&["restore", "--from", name(beside)]).await.unwrap();
    let another = Given::start().await;
    let mut same = heir(first, Some(&another.url()));
    // The devices must not come here.
    same.mqtt = Lab::new().unwrap().mqtt;
    same.run(&["restore", "--from", name(&out)]).await.unwrap();
    assert_eq!(content(&same, &["export", "--hash"]).await, whole);
    same.serve().await.unwrap().stop().await.unwrap();
    another.stop().await;
    given.stop().await;
}

/// A backup holds no key, neither as the keyring's file writes it nor as its bytes, and nothing that a key has sealed is
/// open; names of people are.
fn only_what_is_said_is_open(folder: &Path, keyring: &Path) {
    let keys = std::fs::read_to_string(keyring).unwrap();
    let keys: Vec<&str> = keys
        .split('"')
        .filter(|word| word.len() == 44 && word.ends_with('='))
        .collect();
    assert!(keys.len() > 1, "the keyring is written in another way");
    let dump = Command::new("pg_restore")
        .arg(folder.join("database.dump"))
        .arg("--file=-")
        .output()
        .unwrap();
    assert!(dump.status.success());
    let dump = String::from_utf8(dump.stdout).unwrap();
    let document = std::fs::read_to_string(folder.join("backup.json")).unwrap();
    let sealed = [TestSite::number(0), TRUNK_PASSWORD.to_owned()];
    let closed = keys
        .iter()
        .flat_map(|key| [(*key).to_owned(), as_bytea(key)])
        .chain(sealed);
    for word in closed {
        assert!(
            !dump.contains(&word) && !document.contains(&word),
            "{word} is in the backup"
        );
    }
    assert!(dump.contains("Owner 0"), "it is said that names are");
    assert!(document.contains("\"keyring\": "), "the fingerprint is");
}

/// A key of the keyring (base64, RFC 4648 section 4) as the database writes bytes.
fn as_bytea(key: &str) -> String {
    hex::encode(BASE64_STANDARD.decode(key).unwrap())
}
