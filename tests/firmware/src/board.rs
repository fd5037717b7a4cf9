//! A board as a process of QEMU, and where set-up has put QEMU and the images.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tests_hub::site::SECRET;
use tokio::process::{Child, Command};

/// What puts everything there.
const SET_UP: &str = "run `cargo xtask images` first";

/// A board that QEMU plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// With a Cortex-M3.
    M3,
    /// With a Cortex-M4 and its floating point unit.
    M4,
}

impl Board {
    fn machine(self) -> &'static str {
        match self {
            Self::M3 => "mps2-an385",
            Self::M4 => "mps2-an386",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::M3 => "thumbv7m-none-eabi",
            Self::M4 => "thumbv7em-none-eabihf",
        }
    }
}

/// What a board runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The device agent in Rust, over the board's Ethernet.
    Agent,
    /// minimq, over the same.
    Foreign,
    /// The device agent in C, behind a modem at the board's first serial port.
    C,
}

impl Image {
    /// The file that set-up has built.
    ///
    /// # Errors
    /// It is not there.
    pub fn file(self, board: Board) -> Result<PathBuf> {
        let place = match self {
            Self::Agent => format!("{}/release/agent", board.target()),
            Self::Foreign => format!("{}/release/foreign", board.target()),
            Self::C => match board {
                Board::M3 => "c-demo-m3/c-demo.elf".to_owned(),
                Board::M4 => "c-demo/c-demo.elf".to_owned(),
            },
        };
        installed(&Path::new("boards").join(place))
    }
}

/// How a board reaches the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Ethernet; what listens on this machine's 127.0.0.1 is 10.0.2.2 to the board.
    Ethernet,
    /// Its first serial port, connected to this port of 127.0.0.1.
    Serial(u16),
}

/// What the image is told about its pump and its hub; see `agent-sdk/firmware/qemu-mps2/src/plan.rs`.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// A device of tenant `acme`.
    pub device: &'a str,
    /// Where the hub is, or what stands before it.
    pub port: u16,
    /// The first boot's number; which pump it is, too.
    pub boot: u64,
    /// All others.
    pub more: &'a [(&'a str, u64)],
}

/// What a device has that comes from its factory, in place of a secret of its own.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// How it is let in.
    pub origin: Origin<'a>,
    /// What stands in for its flash; made, and erased, if it is not there.
    pub flash: &'a Path,
}

/// How a new device is let in.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// By this token of a claim credential.
    Claim(&'a str),
    /// By this secret, which its group's key has given it.
    Group(&'a str),
}

/// Bytes of the flash: two pages of 4,096.
const FLASH_BYTES: usize = 8_192;

impl New<'_> {
    fn arguments(&self) -> Result<String> {
        let origin = match self.origin {
            Origin::Claim(token) => format!("claim={token}"),
            Origin::Group(secret) => format!("group={secret}"),
        };
        Ok(format!("arg={origin},{}", flash_argument(self.flash)?))
    }
}

/// The argument that names what stands in for the flash; made, and erased, if it is not there.
fn flash_argument(flash: &Path) -> Result<String> {
    if !flash.exists() {
        std::fs::write(flash, [0xFF; FLASH_BYTES]).with_context(|| format!("cannot create {}", flash.display()))?;
    }
    Ok(format!("arg=flash={}", flash.display()))
}

impl Plan<'_> {
    fn arguments(&self, access: &str) -> String {
        let (device, port, boot) = (self.device, self.port, self.boot);
        let mut text = format!(
            "enable=on,target=native,arg=image,arg=port={port},arg=user=acme/{device},{access},\
             arg=boot={boot},arg=seed={boot},arg=unit={boot}"
        );
        for (name, value) in self.more {
            text.push_str(&format!(",arg={name}={value}"));
        }
        text
    }
}

