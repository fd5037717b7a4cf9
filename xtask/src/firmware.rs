//! `xtask firmware`: the device agent as boards have it, through its functions for C. A link shows that nothing panics, and
//! what it costs in flash and RAM; it fails beyond the bars.

mod elf;
mod foreign;
mod images;
mod link;
mod table;

use crate::run::{cargo, run};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use elf::Image;
pub use images::{demo, images};
use link::Linker;
use std::path::{Path, PathBuf};
pub use table::add_stacks;
use table::{Row, Table};

/// A processor that the agent is built for.
pub struct Board {
    /// As rustc calls it.
    pub target: &'static str,
    /// As linkers call it.
    emulation: &'static str,
    /// Whether the bars hold for it.
    is_gated: bool,
}

/// One of each family.
pub const BOARDS: [Board; 2] = [
    Board {
        target: "thumbv7em-none-eabihf",
        emulation: "armelf",
        is_gated: true,
    },
    Board {
        target: "riscv32imc-unknown-none-elf",
        emulation: "elf32lriscv",
        is_gated: false,
    },
];

/// All that the agent is built for; what is not among [`BOARDS`] is only built.
pub const TARGETS: [&str; 6] = [
    "thumbv7em-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv8m.main-none-eabi",
    "riscv32imac-unknown-none-elf",
];

/// What a C program includes: every function that it declares is linked.
const HEADER: &str = "agent-sdk/ffi/include/forecall_agent.h";

/// The functions of a session with its outbox, and nothing beside.
const SESSION: [&str; 11] = [
    "fc_agent_bytes",
    "fc_agent_close",
    "fc_agent_connected",
    "fc_agent_disconnected",
    "fc_agent_init",
    "fc_agent_next_connect_at",
    "fc_agent_next_deadline",
    "fc_agent_poll_event",
    "fc_agent_poll_transmit",
    "fc_agent_publish",
    "fc_agent_sizeof",
];

/// What functions begin with that keep secrets in flash. A program without flash of its own leaves them out.
const STORE: &str = "fc_agent_flash_";

/// What one program calls that measures, is commanded and comes to a secret of its own: an agent with metrics brings its own session,
/// so nothing of [`SESSION`] is called beside it.
const MACHINE: [&str; 3] = ["fc_agent_machine_", "fc_agent_enrolment_", "fc_agent_boots"];

/// As large as an agent's state; only in an image that asks for it.
const STATE: &str = "FC_AGENT_PROOF_STATE";

/// What coreMQTT says of itself: MQTT 3.1.1 alone, for a Cortex-M built with -Os. It is what session and outbox aim at.
const CORE_MQTT_FLASH_BYTES: u64 = 6_900;
/// What they take, and may not exceed; the aim is 6,900.
const SESSION_FLASH_BYTES_MAX: u64 = 6_350;
/// Metrics, lanes, policies, commands, settings, first boot and batches; the aim is 10,000.
const MACHINE_FLASH_BYTES_MAX: u64 = 18_950;
/// All that the header declares, but for what keeps secrets in flash.
const AGENT_FLASH_BYTES_MAX: u64 = 20_500;
/// That as well; the aim is 8,000 more than without.
const ALL_FLASH_BYTES_MAX: u64 = 27_750;
/// Beside the buffers.
const STATE_BYTES_MAX: u64 = 1_024;

