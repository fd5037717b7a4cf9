//! Which crate may know which: the direction of ARCHITECTURE.md, checked against every `Cargo.toml`.

use super::Violation;
use crate::workspace::{Package, Workspace};
use std::path::Path;

/// What a crate of the workspace may depend on inside the workspace.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    /// Besides those, in its own tests and examples.
    tests_may_use: &'static [&'static str],
}

const EVERYTHING_BELOW_SERVER: &[&str] = &[
    "agent-sdk-wire",
    "hub-api",
    "hub-broker",
    "hub-console",
    "hub-core",
    "hub-lab",
    "hub-moving",
    "hub-predict",
    "hub-store",
    "hub-store-postgres",
    "hub-voice",
    "hub-words",
    "tests-world",
];

const LAYERS: &[Layer] = &[
    Layer {
        name: "agent-sdk-async",
        may_use: &["agent-sdk-core"],
        tests_may_use: &["tests-agent"],
    },
    Layer {
        name: "agent-sdk-blocking",
        may_use: &["agent-sdk-core"],
        tests_may_use: &["tests-agent"],
    },
    Layer {
        name: "agent-sdk-core",
        may_use: &["agent-sdk-wire"],
        tests_may_use: &["tests-agent"],
    },
    // A maker's program: it has what a maker has.
    Layer {
        name: "agent-sdk-examples-linux",
        may_use: &["agent-sdk-blocking", "agent-sdk-core", "agent-sdk-wire"],
        tests_may_use: &[],
    },
    Layer {
        name: "agent-sdk-ffi",
        may_use: &["agent-sdk-core", "agent-sdk-storage"],
        tests_may_use: &["tests-agent"],
    },
    // What waits in the agent's outbox may wait in flash.
    Layer {
        name: "agent-sdk-storage",
        may_use: &["agent-sdk-core"],
        tests_may_use: &[],
    },
    Layer {
        name: "agent-sdk-wire",
        may_use: &[],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-core",
        may_use: &[],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-words",
        may_use: &["hub-core"],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-store",
        may_use: &["hub-core"],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-store-postgres",
        may_use: &["hub-core", "hub-store"],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-moving",
        may_use: &["hub-core", "hub-store", "hub-store-postgres"],
        tests_may_use: &[],
    },
    // Simulated appliances with the device agent drive its session core, clients that keep no rules knock at its door.
    Layer {
        name: "hub-broker",
        may_use: &["hub-core", "hub-store", "agent-sdk-wire"],
        tests_may_use: &["agent-sdk-async", "agent-sdk-core", "tests-mqtt", "tests-world"],
    },
    Layer {
        name: "hub-predict",
        may_use: &["hub-core", "hub-store"],
        tests_may_use: &["tests-world"],
    },
    Layer {
        name: "hub-voice",
        may_use: &["hub-core", "hub-store", "hub-words"],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-api",
        may_use: &["hub-core", "hub-store"],
        tests_may_use: &[],
    },
    // Its tests ask the real database, through the API.
    Layer {
        name: "hub-console",
        may_use: &["hub-api", "hub-core", "hub-store", "hub-words"],
        tests_may_use: &["hub-store-postgres"],
    },
    // Simulated homes run on the device agent; the simulated phone speaks the same RTP as the hub's calls.
    Layer {
        name: "hub-lab",
        may_use: &[
            "agent-sdk-async",
            "agent-sdk-core",
            "agent-sdk-wire",
            "hub-core",
            "hub-voice",
            "tests-world",
        ],
        tests_may_use: &[],
    },
    Layer {
        name: "hub-server",
        may_use: EVERYTHING_BELOW_SERVER,
        tests_may_use: &[],
    },
    Layer {
        name: "tests-world",
        may_use: &["hub-core", "hub-store", "agent-sdk-wire"],
        tests_may_use: &[],
    },
    Layer {
        name: "tests-agent",
        may_use: &["agent-sdk-core"],
        tests_may_use: &[],
    },
    Layer {
        name: "tests-mqtt",
        may_use: &[],
        tests_may_use: &[],
    },
    Layer {
        name: "tests-hub",
        may_use: &["hub-server", "tests-mqtt"],
        tests_may_use: &["agent-sdk-core", "agent-sdk-ffi", "tests-agent"],
    },
    // What a board does is seen from outside: it shares no code with the agent. Its modem is the lab's.
    Layer {
        name: "tests-firmware",
        may_use: &["hub-lab", "tests-hub", "tests-mqtt"],
        tests_may_use: &[],
    },
    Layer {
        name: "tests-bench",
        may_use: &[
            "tests-hub",
            "tests-mqtt",
            "hub-core",
            "agent-sdk-async",
            "agent-sdk-core",
            "agent-sdk-wire",
            "hub-predict",
            "hub-store",
            "hub-store-postgres",
        ],
        tests_may_use: &[],
    },
    // Depends on nothing here, so that set-up compiles in seconds.
    Layer {
        name: "xtask",
        may_use: &[],
        tests_may_use: &[],
    },
];

