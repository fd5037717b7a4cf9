//! First boot as a C program does it, with a file for its flash, at the real hub: agent-sdk/ffi/examples/first_boot.c.

use crate::first_boot::{DERIVED, MADE, SITE, comes_in, told};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use tests_hub::hub::Lab;

/// What the program ends with where its power was cut behind its first question.
const CUT: i32 = 3;

/// A device: the program, and the file that outlives its power.
struct Device {
    program: PathBuf,
    flash: PathBuf,
    user_name: &'static str,
    credential: [&'static str; 2],
}

impl Device {
    /// Starts it, and gives its password, or what the program ended with.
    fn boot(&self, hub: SocketAddr, how: &str) -> Result<String, Option<i32>> {
        let output = Command::new(&self.program)
            .arg(&self.flash)
            .args([hub.ip().to_string(), hub.port().to_string()])
            .arg(self.user_name)
            .args(self.credential)
            .arg(how)
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned());
        }
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        Err(output.status.code())
    }
}

#[tokio::test]
async fn a_c_program_comes_to_a_secret_of_its_own_whatever_is_lost() {
    let lab = Lab::new().unwrap();
    lab.apply(SITE).await.unwrap();
    let program = lab.path().join("first_boot");
    tests_agent::c::build("examples/first_boot.c", &program);
    let hub = lab.serve().await.unwrap();
    let device = |user_name: &'static str, credential: [&'static str; 2]| Device {
        program: program.clone(),
        flash: lab.path().join(format!("{}.flash", credential[0])),
        user_name,
        credential,
    };
    let (token, secret) = (told(&lab, MADE).await, told(&lab, DERIVED).await);
    let claimed = device("acme/wm-1", ["claim", token]);
    let grouped = device("acme/wm-2", ["group", secret]);
    for device in [&claimed, &grouped] {
        assert_eq!(device.boot(lab.mqtt, "cut"), Err(Some(CUT)), "{}", device.user_name);
    }
    hub.kill().await.unwrap();
    let hub = lab.serve().await.unwrap();

    let first = claimed.boot(lab.mqtt, "").unwrap();
    assert!(comes_in(&lab, "wm-1", &first).await);
    let own = grouped.boot(lab.mqtt, "").unwrap();
    assert!(comes_in(&lab, "wm-2", &own).await);
    assert_eq!(claimed.boot(lab.mqtt, ""), Ok(first.clone()), "it is done");

    let second = claimed.boot(lab.mqtt, "exchange").unwrap();
    assert_ne!(second, first);
    assert!(comes_in(&lab, "wm-1", &second).await);
    assert!(!comes_in(&lab, "wm-1", &first).await, "the old one has ended");
    hub.stop().await.unwrap();
}
