//! `xtask setup`: installs what this machine lacks. Says what and why first, does nothing twice, and where it may not
//! install something prints the exact command for somebody who may.

mod apt;
mod boards;
mod clients;
mod postgres;
mod targets;

use crate::run::on_path;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use apt::Authority;
pub use boards::program as qemu;
use clap::ValueEnum;
pub use clients::install_onnxruntime;
use std::path::Path;
pub use targets::install as install_targets;

/// What the machine must be able to do after set-up.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Run the demo.
    Demo,
    /// Run the demo with firmware on a board.
    DemoFirmware,
    /// Run the demo and every test.
    Test,
}

/// One thing from Debian's packages.
struct Need {
    what: &'static str,
    why: &'static str,
    package: &'static str,
    only_for_tests: bool,
    present: fn() -> bool,
}

impl Need {
    fn is_for(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Demo => !self.only_for_tests,
            Purpose::DemoFirmware => !self.only_for_tests || FIRMWARE_PACKAGES.contains(&self.package),
            Purpose::Test => true,
        }
    }
}

/// What firmware in C is built with.
const FIRMWARE_PACKAGES: [&str; 3] = ["gcc-arm-none-eabi", "cmake", "make"];

const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL server",
        why: "the hub runs its own database cluster from these binaries",
        package: "postgresql",
        only_for_tests: false,
        present: postgres::present,
    },
    Need {
        what: "espeak-ng",
        why: "speaks the prompts of a call that nobody has recorded",
        package: "espeak-ng",
        only_for_tests: false,
        present: || on_path("espeak-ng").is_some(),
    },
    Need {
        what: "SIPp",
        why: "an independent SIP trunk for the tests to ring",
        package: "sip-tester",
        only_for_tests: true,
        present: || on_path("sipp").is_some(),
    },
    Need {
        what: "kamailio",
        why: "an independent SIP proxy and registrar for the tests to call through",
        package: apt::KAMAILIO,
        only_for_tests: true,
        present: || Path::new("/usr/sbin/kamailio").is_file(),
    },
    Need {
        what: "baresip",
        why: "an independent telephone that records what it hears, for the tests",
        package: "baresip-core",
        only_for_tests: true,
        present: || on_path("baresip").is_some(),
    },
    Need {
        what: "mosquitto_pub and mosquitto_sub",
        why: "MQTT clients that nobody here wrote, for the tests",
        package: "mosquitto-clients",
        only_for_tests: true,
        present: || on_path("mosquitto_pub").is_some() && on_path("mosquitto_sub").is_some(),
    },
    Need {
        what: "mosquitto",
        why: "the broker that benchmarks stand beside the hub, and tests bridge to it",
        package: apt::MOSQUITTO,
        only_for_tests: true,
        present: || Path::new("/usr/sbin/mosquitto").is_file() && on_path("mosquitto_passwd").is_some(),
    },
    Need {
        what: "nginx",
        why: "the proxy through which the tests read live events",
        package: apt::NGINX,
        only_for_tests: true,
        present: || Path::new("/usr/sbin/nginx").is_file() || on_path("nginx").is_some(),
    },
    Need {
        what: "systemd-analyze",
        why: "judges how closed the hub's unit is, in the tests",
        package: "systemd",
        only_for_tests: true,
        present: || on_path("systemd-analyze").is_some(),
    },
    Need {
        what: "jq",
        why: "reads and makes JSON in the commands of the provisioning guide, which tests run",
        package: "jq",
        only_for_tests: true,
        present: || on_path("jq").is_some(),
    },
    Need {
        what: "curl",
        why: "asks the API in the commands of the provisioning guide, which tests run",
        package: "curl",
        only_for_tests: true,
        present: || on_path("curl").is_some(),
    },
    Need {
        what: "openssl",
        why: "makes keys and certificates in the commands of the provisioning guide, which tests run",
        package: "openssl",
        only_for_tests: true,
        present: || on_path("openssl").is_some(),
    },
    Need {
        what: "arm-none-eabi-gcc",
        why: "compiles the C program that tests run on a board",
        package: "gcc-arm-none-eabi",
        only_for_tests: true,
        present: || on_path("arm-none-eabi-gcc").is_some(),
    },
    Need {
        what: "cmake",
        why: "builds that program as a maker would, with the device agent as a package",
        package: "cmake",
        only_for_tests: true,
        present: || on_path("cmake").is_some(),
    },
    Need {
        what: "make",
        why: "is what cmake builds with",
        package: "make",
        only_for_tests: true,
        present: || on_path("make").is_some(),
    },
    Need {
        what: "Python with environments",
        why: "runs the MQTT clients and the telephone from PyPI in the tests",
        package: "python3-venv",
        only_for_tests: true,
        present: clients::python_present,
    },
    Need {
        what: "node",
        why: "runs the MQTT client and TimescaleDB from npm in the tests",
        package: "nodejs",
        only_for_tests: true,
        present: || on_path("node").is_some(),
    },
    Need {
        what: "npm",
        why: "installs the MQTT client and TimescaleDB from npm for the tests",
        package: "npm",
        only_for_tests: true,
        present: || on_path("npm").is_some(),
    },
];

/// Installs what `purpose` needs and this machine lacks. An error names everything left for a person to do.
pub fn setup(purpose: Purpose) -> Result<()> {
    let mut missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| need.is_for(purpose))
        .filter(|need| !(need.present)())
        .collect();
    let authority = Authority::find();
    if authority == Authority::None {
        missing.retain(|need| !(need.package == postgres::PACKAGE && postgres::unpack_for_this_user()));
    }
    install(&missing, authority)?;
    if purpose == Purpose::Test {
        clients::install(&Workspace::load()?.target_directory)?;
    }
    if purpose != Purpose::Demo {
        install_targets()?;
        boards::install(&Workspace::load()?.target_directory, authority)?;
    }
    println!("set-up: everything needed is here");
    Ok(())
}

fn install(missing: &[&Need], authority: Authority) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    println!("set-up: {} missing on this machine:", missing.len());
    for need in missing {
        println!("  {} (Debian package {}): {}", need.what, need.package, need.why);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if authority == Authority::None {
        bail!(
            "set-up may not install packages here (neither root nor sudo without a password, or not Debian); \
             run this and start again:\n  {}",
            apt::command_for_a_person(&packages)
        );
    }
    apt::install(&packages, authority)?;
    match missing.iter().find(|need| !(need.present)()) {
        Some(need) => bail!(
            "package {} was installed, but {} is still not found",
            need.package,
            need.what
        ),
        None => Ok(()),
    }
}
