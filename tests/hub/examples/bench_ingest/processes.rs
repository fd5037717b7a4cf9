//! Processor time of the processes that take part (proc(5)).

use anyhow::{Context, Result};
use std::fmt;
use std::path::Path;

/// Of /proc's times, on every Linux that this runs on (`USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

/// Processor time in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    hub: f64,
    database: f64,
    /// This process: the publishers, or the peer's client.
    client: f64,
}

struct Process {
    pid: u32,
    parent: u32,
    name: String,
    own_s: f64,
    /// Of children that have ended.
    ended_children_s: f64,
}

impl Cpu {
    /// All so far, of the hub that this process has started and of the database in its state directory.
    pub(crate) fn now(state: &Path) -> Result<Self> {
        let processes = processes()?;
        let this = std::process::id();
        let postmaster = processes.iter().find(|p| is_postmaster(p, state)).map(|p| p.pid);
        let mut cpu = Self::default();
        for process in &processes {
            if process.pid == this {
                cpu.client += process.own_s;
            } else if process.parent == this && process.name == "forecall" {
                cpu.hub += process.own_s;
            } else if Some(process.pid) == postmaster {
                cpu.database += process.own_s + process.ended_children_s;
            } else if Some(process.parent) == postmaster {
                cpu.database += process.own_s;
            }
        }
        Ok(cpu)
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
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

fn processes() -> Result<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").context("there is no /proc")?;
    let pids = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    // A process may end while it is looked at.
    Ok(pids.filter_map(read).collect())
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
