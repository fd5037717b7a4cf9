//! The device agent as a program on Linux.

use anyhow::Context;
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;
use tests_firmware::link::Link;
use tests_firmware::stage::{PATIENCE, Stage};
use tests_hub::site::SECRET;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

const PROGRAM: &str = "agent-sdk-examples-linux";

/// Lines from a pipe are samples, also those from before the hub is there; a command is answered; the end of the pipe is a goodbye.
#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_pipe_arrive_and_its_end_is_a_goodbye() {
    const LINES: u64 = 50;
    let mut stage = Stage::open(&["pipe"]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    link.cut();
    let mut program = Command::new(program().unwrap())
        .arg(format!("127.0.0.1:{}", link.port))
        .arg("acme/pipe")
        .env("FORECALL_DEVICE_SECRET", SECRET)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut pipe = program.stdin.take().unwrap();
    for number in 0..LINES {
        pipe.write_all(format!("8=32.{number:03} 5=70.5\n").as_bytes())
            .await
            .unwrap();
    }
    pipe.flush().await.unwrap();
    link.mend();
    stage.until_stored("pipe", LINES).await;
    stage.until_online_is("pipe", true).await;
    let reply = stage.command("pipe", "1", "status").await.unwrap();
    assert_eq!(reply, json!({ "status": "done" }));

    drop(pipe);
    let ended = timeout(PATIENCE, program.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
    stage.until_online_is("pipe", false).await;
    let appliance = stage.appliance("pipe").await.unwrap();
    assert_eq!(appliance["samples"], LINES, "{appliance}");
    stage.stop().await.unwrap();
}

/// As cargo built it beside this test.
fn program() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let mut places = test.ancestors().skip(1).map(|folder| folder.join(PROGRAM));
    let found = places.find(|path| path.is_file());
    found.with_context(|| format!("{PROGRAM} is built first: cargo build -p {PROGRAM}"))
}
