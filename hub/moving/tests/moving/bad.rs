//! What is not as it was written, or does not belong here, is refused by name, and nothing of it is taken.

use super::{export, exported, import, options};
use crate::support::{Base, morning};
use hub_moving::{ExportFolder, MoveError, content};
use hub_store_postgres::{Keyring, PostgresStore, Progress};
use std::os::unix::fs::symlink;
use std::path::Path;

/// Opens an export after something was done to a copy of it; what the refusal says, whole.
fn refused(out: &Path, keyring: &Keyring, harm: impl FnOnce(&Path)) -> String {
    let copy = tempfile::tempdir().unwrap();
    for file in out.read_dir().unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    harm(copy.path());
    match ExportFolder::open(copy.path(), keyring) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn edit_text(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test]
async fn a_changed_file_is_refused_and_the_record_named() {
    let (base, _store, folder, _) = exported().await;
    let (out, keyring) = (folder.path().join("out"), base.keyring());
    let says = |what: String, words: &[&str]| {
        assert!(
            words.iter().all(|word| what.contains(word)),
            "{what:?} instead of {words:?}"
        );
    };
    let line_2 = refused(&out, &keyring, |copy| {
        edit_text(&copy.join("person.jsonl"), "Person wang", "Person wong")
    });
    says(line_2, &["person.jsonl", "line ", "not the one that was written"]);
    let swapped = refused(&out, &keyring, |copy| {
        edit(&copy.join("timeline.jsonl"), |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let lines: Vec<_> = text.lines().rev().collect();
            *bytes = (lines.join("\n") + "\n").into_bytes();
        });
    });
    says(swapped, &["timeline.jsonl", "line 1 "]);
    let shorter = refused(&out, &keyring, |copy| {
        edit(&copy.join("consent.jsonl"), |bytes| {
            let end = bytes[..bytes.len() - 1]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .unwrap();
            bytes.truncate(end + 1);
        });
    });
    says(shorter, &["consent.jsonl", "records instead of"]);
    let cut = refused(&out, &keyring, |copy| {
        edit(&copy.join("tenant.jsonl"), |bytes| bytes.truncate(bytes.len() - 4))
    });
    says(cut, &["tenant.jsonl", "line 2 has no end"]);
    let no_parquet = refused(&out, &keyring, |copy| {
        edit(&copy.join("telemetry-000002.parquet"), |bytes| bytes.truncate(100))
    });
    says(no_parquet, &["telemetry-000002.parquet", "no whole Parquet file"]);
    let exchanged = refused(&out, &keyring, |copy| {
        std::fs::copy(
            out.join("telemetry-000001.parquet"),
            copy.join("telemetry-000002.parquet"),
        )
        .unwrap();
    });
    says(
        exchanged,
        &["telemetry-000002.parquet", "row 1 (partition ", "ingest_no "],
    );
    let missing = refused(&out, &keyring, |copy| {
        std::fs::remove_file(copy.join("trunk.jsonl")).unwrap()
    });
    says(missing, &["trunk.jsonl", "missing"]);
    for at in [20, 200, 900] {
        let flipped = refused(&out, &keyring, |copy| {
            edit(&copy.join("telemetry-000001.parquet"), |bytes| bytes[at] ^= 1);
        });
        says(flipped, &["telemetry-000001.parquet"]);
        let flipped = refused(&out, &keyring, |copy| {
            edit(&copy.join("manifest.json"), |bytes| bytes[at] ^= 1)
        });
        says(flipped, &["manifest.json"]);
    }
    let no_seal = refused(&out, &keyring, |copy| {
        std::fs::remove_file(copy.join("manifest.seal")).unwrap()
    });
    says(no_seal, &["manifest.seal", "missing"]);
}

#[tokio::test]
async fn another_keyring_is_told_so() {
    let (_base, _store, folder, _) = exported().await;
    let there = Base::new().await;
    let error = import(&there, &folder.path().join("out")).await.err().unwrap();
    assert!(matches!(error, MoveError::Keyring { .. }), "{error}");
}

