//! The state directory and the lock in it are for the hub's user alone: what is open to others is closed at the start.

use super::ClusterError;
use nix::unistd::geteuid;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Of the state directory.
const FOLDER_MODE: u32 = 0o700;
/// Root's database runs as another user, who passes through the state directory to its own folder.
const FOLDER_MODE_OF_ROOT: u32 = 0o711;
/// Of the lock. A user who may open it could hold it.
pub(super) const LOCK_MODE: u32 = 0o600;

/// In a folder with it everybody makes files, and nobody removes another's.
const STICKY: u32 = 0o1000;

/// Makes the state directory if it is not there, with mode 0700; answers with its real path. One that is open to others is
/// closed, which is logged.
///
/// # Errors
///
/// Where it cannot be made, or is open to others and somebody else's, or a folder for everybody.
pub fn make_state_dir(state_dir: &Path) -> Result<PathBuf, ClusterError> {
    if let Some(above) = state_dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        std::fs::create_dir_all(above).map_err(ClusterError::file(above))?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(state_dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(ClusterError::file(state_dir)(error)),
        _ => {}
    }
    let found = std::fs::metadata(state_dir).map_err(ClusterError::file(state_dir))?;
    if !found.is_dir() {
        return Err(ClusterError::file(state_dir)(ErrorKind::NotADirectory.into()));
    }
    if found.mode() & STICKY != 0 {
        return Err(ClusterError::Everybodys(state_dir.to_owned()));
    }
    let mode_max = if geteuid().is_root() {
        FOLDER_MODE_OF_ROOT
    } else {
        FOLDER_MODE
    };
    close(state_dir, &found, mode_max)?;
    state_dir.canonicalize().map_err(ClusterError::file(state_dir))
}

/// Takes from others what `mode_max` does not give them.
pub(super) fn close(path: &Path, found: &Metadata, mode_max: u32) -> Result<(), ClusterError> {
    let mode = found.mode() & 0o777;
    let closed = mode & mode_max;
    if closed == mode {
        return Ok(());
    }
    let user = geteuid();
    if !user.is_root() && found.uid() != user.as_raw() {
        return Err(ClusterError::Open {
            path: path.to_owned(),
            mode,
            uid: found.uid(),
        });
    }
    let special = found.mode() & 0o7000;
    std::fs::set_permissions(path, Permissions::from_mode(special | closed)).map_err(ClusterError::file(path))?;
    let (was, is) = (format!("{mode:o}"), format!("{closed:o}"));
    tracing::warn!(path = %path.display(), was, is, "permissions narrowed: others had access");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn open_to(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_state_directory_is_made_for_one_user_and_a_wider_one_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/state");
        let made = make_state_dir(&state).unwrap();
        assert_eq!((made, mode(&state)), (state.canonicalize().unwrap(), 0o700));
        let most = if geteuid().is_root() { 0o711 } else { 0o700 };
        for (wide, closed) in [(0o755, most), (0o777, most), (0o750, 0o710 & most), (0o700, 0o700)] {
            open_to(&state, wide);
            make_state_dir(&state).unwrap();
            assert_eq!(mode(&state), closed, "{wide:o}");
        }
        open_to(&state, 0o1777);
        let refused = make_state_dir(&state).unwrap_err();
        assert!(matches!(refused, ClusterError::Everybodys(_)), "{refused}");
        assert_eq!(mode(&state), 0o1777, "not touched");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make_state_dir(&file).is_err());
    }

    #[test]
    fn what_is_somebody_elses_is_refused_and_not_touched() {
        // Root closes what it finds.
        if geteuid().is_root() {
            return;
        }
        let found = std::fs::metadata("/").unwrap();
        let refused = close(Path::new("/"), &found, 0o700).unwrap_err();
        assert!(
            refused.to_string().contains("make it the hub's with `chown`"),
            "{refused}"
        );
    }

    #[test]
    fn a_lock_that_others_may_hold_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("hub.lock");
        std::fs::write(&lock, "").unwrap();
        open_to(&lock, 0o644);
        let held = super::super::lock::try_take(folder.path()).unwrap();
        assert_eq!(mode(&lock), LOCK_MODE);
        drop(held);
        std::fs::remove_file(&lock).unwrap();
        let _held = super::super::lock::try_take(folder.path()).unwrap();
        assert_eq!(mode(&lock), LOCK_MODE);
    }
}
