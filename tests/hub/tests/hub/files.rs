//! A hub that has as many files open as it may have: it says so as long as it lasts and a while longer, and goes on by itself.

use std::process::Command;
use std::time::Duration;
use tests_hub::eventually;
use tests_hub::hub::Lab;
use tests_hub::watch::{TOLD_WITHIN, figure, get};
use tokio::net::TcpStream;

/// Files that the hub may open beyond those that it has.
const FILES_LEFT: usize = 4;
/// Clients that come and say nothing.
const CROWD: usize = 32;

/// The soft limit alone: the hard one stays, so that anybody may raise it again.
fn limit_files(pid: u32, files: usize) {
    let limited = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={files}:")])
        .status();
    assert!(limited.unwrap().success(), "prlimit");
}

/// The reason of the notice about files on a connection that is there already.
async fn told(client: &reqwest::Client, url: &str) -> Option<String> {
    let answer = client.get(url).timeout(Duration::from_secs(5)).send().await.ok()?;
    let said: serde_json::Value = answer.json().await.ok()?;
    let notices = said["notices"].as_array()?;
    let files = notices.iter().find(|notice| notice["part"] == "files")?;
    files["reason"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn want_of_files_is_told_and_passes() {
    let lab = Lab::new().unwrap();
    let mut hub = lab.serve().await.unwrap();
    let (client, url) = (reqwest::Client::new(), format!("http://{}/readyz", lab.http));
    assert_eq!(told(&client, &url).await, None);
    // Whatever the hub opens meanwhile fails too.
    hub.expect_errors().unwrap();
    let pid = hub.pid().unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    limit_files(pid, open + FILES_LEFT);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(TcpStream::connect(lab.mqtt).await.unwrap());
    }
    let reason = eventually("want of files is told", TOLD_WITHIN, async || told(&client, &url).await).await;
    assert!(reason.contains("raise LimitNOFILE"), "{reason}");
    drop(crowd);
    limit_files(pid, 1_024);
    eventually("new connections are taken", TOLD_WITHIN, async || {
        get(&lab, "/healthz").await
    })
    .await;
    assert!(told(&client, &url).await.is_some(), "told a while longer");
    assert!(figure(&lab, "accepts_failed_total").await >= 1.0);
    hub.stop().await.unwrap();
}
