//! This process as the system sees it.

use crate::terminal::complain;
use hub_core::metric::{Metric, MetricKind, MetricSample, MetricValue};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use std::time::Duration;

/// Files that the hub itself needs, besides one for each connection of a device or a person: database, models, calls.
pub const FILES_OWN: u64 = 2_048;

/// Lets this process open as many files as it may, and says how many that is.
pub fn raise_file_limit() -> nix::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// How many files a hub started from here may open.
pub fn file_limit() -> nix::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}

/// Ends the process after `grace`, whatever it is busy with then: the last resort of a stop that hangs, on a thread that nothing
/// else runs on. Exit code 1.
pub fn end_within(grace: Duration) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("last-resort".into());
    thread.spawn(move || end_after(grace)).map(drop)
}

fn end_after(grace: Duration) {
    std::thread::sleep(grace);
    complain(format_args!(
        "error: the stop took more than {} s and was cut off",
        grace.as_secs()
    ));
    std::process::exit(1);
}

/// Memory, open files and processor time, under the names that all programs use. What the system does not tell is left out.
pub fn metrics() -> Vec<Metric> {
    let gauge = |name, help, value: Option<u64>| Some(Metric::new(name, MetricKind::Gauge, help).with(&[], value?));
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft);
    let known = [
        gauge("process_resident_memory_bytes", "Memory in use.", resident_bytes()),
        gauge("process_open_fds", "Files open.", open_files()),
        gauge("process_max_fds", "Files that may be open.", limit),
        processor_time(),
    ];
    known.into_iter().flatten().collect()
}

fn processor_time() -> Option<Metric> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let both = [usage.user_time(), usage.system_time()];
    let seconds = both.iter().map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6).sum();
    let help = "Processor time used.";
    let mut metric = Metric::new("process_cpu_seconds_total", MetricKind::Counter, help);
    metric.samples.push(MetricSample {
        labels: Vec::new(),
        value: MetricValue::Number(seconds),
    });
    Some(metric)
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_a_limit() {
        let metrics = metrics();
        assert_eq!(metrics.len(), 4);
        for metric in metrics {
            let MetricValue::Number(value) = metric.samples[0].value else {
                panic!("{}", metric.name);
            };
            assert!(value > 0.0, "{}", metric.name);
        }
        assert!(raise_file_limit().unwrap() >= 64);
    }
}
