//! The header that a C program includes.

use expect_test::expect_file;
use std::path::Path;
use std::process::Command;

/// Everything that C sees is in these.
const SOURCES: [&str; 9] = [
    "src/types.rs",
    "src/machine_types.rs",
    "src/agent.rs",
    "src/calls.rs",
    "src/machine.rs",
    "src/machine_link.rs",
    "src/enrolment.rs",
    "src/flash.rs",
    "src/spill.rs",
];

/// The committed header is what the code says. `UPDATE_EXPECT=1` writes it again.
#[test]
fn the_header_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    // File by file, because for a whole crate it would start cargo.
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(folder.join(source));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let header = String::from_utf8(header).unwrap();
    for call in [
        "fc_agent_init(",
        "fc_agent_next_connect_at(",
        "typedef struct FcAgent FcAgent;",
    ] {
        assert!(header.contains(call), "{call} is missing");
    }
    expect_file!["../include/forecall_agent.h"].assert_eq(&header);
}

/// A C compiler takes it, with every warning an error.
#[test]
fn the_header_is_c() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let program = "#include \"forecall_agent.h\"\nuint64_t memory[FC_AGENT_STATE_BYTES / sizeof(uint64_t)];\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.c");
    std::fs::write(&file, program).unwrap();
    let compiled = Command::new("cc")
        .args(["-fsyntax-only", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(&folder)
        .arg(&file)
        .status()
        .unwrap();
    assert!(compiled.success());
}
