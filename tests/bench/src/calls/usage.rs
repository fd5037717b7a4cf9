//! What a process holds and has used, from outside (proc(5)).

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::Duration;
use tests_hub::processes::resident_memory;

/// What it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// In RAM, in bytes.
    pub memory: u64,
    /// Open files.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

impl Held {
    /// Now.
    ///
    /// # Errors
    /// There is no such process, or it is another user's.
    pub fn now(pid: u32) -> Result<Self> {
        Ok(Self {
            memory: resident_memory(pid)?,
            files: entries(&format!("/proc/{pid}/fd"))?.len(),
            threads: entries(&format!("/proc/{pid}/task"))?.len(),
        })
    }
}

/// Processor time of each thread so far. The kernel counts it in nanoseconds, not in ticks: in some seconds of little work
/// that makes a difference.
pub(super) struct Used(BTreeMap<String, u64>);

impl Used {
    /// So far.
    ///
    /// # Errors
    /// There is no such process, or the kernel does not tell (`CONFIG_SCHED_INFO`).
    pub fn now(pid: u32) -> Result<Self> {
        let mut used = BTreeMap::new();
        for thread in entries(&format!("/proc/{pid}/task"))? {
            let path = format!("/proc/{pid}/task/{thread}/schedstat");
            // A thread may have ended since.
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let first = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
            used.insert(thread, first.with_context(|| format!("no time in {path}"))?);
        }
        anyhow::ensure!(!used.is_empty(), "the kernel tells no thread's time of process {pid}");
        Ok(Self(used))
    }

    /// Since then, of all threads that there still are.
    pub fn since(&self, before: &Self) -> Duration {
        let each = self.0.iter().map(|(thread, ns)| {
            let until_then = before.0.get(thread).copied().unwrap_or(0);
            ns.saturating_sub(until_then)
        });
        Duration::from_nanos(each.sum())
    }
}

fn entries(dir: &str) -> Result<Vec<String>> {
    let all = std::fs::read_dir(dir).with_context(|| dir.to_owned())?;
    Ok(all
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_files_and_uses_time() {
        let pid = std::process::id();
        let (before, used) = (Held::now(pid).unwrap(), Used::now(pid).unwrap());
        assert!(before.memory > 0 && before.threads > 0, "{before:?}");
        let files: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        // Other tests of this program open and close some.
        assert!(Held::now(pid).unwrap().files + 25 >= before.files + files.len());
        let begun = std::time::Instant::now();
        let mut sum = 0_u64;
        while Used::now(pid).unwrap().since(&used) < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(begun.elapsed() < Duration::from_secs(60), "work takes time");
        }
    }
}
