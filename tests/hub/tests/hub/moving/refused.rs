//! What is not as it was written, does not belong here, or has no room: the program says what, where and what to do, ends
//! with another code than 0, and leaves nothing.

use super::given::{Given, KEYRING, heir};
use super::lived::lived;
use super::{content, name};
use hub_store_postgres::{Cluster, Keyring};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tests_hub::hub::Lab;

/// Bytes of a file of telemetry that are flipped, one at a time.
const FLIPS: usize = 12;

/// A copy of an export.
struct Copied(tempfile::TempDir);

impl Copied {
    fn of(out: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for file in out.read_dir().unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        Self(copy)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.file(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.file(name), bytes).unwrap();
    }
}

/// What the program says when it does not do it.
async fn refusal(lab: &Lab, args: &[&str]) -> String {
    match lab.run(args).await {
        Ok(said) => panic!("forecall {args:?} did it: {said}"),
        Err(error) => error.to_string(),
    }
}

fn says(what: &str, words: &[&str]) {
    for word in words {
        assert!(what.contains(word), "{word:?} is not in {what:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name_and_leaves_nothing() {
    let lived = lived().await;
    let lab = lived.lab;
    lived.fleet.finish().await.unwrap();
    lived.hub.stop().await.unwrap();
    no_room(&lab).await;
    let out = lab.path().join("out");
    content(&lab, &["export", "--to", name(&out), "--rows-per-file", "200"]).await;
    says(
        &refusal(&lab, &["export", "--to", name(&out)]).await,
        &[name(&out), "holds a complete export already; name a new folder"],
    );

    let given = Given::start().await;
    let (own, by_url) = (heir(&lab, None), heir(&lab, Some(&given.url())));
    tampered(&own, &by_url, &out).await;
    keyrings(&by_url, &out).await;
    says(
        &refusal(&own, &["import", "--from", name(&out.join("none"))]).await,
        &["nothing was imported", name(&out.join("none"))],
    );
    assert!(
        !Cluster::exists(&own.state()).unwrap(),
        "a database was made for nothing"
    );
    assert_eq!(given.tables().await, 0);
    // And what was refused for its files is taken with the right ones.
    content(&by_url, &["import", "--from", name(&out)]).await;
    given.stop().await;
}

async fn tampered(own: &Lab, by_url: &Lab, out: &Path) {
    let both = async |copy: &Copied| {
        let said = refusal(own, &["import", "--from", name(copy.0.path())]).await;
        assert_eq!(
            refusal(by_url, &["import", "--from", name(copy.0.path())])
                .await
                .lines()
                .last(),
            said.lines().last()
        );
        says(&said, &["nothing was imported", "is not as it was written"]);
        said
    };
    let copy = Copied::of(out);
    copy.edit("person.jsonl", |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        assert!(text.lines().nth(2).unwrap().contains("Owner "), "{text}");
        let third = text.lines().nth(2).unwrap();
        *bytes = text.replace(third, &third.replace("Owner ", "Owned ")).into_bytes();
    });
    says(
        &both(&copy).await,
        &[
            name(&copy.file("person.jsonl")),
            "line 3 is not the one that was written there",
        ],
    );

    // A whole file in another one's place reads well, and each of its rows is one of this export.
    let copy = Copied::of(out);
    std::fs::copy(
        copy.file("telemetry-000001.parquet"),
        copy.file("telemetry-000002.parquet"),
    )
    .unwrap();
    says(
        &both(&copy).await,
        &[
            name(&copy.file("telemetry-000002.parquet")),
            ": row 1 (partition ",
            "ingest_no ",
        ],
    );

    // The first is full, however many readings there were in all.
    let (file, mut named) = ("telemetry-000001.parquet", 0);
    let length = std::fs::metadata(out.join(file)).unwrap().len() as usize;
    for flip in 0..FLIPS {
        let copy = Copied::of(out);
        copy.edit(file, |bytes| bytes[length * flip / FLIPS] ^= 1);
        let said = refusal(own, &["import", "--from", name(copy.0.path())]).await;
        says(&said, &[name(&copy.file(file)), "is not as it was written"]);
        named += usize::from(said.contains(": row ") || said.contains(": rows from "));
    }
    assert!(
        named > FLIPS / 2,
        "{named} of {FLIPS} flipped bytes are told by their row or group of rows"
    );

    let copy = Copied::of(out);
    copy.edit("manifest.json", |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        *bytes = text.replacen("\"rows\": ", "\"rows\": 1", 1).into_bytes();
    });
    says(&both(&copy).await, &["manifest.json", "its seal is not right"]);
}

async fn keyrings(lab: &Lab, out: &Path) {
    let (right, away) = (lab.state().join(KEYRING), lab.path().join("away"));
    std::fs::rename(&right, &away).unwrap();
    let none = refusal(lab, &["import", "--from", name(out)]).await;
    says(&none, &["there is no keyring at", name(&right), "copy the one"]);
    Keyring::open_or_create(&right).unwrap();
    let other = refusal(lab, &["import", "--from", name(out)]).await;
    says(
        &other,
        &[
            "was written under another keyring",
            "put the keyring file of the source in place first",
        ],
    );
    std::fs::rename(&away, &right).unwrap();
}

/// Folders that take nothing, and a disk that is full.
async fn no_room(lab: &Lab) {
    let letter = lab.path().join("letter.txt");
    std::fs::write(&letter, "mine").unwrap();
    let no_folder = letter.join("out");
    says(
        &refusal(lab, &["export", "--to", name(&no_folder)]).await,
        &[name(&no_folder), "cannot be read or written", "Not a directory"],
    );
    let in_use = refusal(lab, &["export", "--to", name(lab.path())]).await;
    says(&in_use, &[name(lab.path()), "is not empty", "name a new folder"]);

    let full = lab.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("journal.jsonl"), "").unwrap();
    // Every write to this device says that there is no space left.
    symlink("/dev/full", full.join("person.jsonl.part")).unwrap();
    says(
        &refusal(lab, &["export", "--to", name(&full)]).await,
        &["person.jsonl", "No space left on device", "run the same command again"],
    );
    content(lab, &["export", "--to", name(&full)]).await;
}
