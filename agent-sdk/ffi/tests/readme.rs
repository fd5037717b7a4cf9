//! The example in C that agent-sdk/README.md shows.

use std::path::Path;
use std::process::Command;

#[test]
fn the_readme_shows_the_example() {
    let readme = include_str!("../../README.md");
    let shown = include_str!("../examples/machine.c");
    assert!(
        readme.contains(shown.trim()),
        "agent-sdk/README.md does not show agent-sdk/ffi/examples/machine.c as it is"
    );
}

/// A C compiler takes it with every warning an error, and it works with the library as cargo has built it for this machine.
#[test]
fn the_example_runs() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine");
    tests_agent::c::build("tests/machine.c", &program);
    let ran = Command::new(&program).status().unwrap();
    assert_eq!(ran.code(), Some(0), "the number of the check in tests/machine.c");
}
