//! Moving by the program: a hub that has lived goes from its own cluster to a given PostgreSQL and back into a new cluster,
//! and its devices notice no more than a restart.

mod backup;
mod cut;
pub mod given;
mod lived;
mod refused;

use given::{Given, heir};
use lived::{PUBLISHERS, TRUNK_PASSWORD, delivers, lived, seen};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tests_hub::hub::{Lab, project};
use tests_hub::site::TestSite;
use tests_hub::soak::audit;

/// Acknowledgements go on within this after a start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command that moves something, and returns the hash of all content that it prints.
pub async fn content(lab: &Lab, args: &[&str]) -> String {
    let said = lab.run(args).await.unwrap();
    let hash = said.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("content" | "all") => words.last(),
            _ => None,
        }
    });
    let hash = hash.unwrap_or_else(|| panic!("no hash in {said}")).to_owned();
    assert_eq!(hash.len(), 64, "{said}");
    hash
}

/// Runs the commands of a page for operators, but for `serve`, with these places instead of those that it names.
pub async fn page(lab: &Lab, file: &str, places: &[(&str, &str)]) -> String {
    let page = std::fs::read_to_string(project().join("docs/operations").join(file)).unwrap();
    let (_, rest) = page.split_once("```sh\n").unwrap();
    let (commands, _) = rest.split_once("```").unwrap();
    let mut commands = commands.replace("forecall serve\n", "");
    for (from, to) in places {
        assert!(commands.contains(from), "{from} is not on {file}");
        commands = commands.replace(from, to);
    }
    lab.script(&commands).await.unwrap()
}

/// The text of a path.
pub fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_moves_to_a_given_database_and_back_without_loss_or_double() {
    let mut lived = lived().await;
    let first = lived.lab;
    let password = first.password();
    let before = seen(&first, &password).await;
    lived.hub.stop().await.unwrap();

    // Into a given database, as the page says.
    let out = first.path().join("out");
    let given = Given::start().await;
    let second = heir(&first, Some(&given.url()));
    std::fs::remove_dir_all(second.state()).unwrap();
    let (from, to, url) = (first.state(), second.state(), given.url());
    let places = [
        ("/mnt/out", name(&out)),
        ("/var/lib/forecall", name(&from)),
        ("/var/lib/new", name(&to)),
        ("postgres://…", &url),
    ];
    let said = page(&first, "moving.md", &places).await;
    let moved = content(&first, &["export", "--hash"]).await;
    let times = said.lines().filter(|line| line.ends_with(&moved)).count();
    assert_eq!(
        times, 3,
        "of the export, of the import, and of what is there: {moved} in {said}"
    );
    assert_eq!(content(&second, &["export", "--hash"]).await, moved);
    only_what_is_said_is_open(&out);
    let hub = second.serve().await.unwrap();
    lived.fleet.more(400, PATIENCE).await.unwrap();
    assert_eq!(seen(&second, &password).await, before);
    let busy = second.run(&["import", "--from", name(&out)]).await.unwrap_err();
    assert!(
        busy.to_string().contains("a hub works on the target; stop it first"),
        "{busy}"
    );
    lived.fleet.more(100, PATIENCE).await.unwrap();
    hub.stop().await.unwrap();
    let full = second.run(&["import", "--from", name(&out)]).await.unwrap_err();
    assert!(
        full.to_string().contains("the target is not empty: table tenant"),
        "{full}"
    );

    // And back, into a new cluster.
    let back = second.path().join("back");
    let moved_back = content(&second, &["export", "--to", name(&back), "--rows-per-file", "900"]).await;
    assert_ne!(moved_back, moved, "new readings were taken meanwhile");
    let third = heir(&first, None);
    assert_eq!(content(&third, &["import", "--from", name(&back)]).await, moved_back);
    assert_eq!(content(&third, &["export", "--hash"]).await, moved_back);
    given.stop().await;
    let hub = third.serve().await.unwrap();
    lived.fleet.more(400, PATIENCE).await.unwrap();
    assert_eq!(seen(&third, &password).await, before);
    delivers(&third, &["r1"]).await;
    let busy = third.run(&["import", "--from", name(&back)]).await.unwrap_err();
    assert!(
        busy.to_string()
            .contains(&format!("another hub runs on {}", name(&third.state()))),
        "{busy}"
    );
    let acknowledged = lived.fleet.finish().await.unwrap() + lived.worn;
    hub.stop().await.unwrap();
    let stored = audit(&third).await.unwrap();
    println!("{PUBLISHERS} publishers, {acknowledged} acknowledged over two moves, {stored:?}");
    assert_eq!((stored.rows, stored.distinct), (acknowledged, acknowledged));
}

/// Nobody else may read it; names of people are open in it, telephone numbers and passwords are not.
fn only_what_is_said_is_open(out: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(out), 0o700);
    let mut text = String::new();
    for file in out.read_dir().unwrap().map(|file| file.unwrap().path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        text.push_str(&String::from_utf8_lossy(&std::fs::read(&file).unwrap()));
    }
    assert!(text.contains("Owner 0"), "it is said that names are");
    for sealed in [&TestSite::number(0), TRUNK_PASSWORD] {
        assert!(!text.contains(sealed), "{sealed} is in the export");
    }
}
