//! Processes that take part, as proc(5) shows them: who they are, their processor time and their memory.

use anyhow::{Context, Result};
use std::fmt;
use std::path::Path;

/// Of /proc's times, on every Linux that this runs on (`USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

/// One process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Who made it.
    pub parent: u32,
    /// Name of the program, cut by the kernel to 15 characters.
    pub name: String,
    /// Processor time in seconds, user and system.
    pub own_s: f64,
    /// The same of children that have ended and were waited for.
    pub ended_children_s: f64,
}

/// All processes of this machine. One that ends while it is looked at is left out.
pub fn all() -> Result<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").context("there is no /proc")?;
    let pids = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    Ok(pids.filter_map(read).collect())
}

/// The database server of a hub with this state directory: its first process and those that it made.
pub fn database<'a>(processes: &'a [Process], state: &Path) -> Vec<&'a Process> {
    let first = processes.iter().find(|p| is_postmaster(p, state)).map(|p| p.pid);
    let belongs = |p: &&Process| first.is_some_and(|first| p.pid == first || p.parent == first);
    processes.iter().filter(belongs).collect()
}

/// Memory of a process that is in RAM, in bytes (`VmRSS`).
///
/// # Errors
/// There is no such process.
pub fn resident_memory(pid: u32) -> Result<u64> {
    memory(pid, "VmRSS:")
}

/// The most that it ever was, in bytes (`VmHWM`).
///
/// # Errors
/// There is no such process, or it has ended.
pub fn peak_memory(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM:")
}

/// Memory of all processes of the database in this state directory that is no other's, in bytes (`RssAnon`): what they
/// share would be counted once for each.
///
/// # Errors
/// There is no /proc.
pub fn database_memory(state: &Path) -> Result<u64> {
    let processes = all()?;
    // One may have ended meanwhile.
    let each = database(&processes, state).into_iter();
    Ok(each.filter_map(|process| memory(process.pid, "RssAnon:").ok()).sum())
}

fn memory(pid: u32, kind: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix(kind));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    let kib: u64 = kib.with_context(|| format!("no {kind} in {path}"))?.parse()?;
    Ok(kib * 1024)
}

/// Processor time in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// The program.
    pub hub: f64,
    /// All processes of its database.
    pub database: f64,
    /// This process: the publishers, or the peer's client.
    pub client: f64,
}

impl Cpu {
    /// All so far, of the hub that this process has started and of the database in its state directory.
    pub fn now(state: &Path) -> Result<Self> {
        let processes = all()?;
        let this = std::process::id();
        let mut cpu = Self::default();
        for process in &processes {
            if process.pid == this {
                cpu.client += process.own_s;
            } else if process.parent == this && process.name == "forecall" {
                cpu.hub += process.own_s;
            }
        }
        for process in database(&processes, state) {
            cpu.database += process.own_s + process.ended_children_s;
        }
        Ok(cpu)
    }

    /// What was used between the two.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            hub: self.hub - before.hub,
            database: self.database - before.database,
            client: self.client - before.client,
        }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hub > 0.0 {
            write!(f, "hub {:.2}, ", self.hub)?;
        }
        write!(f, "database {:.2}, client {:.2}", self.database, self.client)
    }
}

/// The server's first process names its data directory; the processes it makes name what they do.
fn is_postmaster(process: &Process, state: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    let words: Vec<_> = command.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
    let state = state.to_string_lossy();
    words.first().is_some_and(|w| w.ends_with("postgres")) && words.iter().any(|w| w.contains(&*state))
}

fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; what follows starts with field 3, the state.
    let (start, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let seconds = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_A_SECOND);
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        name: start.split_once('(')?.1.to_owned(),
        own_s: seconds(14)? + seconds(15)?,
        ended_children_s: seconds(16)? + seconds(17)?,
    })
}
