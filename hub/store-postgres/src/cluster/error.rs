//! Why the cluster does not run, and what to do about it.

use std::path::{Path, PathBuf};

/// Why the cluster does not run.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server was found (looked for postgres, initdb and pg_ctl in {looked_in}); install it with \
         `apt-get install postgresql`, or give DATABASE_URL"
    )]
    NoBinaries {
        /// Folders that were looked in.
        looked_in: String,
    },
    /// The data belong to another major version.
    #[error(
        "{data_dir} was written by PostgreSQL {data}, found here: {found}; install PostgreSQL {data}, or move the data with pg_upgrade"
    )]
    WrongMajor {
        /// The data.
        data_dir: PathBuf,
        /// Their major version.
        data: u32,
        /// Major versions found.
        found: String,
    },
    /// Data that no hub has made.
    #[error(
        "{0} holds data that no hub has made, or that have lost PG_VERSION or postgresql.conf; choose another state \
         directory, or restore a backup"
    )]
    Foreign(PathBuf),
    /// Root, and nobody to become.
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` to run it as; create one with \
         `useradd --system postgres`, or start the hub as an ordinary user"
    )]
    NoUser,
    /// This user has no name.
    #[error("user id {0} has no entry in the user database, which PostgreSQL needs; add one, or give DATABASE_URL")]
    NamelessUser(u32),
    /// The database's user cannot get to its files.
    #[error(
        "user {user} cannot enter {folders} on the way to the state directory; choose another, such as /var/lib/forecall, \
         or run `chmod o+x {folders}`"
    )]
    Unreachable {
        /// Name of the user.
        user: String,
        /// What is closed to them, the nearest first.
        folders: String,
    },
    /// The data belong to another user.
    #[error("{data_dir} belongs to user id {uid}; start the hub as that user")]
    OtherOwner {
        /// The data.
        data_dir: PathBuf,
        /// Number of the user that owns it.
        uid: u32,
    },
    /// Open to others, and not the hub's to close.
    #[error(
        "{path} is open to others (mode {mode:o}) and belongs to user id {uid}; start the hub as that user, make it the hub's with \
         `chown`, or choose another state directory"
    )]
    Open {
        /// The state directory, or the lock in it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Whose it is.
        uid: u32,
    },
    /// A folder in which everybody makes files (its sticky bit says so).
    #[error("{0} is a folder for everybody; choose a folder of its own in it as state directory")]
    Everybodys(PathBuf),
    /// A folder for the socket that somebody else made.
    #[error("{folder} is not a folder of user {user} with mode 0700; remove it")]
    SocketFolder {
        /// The folder.
        folder: PathBuf,
        /// Whose it should be.
        user: String,
    },
    /// Another hub is running.
    #[error("another hub runs on {0}; stop it, or choose another state directory")]
    SecondHub(PathBuf),
    /// A file or folder.
    #[error("{path}: cannot be read or written")]
    File {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        #[source]
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Name of the program.
        program: String,
        /// What it said, or the end of its log.
        output: String,
    },
    /// A program of PostgreSQL did not end in time.
    #[error("{program} did not end within {seconds} s")]
    Deadline {
        /// Name of the program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// A process that may be this cluster's, and that the hub may not look into.
    #[error(
        "{file} names process {pid}, which lives and cannot be looked into; end it if it is this database's, else remove \
         the file"
    )]
    Opaque {
        /// The postmaster's file.
        file: PathBuf,
        /// What it names.
        pid: i32,
    },
    /// Processes of an earlier run do not end.
    #[error("processes {0:?} of an earlier database do not end; end them and start again")]
    Undead(Vec<i32>),
    /// The hub that holds the state directory has no database that answers.
    #[error(
        "a hub holds {0}, but its database does not answer; is it just starting or stopping? try again, or look at its log"
    )]
    NotJoined(PathBuf),
    /// It started, but does not take a connection.
    #[error("the database started but takes no connection")]
    Connect(#[source] sqlx::Error),
}

impl ClusterError {
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
