//! First boot as a C program does it, with a file for its flash, at the real hub: agent-sdk/ffi/examples/first_boot.c.

use crate::first_boot::{DERIVED, MADE, SITE, comes_in, told};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
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

/// Compiles the program, with every warning an error.
fn built(lab: &Lab) -> PathBuf {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agent-sdk/ffi");
    let program = lab.path().join("first_boot");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(sdk.join("include"))
        .arg(sdk.join("examples/first_boot.c"))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"])
        .arg(&program)
        .status()
        .unwrap();
    assert!(compiled.success());
    program
}

/// The newest of those that lie beside this test, or above it: cargo keeps one for each set of features.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| folder.read_dir().unwrap());
    let libraries = beside.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libagent_sdk_ffi") && name.ends_with(".a")
    });
    let written_at = |path: &PathBuf| path.metadata().and_then(|data| data.modified());
    let newest = libraries.max_by_key(|path| written_at(path).unwrap_or(SystemTime::UNIX_EPOCH));
    newest.expect("cargo builds the static library with what depends on it")
}

#[tokio::test]
async fn a_c_program_comes_to_a_secret_of_its_own_whatever_is_lost() {
    let lab = Lab::new().unwrap();
    lab.apply(SITE).await.unwrap();
    let program = built(&lab);
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
