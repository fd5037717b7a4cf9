//! Whether files are those that were read.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Of each file its length, and the seconds and nanoseconds at which its content and its entry last changed: a copy may bring the
/// first of these times along, never the second.
pub type Stamps = BTreeMap<PathBuf, [i64; 5]>;

/// The stamps of these files as they are now; none of one that is not there.
pub fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |file: &PathBuf| {
        let meta = std::fs::metadata(file).ok()?;
        let length = i64::try_from(meta.len()).unwrap_or(i64::MAX);
        let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        Some((file.clone(), [length, times[0], times[1], times[2], times[3]]))
    };
    files.iter().filter_map(stamp).collect()
}