#[tokio::test]
async fn a_target_that_is_not_empty_or_not_free_is_refused() {
    let (base, store, folder, moved) = exported().await;
    let out = folder.path().join("out");
    let busy = import(&base, &out).await.err().unwrap();
    assert!(matches!(busy, MoveError::HubRuns), "{busy}");
    store.close().await;
    let full = import(&base, &out).await.err().unwrap();
    assert!(
        matches!(&full, MoveError::NotEmpty(table) if table == "tenant"),
        "{full}"
    );
    let store = base.store().await;
    assert_eq!(
        content(&store, &mut |_| {}).await.unwrap(),
        moved,
        "nothing was done to it"
    );
}

#[tokio::test]
async fn an_export_goes_only_where_it_may() {
    let (_base, store, folder, _) = exported().await;
    let at = async |path: &Path| {
        hub_moving::export(&store, path, options(), &mut |_| {})
            .await
            .err()
            .unwrap()
    };
    let done = at(&folder.path().join("out")).await;
    assert!(matches!(done, MoveError::Complete(_)), "{done}");
    let used = tempfile::tempdir().unwrap();
    std::fs::write(used.path().join("letter.txt"), "mine").unwrap();
    let in_use = at(used.path()).await;
    assert!(matches!(in_use, MoveError::FolderInUse(_)), "{in_use}");
    let no_folder = at(&used.path().join("letter.txt/out")).await;
    assert!(no_folder.to_string().contains("letter.txt/out"), "{no_folder}");
    let none = ExportFolder::open(&used.path().join("none"), &_base.keyring())
        .err()
        .unwrap();
    assert!(matches!(none, MoveError::File { .. }), "{none}");
    let half = ExportFolder::open(used.path(), &_base.keyring()).err().unwrap();
    assert!(matches!(half, MoveError::Incomplete { .. }), "{half}");
}

#[tokio::test]
async fn a_full_disk_ends_an_export_that_goes_on_when_there_is_room() {
    let (_base, store, folder, moved) = exported().await;
    for name in ["person.jsonl", "telemetry-000003.parquet"] {
        let out = folder.path().join(format!("full-{name}"));
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join("journal.jsonl"), "").unwrap();
        // Every write to this device says that there is no space left.
        let part = out.join(format!("{name}.part"));
        symlink("/dev/full", &part).unwrap();
        let error = hub_moving::export(&store, &out, options(), &mut |_| {})
            .await
            .err()
            .unwrap();
        match &error {
            MoveError::File { path, source } => {
                assert!(path.display().to_string().contains(name), "{error}");
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{source}");
            }
            other => panic!("{other}"),
        }
        assert!(!part.exists(), "what was given up takes room");
        assert_eq!(export(&store, &out).await, moved);
    }
}

#[tokio::test]
async fn a_cut_export_goes_on_with_its_own_database_only() {
    let (base, store, folder, moved) = exported().await;
    let out = folder.path().join("cut");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("journal.jsonl"), "").unwrap();
    symlink("/dev/full", out.join("telemetry-000002.parquet.part")).unwrap();
    hub_moving::export(&store, &out, options(), &mut |_| {})
        .await
        .unwrap_err();
    // One that holds the same, and opens with the same keyring.
    let there = super::sibling(&base).await;
    let (twin, _) = super::import(&there, &folder.path().join("out")).await.unwrap();
    let other = hub_moving::export(&twin, &out, options(), &mut |_| {})
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&other, MoveError::OtherExport { what, .. } if what.contains("database")),
        "{other}"
    );
    assert_eq!(export(&store, &out).await, moved);
}

#[tokio::test]
async fn two_exports_do_not_write_to_one_folder() {
    let (_base, store, folder, _) = exported().await;
    let out = folder.path().join("twice");
    let (mut one, mut other) = (|_: Progress<'_>| {}, |_: Progress<'_>| {});
    let both = tokio::join!(
        hub_moving::export(&store, &out, options(), &mut one),
        hub_moving::export(&store, &out, options(), &mut other)
    );
    match both {
        (Ok(_), Err(MoveError::Busy(_))) => {}
        other => panic!("{other:?}"),
    }
    let half = PostgresStore::connect_for_import(_base.options.clone(), _base.keyring())
        .await
        .unwrap();
    let from = ExportFolder::open(&out, &_base.keyring()).unwrap();
    let refused = hub_moving::import(&half, &from, morning(), &mut |_| {})
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, MoveError::HubRuns), "{refused}");
}
