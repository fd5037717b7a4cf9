//! Accounts by the command line, beside a hub that runs: what the page for operators says, as an operator does it.

use tests_hub::console::Console;
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};

/// The password that a command has printed once.
fn password(said: &str) -> String {
    let (_, after) = said
        .split_once(" with ")
        .unwrap_or_else(|| panic!("no password in {said}"));
    after.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_let_in_by_role_and_out_again_while_the_hub_runs() {
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
    let account = async |args: &[&str]| lab.run(&[&["account"], args].concat()).await;
    let refused = async |args: &[&str]| account(args).await.unwrap_err().to_string();

    let of_acme = ["--tenant", "acme"];
    let said = account(&[&["add", "chen", "--role", "technician"], &of_acme[..]].concat())
        .await
        .unwrap();
    let chen = Console::log_in(lab.http, "chen", &password(&said)).await.unwrap();
    assert_eq!(
        chen.get("/api/v1/tickets").await.unwrap()["items"],
        serde_json::json!([])
    );
    let kept_out = chen.get("/api/v1/quarantine").await.unwrap_err().to_string();
    assert!(
        kept_out.contains("403") && kept_out.contains("administrator or maker or auditor"),
        "{kept_out}"
    );

    // Other roles count from the next request of the same log-in; a new password ends it.
    account(&[&["role", "chen", "--role", "maker"], &of_acme[..]].concat())
        .await
        .unwrap();
    chen.get("/api/v1/quarantine").await.unwrap();
    let listed = account(&["list"]).await.unwrap();
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let wanted = [
        vec!["admin", "administrator", "of", "all", "tenants"],
        vec!["chen", "maker", "of", "acme"],
    ];
    assert_eq!(lines, wanted, "{listed}");
    let said = account(&["reset", "chen"]).await.unwrap();
    assert!(
        chen.get("/api/v1/tickets")
            .await
            .unwrap_err()
            .to_string()
            .contains("401")
    );
    let again = Console::log_in(lab.http, "chen", &password(&said)).await.unwrap();

    // What an operator may do wrong.
    for (args, why) in [
        (
            &["add", "chen", "--role", "agent"][..],
            "there is an account chen already",
        ),
        (&["add", "wu", "--role", "root"], "there is no role"),
        (&["add", "w u", "--role", "agent"], "a log-in name has"),
        (
            &["add", "wu", "--role", "agent", "--site", "pudong"],
            "name the tenant too",
        ),
        (
            &["add", "wu", "--role", "agent", "--tenant", "acme", "--site", "nowhere"],
            "nowhere",
        ),
        (&["add", "wu", "--role", "agent", "--tenant", "nobody"], "nobody"),
        (&["remove", "admin"], "last administrator"),
        (&["role", "admin", "--role", "auditor"], "last administrator"),
        (&["reset", "wu"], "there is no account wu"),
    ] {
        let said = refused(args).await;
        assert!(said.contains(why), "{args:?}: {said}");
    }

    account(&["remove", "chen"]).await.unwrap();
    assert!(
        again
            .get("/api/v1/tickets")
            .await
            .unwrap_err()
            .to_string()
            .contains("401")
    );
    hub.stop().await.unwrap();
}