/// A board that runs; ended with -9 when it is dropped, as if its power failed.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Switches a board on. What it says goes into a file of its own in `folder`.
    ///
    /// # Errors
    /// QEMU or the image is not there, or QEMU does not start.
    pub fn start(folder: &Path, board: Board, image: Image, wire: Wire, plan: &Plan<'_>) -> Result<Self> {
        let access = format!("arg=secret={SECRET}");
        Self::start_with(folder, board, image, wire, &plan.arguments(&access), plan)
    }

    /// The same for a device that keeps in `flash` what is to outlive its power.
    ///
    /// # Errors
    /// As [`Running::start`]; or the flash cannot be made.
    pub fn start_kept(
        folder: &Path,
        board: Board,
        image: Image,
        wire: Wire,
        plan: &Plan<'_>,
        flash: &Path,
    ) -> Result<Self> {
        let access = format!("arg=secret={SECRET},{}", flash_argument(flash)?);
        Self::start_with(folder, board, image, wire, &plan.arguments(&access), plan)
    }

    /// The same for a new device, which comes to a secret of its own first, unless its flash has one.
    ///
    /// # Errors
    /// As [`Running::start`]; or the flash cannot be made.
    pub fn start_new(
        folder: &Path,
        board: Board,
        image: Image,
        wire: Wire,
        plan: &Plan<'_>,
        new: &New<'_>,
    ) -> Result<Self> {
        Self::start_with(folder, board, image, wire, &plan.arguments(&new.arguments()?), plan)
    }

    fn start_with(
        folder: &Path,
        board: Board,
        image: Image,
        wire: Wire,
        arguments: &str,
        plan: &Plan<'_>,
    ) -> Result<Self> {
        let file = image.file(board)?;
        let log = folder.join(format!("{}-{}.log", plan.device, plan.boot));
        let said = std::fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = Command::new(qemu()?);
        command
            .args(["-M", board.machine(), "-nographic", "-monitor", "none"])
            .args(["-semihosting-config", arguments]);
        match wire {
            Wire::Ethernet => command.args(["-serial", "none", "-nic", "user,model=lan9118"]),
            Wire::Serial(port) => command.args(["-nic", "none", "-serial", &format!("tcp:127.0.0.1:{port}")]),
        };
        let child = command
            .arg("-kernel")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start QEMU")?;
        Ok(Self { child, log })
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Still runs; an error with what it said otherwise.
    ///
    /// # Errors
    /// It has ended.
    pub fn is_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the board has ended with {status}:\n{}", self.said()),
        }
    }

    /// Cuts its power.
    ///
    /// # Errors
    /// It had ended before.
    pub async fn cut_power(mut self) -> Result<()> {
        self.is_alive()?;
        self.child.kill().await.context("QEMU cannot be killed")
    }

    /// Waits until it ends by itself, well.
    ///
    /// # Errors
    /// It does not end in time, or with another code than 0; with what it said.
    pub async fn ended(mut self, limit: Duration) -> Result<String> {
        let waited = tokio::time::timeout(limit, self.child.wait()).await;
        let status = match waited {
            Ok(status) => status?,
            Err(_) => bail!("the board does not end:\n{}", self.said()),
        };
        ensure!(status.success(), "the board ended with {status}:\n{}", self.said());
        Ok(self.said())
    }
}

/// How deep the stack of a board went until it ended, in bytes, by what it said. Noted beside the images as that of `what`, for the
/// table of sizes.
///
/// # Errors
/// It did not say it, or it cannot be noted.
pub fn stack_bytes(what: &str, said: &str) -> Result<u64> {
    let depth = said
        .lines()
        .find_map(|line| line.strip_prefix("stack ")?.strip_suffix(" bytes"));
    let depth = depth.with_context(|| format!("nothing about the stack:\n{said}"))?;
    let note = installed(Path::new("boards"))?.join(format!("stack-{what}.txt"));
    std::fs::write(&note, depth).with_context(|| format!("cannot write {}", note.display()))?;
    depth.parse().with_context(|| format!("{depth} is no number"))
}

/// What all of the C program may take of the stack, painted: agent, outbox, first boot, and what is around them.
pub const C_STACK_MAX: u64 = 2 * 1_024;

/// QEMU: what set-up has unpacked, else the machine's own.
///
/// # Errors
/// Neither is there.
pub fn qemu() -> Result<PathBuf> {
    const PROGRAM: &str = "qemu-system-arm";
    if let Ok(start) = installed(Path::new("qemu/start")) {
        return Ok(start);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file());
    ensure!(is_here, "{PROGRAM} is not here: {SET_UP}");
    Ok(PROGRAM.into())
}

/// A part of the target folder that this program was built in.
fn installed(part: &Path) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let mut places = program.ancestors().map(|folder| folder.join(part));
    let found = places.find(|path| path.exists());
    found.with_context(|| format!("target/{} is missing: {SET_UP}", part.display()))
}