/// A library behind a wall: only these crates may depend on it; `tests` in their tests alone.
struct Wall {
    library: &'static str,
    only: &'static [&'static str],
    tests: &'static [&'static str],
}

impl Wall {
    fn admits(&self, name: &str, in_tests: bool) -> bool {
        self.only.contains(&name) || in_tests && self.tests.contains(&name)
    }
}

const WALLS: &[Wall] = &[
    Wall {
        library: "rumqttd",
        only: &["hub-broker"],
        // Its own listener as a peer of the benchmarks.
        tests: &["tests-bench"],
    },
    Wall {
        library: "rumqttc",
        only: &["hub-lab"],
        tests: &["hub-broker"],
    },
    Wall {
        library: "tract-onnx",
        only: &["hub-predict"],
        tests: &[],
    },
    Wall {
        library: "rsipstack",
        only: &["hub-voice"],
        tests: &[],
    },
    Wall {
        library: "sqlx",
        only: &["hub-store-postgres", "hub-moving", "tests-hub", "tests-bench"],
        tests: &[],
    },
    Wall {
        library: "jiff-sqlx",
        only: &["hub-store-postgres", "hub-moving"],
        tests: &[],
    },
    Wall {
        library: "phonenumber",
        only: &["hub-core"],
        tests: &[],
    },
    Wall {
        library: "parquet",
        only: &["hub-moving"],
        tests: &[],
    },
    Wall {
        library: "axum",
        only: &["hub-api", "hub-console"],
        tests: &[],
    },
    Wall {
        library: "maud",
        // The report of `forecall try` is a page without a hub.
        only: &["hub-console", "hub-server"],
        tests: &[],
    },
    Wall {
        library: "fluent-bundle",
        only: &["hub-words"],
        tests: &[],
    },
    Wall {
        library: "fluent-syntax",
        only: &["hub-words"],
        tests: &[],
    },
    // Makers' transports; simulated homes, and tests, have those of the standard library and tokio.
    Wall {
        library: "embedded-io",
        only: &["agent-sdk-blocking"],
        tests: &[],
    },
    Wall {
        library: "embedded-io-async",
        only: &["agent-sdk-async"],
        tests: &[],
    },
    Wall {
        library: "embedded-io-adapters",
        only: &["agent-sdk-examples-linux", "hub-lab", "tests-bench"],
        tests: &["agent-sdk-async", "agent-sdk-blocking", "hub-broker"],
    },
    // Under a licence that what a maker ships does not have.
    Wall {
        library: "cbindgen",
        only: &[],
        tests: &["agent-sdk-ffi"],
    },
    Wall {
        library: "minicbor",
        only: &["agent-sdk-wire"],
        tests: &[],
    },
    Wall {
        library: "anyhow",
        only: &[
            "hub-server",
            "hub-lab",
            "agent-sdk-examples-linux",
            "tests-mqtt",
            "tests-hub",
            "tests-firmware",
            "tests-bench",
            "xtask",
        ],
        tests: &["hub-predict", "tests-world"],
    },
];

/// Crates of rules and data: they can neither wait, nor open a socket, nor read a clock.
pub const PURE: &[&str] = &[
    "agent-sdk-core",
    "agent-sdk-storage",
    "agent-sdk-wire",
    "hub-core",
    "hub-words",
    "tests-world",
];

/// What a pure crate must not depend on (the walled libraries are refused by their own rule).
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-trait",
    "futures",
    "reqwest",
    "nix",
    "tracing-subscriber",
];

/// Checks every crate of the workspace.
pub fn check(workspace: &Workspace) -> Vec<Violation> {
    let root = &workspace.workspace_root;
    let members: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    workspace
        .packages
        .iter()
        .flat_map(|package| {
            let file = package.folder(root).join("Cargo.toml");
            complaints(package, &package.folder(root), &members)
                .into_iter()
                .map(move |text| Violation::new(file.clone(), 0, text))
        })
        .collect()
}

