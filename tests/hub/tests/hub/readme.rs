//! A newcomer's path: the commands of README.md, as they stand there, from a trial of an export, and from `doctor` to a ringing
//! telephone and a booked visit.

use std::path::Path;
use std::time::Duration;
use tests_hub::calls::{attempt, only_ticket};
use tests_hub::console::{Console, approve_first};
use tests_hub::hub::{Lab, program, project};
use tests_hub::ports;
use tests_hub::terminal::Terminal;

/// What the commands are about.
const SECTION: &str = "## Use it with your own data";
/// And those that need no hub.
const TRIAL: &str = "## Try it on your own export";
/// Where the site for trying has its telephone.
const PHONE: &str = "127.0.0.1:5070";
/// A start with a new database, or the hub's words to an owner, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The `sh` blocks of a section, in order.
fn blocks(section: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let (_, section) = readme.split_once(section).expect("the section has its name");
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// A clone after `cargo build`, whose site for trying has its telephone where no other test has one.
fn clone_into(dir: &Path, phone: &str) {
    for folder in ["target", "deploy/config"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    std::os::unix::fs::symlink(program().parent().unwrap(), dir.join("target/debug")).unwrap();
    std::os::unix::fs::symlink(project().join("models"), dir.join("models")).unwrap();
    let site = "deploy/config/site.trial.toml";
    let text = std::fs::read_to_string(project().join(site)).unwrap();
    assert!(text.contains(PHONE));
    std::fs::write(dir.join(site), text.replace(PHONE, phone)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_tries_an_export_without_a_hub() {
    let lab = Lab::bare().unwrap();
    clone_into(lab.path(), PHONE);
    let mut said = String::new();
    for block in blocks(TRIAL).iter().filter(|block| block.starts_with("target/")) {
        said.push_str(&lab.script(block).await.unwrap());
    }
    assert!(said.contains("1 of 1 devices watched"), "{said}");
    assert!(lab.path().join("report/report.html").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_followed_literally_rings_a_telephone_and_books_a_visit() {
    let mut lab = Lab::bare().unwrap();
    let phone = ports::udp().unwrap().to_string();
    lab.set("FORECALL_PHONE", &phone);
    clone_into(lab.path(), &phone);
    let blocks = blocks(SECTION);
    // What comes before is the set-up, which has run: the program is built.
    let variables = blocks.iter().position(|block| block.starts_with("export ")).unwrap();
    let begins = |command: &str| format!("target/debug/forecall {command}");
    let (mut serve, mut telephone, mut replayed) = (None, None, String::new());
    for block in &blocks[variables + 1..] {
        let script = format!("{}{block}", blocks[variables]);
        if block.starts_with(&begins("serve")) {
            let mut terminal = Terminal::open(&lab, &script).unwrap();
            let log_in = terminal.shows("first log-in", PATIENCE).await.unwrap();
            terminal.shows("ready", PATIENCE).await.unwrap();
            serve = Some((terminal, log_in));
        } else if block.starts_with(&begins("phone")) {
            let mut terminal = Terminal::open(&lab, &script).unwrap();
            terminal.shows("Waiting for a call", PATIENCE).await.unwrap();
            telephone = Some(terminal);
        } else {
            replayed = lab.script(&script).await.unwrap();
        }
    }
    let mut telephone = telephone.expect("the README has a telephone");
    let (serve, log_in) = serve.expect("the README runs a hub");

    // As the README says: look, and approve.
    let password = log_in.split_whitespace().nth(4).unwrap();
    assert!(replayed.contains("/ready-to-ring"), "{replayed}");
    approve_first(&lab, password).await.unwrap();
    // Enter when it rings, 1 and Enter when the menu is over.
    let rings = telephone.shows("ringing:", PATIENCE).await.unwrap();
    assert!(
        rings.contains("+86*******5678") && !rings.contains("13800005678"),
        "{rings}"
    );
    telephone.type_keys("\n").await.unwrap();
    telephone.shows("waits", PATIENCE).await.unwrap();
    telephone.type_keys("1\n").await.unwrap();
    let over = telephone.ends(PATIENCE).await.unwrap();
    assert!(
        over.contains("pressed 1") && over.contains("the other side hung up"),
        "{over}"
    );
    let kept = std::fs::metadata(lab.path().join("call.wav")).unwrap().len();
    assert!(kept > 16_000 * 10, "more than ten seconds are kept: {kept} bytes");

    let console = Console::log_in(lab.http, "admin", password).await.unwrap();
    attempt(&console, "the visit is booked by the key", |attempt| {
        attempt["disposition"] == "appointment_booked"
    })
    .await;
    let ticket = only_ticket(&console).await;
    let visit = &ticket["ticket"]["appointment"];
    assert_eq!(
        (&visit["agreed_by"], &visit["service_point"]),
        (&"owner_by_phone".into(), &"sh-east".into())
    );
    assert!(
        replayed.contains("1200 readings acknowledged as acme/pump-1"),
        "{replayed}"
    );
    let page = format!(
        "http://{}/tickets/{}",
        lab.http,
        ticket["ticket"]["id"].as_str().unwrap()
    );
    assert!(replayed.contains(&format!("1 ticket: {page}")), "{replayed}");
    serve.interrupt(PATIENCE).await.unwrap();
}
