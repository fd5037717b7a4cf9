//! Which OS user the database runs as, and whether that user can get to its files. PostgreSQL refuses to run as root.

use super::ClusterError;
use nix::unistd::{Gid, Uid, User, chown, geteuid};
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use tokio::process::Command;

/// Users that root's database runs as, first found.
const DATABASE_USERS: [&str; 2] = ["postgres", "forecall"];

/// The database's OS user, and the hub's.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) hub_name: String,
    uid: Uid,
    gid: Gid,
    drops: bool,
}

impl Identity {
    /// As root: the owner of the data, else a user for databases. Else: the caller.
    pub(super) fn choose(data_dir: &Path) -> Result<Self, ClusterError> {
        let own = geteuid();
        let hub = named(own)?;
        let owner = match std::fs::metadata(data_dir) {
            Ok(data) => Some(Uid::from_raw(data.uid())),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(ClusterError::file(data_dir)(error)),
        };
        let user = match owner {
            Some(owner) if own.is_root() && !owner.is_root() => named(owner)?,
            Some(owner) if owner != own && !own.is_root() => {
                return Err(ClusterError::OtherOwner {
                    data_dir: data_dir.to_owned(),
                    uid: owner.as_raw(),
                });
            }
            _ if own.is_root() => DATABASE_USERS
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten())
                .ok_or(ClusterError::NoUser)?,
            _ => hub.clone(),
        };
        Ok(Self {
            drops: user.uid != own,
            name: user.name,
            hub_name: hub.name,
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// A command that runs as this user with a clean environment.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            // Ctrl-C is for the hub, which then stops the database in order.
            .process_group(0)
            .kill_on_drop(true);
        if self.drops {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Makes a folder of this user that nobody else can enter.
    pub(super) fn make_folder(&self, folder: &Path) -> Result<(), ClusterError> {
        match std::fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) if self.drops => {
                chown(folder, Some(self.uid), Some(self.gid)).map_err(|errno| ClusterError::file(folder)(errno.into()))
            }
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(ClusterError::file(folder)(error)),
        }
    }

    /// Whether a folder is really this user's: one in a place where anybody may make folders could be somebody else's.
    pub(super) fn owns(&self, folder: &Path) -> bool {
        std::fs::symlink_metadata(folder)
            .is_ok_and(|found| found.is_dir() && found.uid() == self.uid.as_raw() && found.mode() & 0o077 == 0)
    }

    /// Gives a file of the hub to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if self.drops {
            chown(path, Some(self.uid), Some(self.gid)).map_err(|errno| ClusterError::file(path)(errno.into()))?;
        }
        Ok(())
    }

    /// Checks the way to the state directory. The last step, our own folder, is opened for passing through.
    pub(super) fn check_can_enter(&self, state_dir: &Path) -> Result<(), ClusterError> {
        if !self.drops {
            return Ok(());
        }
        if !self.can_enter(state_dir)? {
            let mode = std::fs::metadata(state_dir)
                .map_err(ClusterError::file(state_dir))?
                .mode();
            std::fs::set_permissions(state_dir, Permissions::from_mode(mode & 0o7777 | 0o011))
                .map_err(ClusterError::file(state_dir))?;
        }
        self.check_can_pass(state_dir.ancestors().skip(1))
    }

    /// Whether each of these folders lets this user through to what is in it.
    pub(super) fn check_can_pass<'a>(&self, folders: impl Iterator<Item = &'a Path>) -> Result<(), ClusterError> {
        if !self.drops {
            return Ok(());
        }
        let mut closed = Vec::new();
        for folder in folders {
            if !self.can_enter(folder)? {
                closed.push(folder.display().to_string());
            }
        }
        if closed.is_empty() {
            return Ok(());
        }
        Err(ClusterError::Unreachable {
            user: self.name.clone(),
            folders: closed.join(" "),
        })
    }

    fn can_enter(&self, folder: &Path) -> Result<bool, ClusterError> {
        let found = std::fs::metadata(folder).map_err(ClusterError::file(folder))?;
        let bit = if found.uid() == self.uid.as_raw() {
            0o100
        } else if found.gid() == self.gid.as_raw() {
            0o010
        } else {
            0o001
        };
        Ok(found.mode() & bit != 0)
    }
}

fn named(uid: Uid) -> Result<User, ClusterError> {
    User::from_uid(uid)
        .ok()
        .flatten()
        .ok_or(ClusterError::NamelessUser(uid.as_raw()))
}