/// Builds the agent for each board, links it, tries to link it with a panic planted, and writes what it costs, with what others
/// cost beside it, to `firmware-sizes.md` of cargo's target folder.
///
/// # Errors
///
/// It can panic, has globals, or is larger than its bars; or the planted panic is not found, and the proof is none.
pub fn firmware() -> Result<()> {
    setup::install_targets()?;
    let workspace = Workspace::load()?;
    let header = workspace.workspace_root.join(HEADER);
    let header = std::fs::read_to_string(&header).with_context(|| format!("could not read {}", header.display()))?;
    let all = functions(&header);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    if let Some(unknown) = SESSION.iter().find(|name| !all.contains(name)) {
        bail!("{HEADER} does not declare {unknown}");
    }
    let without_store: Vec<&str> = all.iter().copied().filter(|name| !name.starts_with(STORE)).collect();
    ensure!(without_store.len() < all.len(), "{HEADER} declares no {STORE}…");
    let begins = |name: &str| MACHINE.iter().any(|start| name.starts_with(start));
    let machine: Vec<&str> = all.iter().copied().filter(|name| begins(name)).collect();
    let linker = Linker::find()?;
    let mut rows = [
        Row::new(
            "flash: session and outbox, for C; the aim is 6,900",
            SESSION_FLASH_BYTES_MAX,
        ),
        Row::new(
            "flash: metrics, commands, settings and first boot, for C; the aim is 10,000",
            MACHINE_FLASH_BYTES_MAX,
        ),
        Row::new("flash: all but the store, for C", AGENT_FLASH_BYTES_MAX),
        Row::new("flash: all of it, for C; the aim is 18,000", ALL_FLASH_BYTES_MAX),
        Row::new("RAM: state, beside the buffers", STATE_BYTES_MAX),
    ];
    for board in &BOARDS {
        let library = build(&workspace, board, "no-panic-proof")?;
        for (row, symbols) in
            rows.iter_mut()
                .zip([&SESSION[..], &machine[..], &without_store[..], &all[..], &[STATE][..]])
        {
            let image = linker.link(board.emulation, &library, symbols)?;
            ensure!(
                image.ram_bytes == 0,
                "{}: {} bytes of globals, and there may be none",
                board.target,
                image.ram_bytes
            );
            row.bytes.push(image.flash_bytes);
        }
        let planted = build(&workspace, board, "planted-panic")?;
        linker.refuses_panic(board.emulation, &planted, &all)?;
        println!(
            "firmware: {} cannot panic; with a panic planted it does not link",
            board.target
        );
    }
    for target in TARGETS {
        if BOARDS.iter().all(|board| board.target != target) {
            build_only(target)?;
        }
    }
    let foreign = foreign::flash_bytes(&workspace, &linker, BOARDS[0].emulation)?;
    let table = Table {
        targets: BOARDS.iter().map(|board| board.target).collect(),
        rows: &rows,
        others: &[
            ("minimq 0.13, MQTT 5 alone, linked in the same way", foreign.minimq),
            (
                "coreMQTT, MQTT 3.1.1 alone, as it says of itself",
                CORE_MQTT_FLASH_BYTES,
            ),
            (
                "embedded-tls 0.19 beside any of them: TLS 1.3 by a shared key, no certificate is verified, no handshake was run",
                foreign.tls,
            ),
        ],
    };
    table.write(&workspace.target_directory)?;
    let missed: Vec<&str> = rows.iter().filter(|row| is_missed(row)).map(|row| row.what).collect();
    ensure!(missed.is_empty(), "beyond the bar: {}", missed.join("; "));
    Ok(())
}

/// Builds the agent with its adapters and its flash.
fn build_only(target: &str) -> Result<()> {
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--package",
        "agent-sdk-async",
        "--package",
        "agent-sdk-blocking",
        "--package",
        "agent-sdk-ffi",
        "--package",
        "agent-sdk-storage",
        "--features",
        "agent-sdk-ffi/no-panic-proof",
        "--profile",
        "firmware",
        "--target",
        target,
    ]))
}

/// Builds the static library with a feature, and gives its file. For this crate type alone: beside a Rust library cargo
/// would not optimise it as a whole.
fn build(workspace: &Workspace, board: &Board, feature: &str) -> Result<PathBuf> {
    run(&mut cargo(&[
        "rustc",
        "--quiet",
        "--package",
        "agent-sdk-ffi",
        "--lib",
        "--crate-type",
        "staticlib",
        "--profile",
        "firmware",
        "--target",
        board.target,
        "--features",
        feature,
    ]))?;
    let folder = workspace.target_directory.join(board.target).join("firmware");
    Ok(folder.join("libagent_sdk_ffi.a"))
}

/// What a header declares: each name with a `(` behind it, in order, once. Comments put names between backticks.
fn functions(header: &str) -> Vec<String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in header.match_indices("fc_agent_") {
        let rest = &header[at..];
        let end = rest.find(|c: char| !is_letter(c)).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        if rest[end..].starts_with('(') && !header[..at].ends_with(is_letter) && !found.contains(&name) {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn is_missed(row: &Row) -> bool {
    BOARDS
        .iter()
        .zip(&row.bytes)
        .any(|(board, bytes)| board.is_gated && *bytes > row.bar)
}

/// Reads an image that was linked.
fn read(file: &Path) -> Result<Image> {
    let bytes = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    Image::parse(&bytes).with_context(|| format!("{} is no image of a board", file.display()))
}

#[cfg(test)]
mod tests {
    use super::table::Row;
    use super::{BOARDS, TARGETS, functions, is_missed};

    #[test]
    fn every_function_of_a_header_is_found_once() {
        let header = "// `fc_agent_no` is not one.\n#define FC_AGENT_X 1\nuint32_t fc_agent_b(void);\n\
                      void *fc_agent_a(fc_agent_t *x);\nint my_fc_agent_c(void);\n#define Y fc_agent_b(1)\n";
        assert_eq!(functions(header), ["fc_agent_a", "fc_agent_b"]);
    }

    #[test]
    fn boards_are_among_the_targets() {
        assert!(BOARDS.iter().all(|board| TARGETS.contains(&board.target)));
    }

    #[test]
    fn bars_hold_for_the_first_board() {
        let row = |bytes: [u64; 2]| Row {
            what: "x",
            bytes: bytes.to_vec(),
            bar: 10,
        };
        assert!(!is_missed(&row([10, 11])));
        assert!(is_missed(&row([11, 1])));
    }
}
