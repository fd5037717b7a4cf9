//! The cluster's data: made once and whole, configured at every start.

use super::binaries::Binaries;
use super::identity::Identity;
use super::paths::ClusterPaths;
use super::{ClusterError, NAME, PORT, child};
use std::path::Path;
use std::time::Duration;

/// `initdb` may take this long on a slow disk.
const INITDB_LIMIT: Duration = Duration::from_secs(180);
/// What the server makes of a setting, it says at once or not at all.
const SETTING_LIMIT: Duration = Duration::from_secs(10);
/// Memory for the server's buffers: an eighth of the machine's, within these bounds, in MiB.
const BUFFERS_MIB: std::ops::RangeInclusive<u64> = 32..=2048;
/// Space for the log between two checkpoints: an eighth of what is free on the disk, within these bounds, in MiB. What was
/// logged since the last checkpoint is done again after a kill, some 100 MB/s on two shared cores: within 15 s a hub that
/// was killed under load is to be ready again.
const LOG_MIB: std::ops::RangeInclusive<u64> = 256..=1024;
/// How the configuration begins that a hub has written; so data are known that no hub has made.
const WRITTEN_BY: &str = "# Written by the hub at every start.\n";
/// Connections: the hub's pool, a person with `psql`, and the server's own.
const CONNECTIONS_MAX: u32 = 40;
/// A query without bounds in time, or a dump, locks every week and its indexes: ten years are some 1,600 locks.
const LOCKS: u32 = 256;

impl ClusterPaths {
    /// Makes the data beside their place and moves them there whole, so that a kill leaves all or nothing.
    pub(super) async fn initialise(&self, binaries: &Binaries, identity: &Identity) -> Result<(), ClusterError> {
        if self.exists()? {
            return self.check_made_by_a_hub();
        }
        let unfinished = self.home.join("data.unfinished");
        match std::fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ClusterError::file(&unfinished)(error));
            }
            _ => {}
        }
        tracing::info!(data_dir = %self.data.display(), version = %binaries.version, "making the database");
        let mut command = identity.command(&binaries.program("initdb"), &self.home);
        command
            .args([
                "--encoding=UTF8",
                "--no-locale",
                "--data-checksums",
                "--no-instructions",
            ])
            .args(["--auth-local=peer", "--auth-host=reject"])
            .arg(format!("--username={NAME}"))
            .arg("--pgdata")
            .arg(&unfinished);
        child::run(command, "initdb", INITDB_LIMIT).await?;
        let settings = unfinished.join("postgresql.conf");
        std::fs::write(&settings, WRITTEN_BY).map_err(ClusterError::file(&settings))?;
        std::fs::rename(&unfinished, &self.data).map_err(ClusterError::file(&self.data))
    }

    fn check_made_by_a_hub(&self) -> Result<(), ClusterError> {
        let written = std::fs::read_to_string(self.data.join("postgresql.conf")).unwrap_or_default();
        match written.starts_with(WRITTEN_BY) && self.major()?.is_some() {
            true => Ok(()),
            false => Err(ClusterError::Foreign(self.data.clone())),
        }
    }

    /// How the server at hand compresses whole pages in its log: with lz4 where it was built with it, which costs a fraction of
    /// its own way (`on`). Asked of the server, since one that does not know a value does not start.
    pub(super) async fn compression(&self, binaries: &Binaries, identity: &Identity) -> &'static str {
        let mut command = identity.command(&binaries.program("postgres"), Path::new("/"));
        command
            .arg("-D")
            .arg(&self.data)
            .args(["-c", "wal_compression=lz4", "-C", "wal_compression"]);
        match child::run(command, "postgres -C wal_compression", SETTING_LIMIT).await {
            Ok(said) if said.trim() == "lz4" => "lz4",
            _ => "on",
        }
    }

    /// Writes the configuration; the hub owns it, so changes by hand do not outlive a start.
    pub(super) fn configure(&self, identity: &Identity, compression: &str) -> Result<(), ClusterError> {
        self.write(identity, "postgresql.conf", &self.settings(compression))?;
        // What `alter system` said would win.
        self.write(identity, "postgresql.auto.conf", "")?;
        // Root and the database's own user are the hub's role; nobody else gets in.
        self.write(identity, "pg_hba.conf", &format!("local all {NAME} peer map={NAME}\n"))?;
        let map = format!("{NAME} {} {NAME}\n{NAME} {} {NAME}\n", identity.name, identity.hub_name);
        self.write(identity, "pg_ident.conf", &map)
    }

    fn settings(&self, compression: &str) -> String {
        let socket = self.socket.to_string_lossy().replace('\'', "''");
        let memory = memory_mib().unwrap_or(0);
        let buffers = (memory / 8).clamp(*BUFFERS_MIB.start(), *BUFFERS_MIB.end());
        let cache = (memory / 2).max(2 * buffers);
        let upkeep = (buffers / 4).max(16);
        let free =
            nix::sys::statvfs::statvfs(&self.home).map_or(0, |disk| disk.blocks_available() * disk.fragment_size());
        let log = ((free >> 20) / 8).clamp(*LOG_MIB.start(), *LOG_MIB.end());
        // Files of the log are used again instead of made.
        let kept = log / 2;
        format!(
            "{WRITTEN_BY}\
             listen_addresses = ''\n\
             port = {PORT}\n\
             unix_socket_directories = '{socket}'\n\
             unix_socket_permissions = 0700\n\
             max_connections = {CONNECTIONS_MAX}\n\
             max_locks_per_transaction = {LOCKS}\n\
             shared_buffers = {buffers}MB\n\
             effective_cache_size = {cache}MB\n\
             maintenance_work_mem = {upkeep}MB\n\
             max_wal_size = {log}MB\n\
             min_wal_size = {kept}MB\n\
             # The first change of a page after a checkpoint logs all of it, which is most of the log of a trickle over many\n\
             # appliances: so checkpoints are rare, spread out, and whole pages are compressed.\n\
             checkpoint_timeout = 30min\n\
             checkpoint_completion_target = 0.9\n\
             wal_compression = {compression}\n\
             autovacuum_vacuum_insert_scale_factor = 0.1\n\
             # Tables whose rows come and go by the second grow by what dies between two looks.\n\
             autovacuum_naptime = 15s\n\
             fsync = on\n\
             full_page_writes = on\n\
             synchronous_commit = on\n\
             wal_level = replica\n\
             jit = off\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n\
             lc_messages = 'C'\n\
             logging_collector = on\n\
             log_directory = 'log'\n\
             log_filename = 'postgresql-%a.log'\n\
             log_truncate_on_rotation = on\n\
             log_rotation_age = 1d\n\
             log_rotation_size = 0\n\
             log_min_messages = warning\n\
             log_min_error_statement = panic\n\
             log_parameter_max_length = 0\n"
        )
    }

    fn write(&self, identity: &Identity, name: &str, text: &str) -> Result<(), ClusterError> {
        let path = self.data.join(name);
        let beside = self.data.join(format!("{name}.new"));
        std::fs::write(&beside, text).map_err(ClusterError::file(&beside))?;
        identity.give(&beside)?;
        std::fs::rename(&beside, &path).map_err(ClusterError::file(&path))
    }
}

fn memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