fn complaints(package: &Package, folder: &Path, members: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let name = package.name.as_str();
    let expected = folder.to_string_lossy().replace('/', "-");
    if name != expected {
        found.push(format!("a crate's name is its path: rename {name} to {expected}"));
    }
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        found.push(format!(
            "crate {name} has no place in the layering: add it to xtask/src/tidy/layering.rs"
        ));
        return found;
    };
    for dependency in &package.dependencies {
        let library = dependency.name.as_str();
        let in_tests = dependency.kind.as_deref() == Some("dev");
        if members.contains(&library) && !allowed_layer(layer, library, in_tests) {
            found.push(format!("{name} must not know {library}: let them meet in hub-server"));
        }
        if let Some(wall) = WALLS
            .iter()
            .find(|wall| wall.library == library && !wall.admits(name, in_tests))
        {
            found.push(format!(
                "{name} must not know {library}: only {} does",
                [wall.only, wall.tests].concat().join(", ")
            ));
        }
        if PURE.contains(&name) && IMPURE.contains(&library) && !in_tests {
            found.push(format!("{name} is pure: it must not depend on {library}"));
        }
    }
    found
}

fn allowed_layer(layer: &Layer, library: &str, in_tests: bool) -> bool {
    // tests-hub is the one crate that sees everything, as a user's machine does.
    layer.name == "tests-hub" && EVERYTHING_BELOW_SERVER.contains(&library)
        || layer.may_use.contains(&library)
        // A crate may name itself in its tests to switch a feature on.
        || in_tests && (layer.tests_may_use.contains(&library) || layer.name == library)
}

#[cfg(test)]
mod tests {
    use super::{LAYERS, complaints};
    use crate::workspace::{Dependency, Package};
    use std::path::Path;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).into(),
                kind: kind.map(Into::into),
            })
            .collect();
        Package {
            name: name.into(),
            manifest_path: "Cargo.toml".into(),
            dependencies,
            targets: Vec::new(),
        }
    }

    fn judge(folder: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let members: Vec<&str> = LAYERS.iter().map(|layer| layer.name).collect();
        complaints(
            &package(&folder.replace('/', "-"), dependencies),
            Path::new(folder),
            &members,
        )
    }

    #[test]
    fn edge_crates_do_not_know_each_other() {
        assert_eq!(
            judge("hub/voice", &[("hub-core", None), ("tokio", None)]),
            Vec::<String>::new()
        );
        assert_eq!(judge("hub/voice", &[("hub-broker", None)]).len(), 1);
        assert_eq!(judge("hub/core", &[("hub-store", None)]).len(), 1);
        assert_eq!(judge("hub/api", &[("hub-console", None)]).len(), 1);
        assert_eq!(judge("hub/words", &[("hub-voice", None)]).len(), 1);
    }

    #[test]
    fn walled_libraries_stay_behind_their_wall() {
        assert_eq!(judge("hub/api", &[("sqlx", None)]).len(), 1);
        assert_eq!(judge("hub/api", &[("maud", None)]).len(), 1);
        assert_eq!(judge("hub/console", &[("fluent-bundle", None)]).len(), 1);
        assert_eq!(judge("hub/broker", &[("rumqttc", None)]).len(), 1);
        assert_eq!(judge("hub/broker", &[("rumqttc", Some("dev"))]), Vec::<String>::new());
        assert_eq!(judge("agent-sdk/core", &[("embedded-io", None)]).len(), 1);
        assert_eq!(judge("agent-sdk/ffi", &[("cbindgen", None)]).len(), 1);
        let adapters = "embedded-io-adapters";
        assert_eq!(judge("hub/server", &[(adapters, None)]).len(), 1);
        assert_eq!(judge("hub/broker", &[(adapters, None)]).len(), 1);
        assert_eq!(judge("hub/broker", &[(adapters, Some("dev"))]), Vec::<String>::new());
        assert_eq!(judge("hub/lab", &[(adapters, None)]), Vec::<String>::new());
    }

    #[test]
    fn pure_crates_cannot_wait() {
        assert_eq!(judge("hub/core", &[("tokio", None)]).len(), 1);
    }

    #[test]
    fn names_follow_folders_and_every_crate_has_a_layer() {
        let stranger = complaints(&package("hub-core", &[]), Path::new("hub/kernel"), &[]);
        assert_eq!(stranger, ["a crate's name is its path: rename hub-core to hub-kernel"]);
        assert_eq!(judge("hub/kernel", &[]).len(), 1);
    }

    #[test]
    fn layers_only_point_downward() {
        for (upper, layer) in LAYERS.iter().enumerate() {
            for used in layer.may_use {
                let back = LAYERS
                    .iter()
                    .position(|other| other.name == *used)
                    .map(|lower| &LAYERS[lower]);
                let back = back.unwrap_or_else(|| panic!("{used} has no layer"));
                assert!(
                    !back.may_use.contains(&layer.name),
                    "{} and {used} know each other ({upper})",
                    layer.name
                );
            }
        }
    }
}
