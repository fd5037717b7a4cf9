//! The keyring: where it is, and when one may be made. Never where data are: a new one would open none of them, and a copy made
//! of it would be the wrong key under the right name.

use crate::config::Config;
use anyhow::{Context, Result};
use hub_store_postgres::{Cluster, Keyring, KeyringError, PostgresStore, make_state_dir};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where `FORECALL_KEY_FILE` says, else in the state directory. Makes nothing.
pub fn file(config: &Config) -> PathBuf {
    let usual = || config.state_dir.join("keyring.toml");
    config.key_file.clone().unwrap_or_else(usual)
}

/// Opens it; where there is none and no data either, makes it.
///
/// # Errors
///
/// [`KeyringError::Missing`] where data are; else where it cannot be used or made, or a given database does not answer.
pub async fn open_or_make(config: &Config) -> Result<Keyring> {
    let path = file(config);
    if let Some(keyring) = open(&path)? {
        return Ok(keyring);
    }
    if data_are_there(config).await? {
        // Another program may have begun meanwhile: its keyring is there before its data.
        return match open(&path)? {
            Some(keyring) => Ok(keyring),
            None => Err(KeyringError::Missing { path }.into()),
        };
    }
    if config.key_file.is_none() {
        make_state_dir(&config.state_dir).context("cannot make the state directory")?;
    }
    Keyring::open_or_create(&path).context("cannot make the keyring")
}

/// Whether there are data that need the keyring they were written with. Makes nothing.
///
/// # Errors
///
/// Where nobody may look, or a given database does not answer.
pub async fn data_are_there(config: &Config) -> Result<bool> {
    match &config.database_url {
        Some(url) => {
            let options = url.parse().context("DATABASE_URL is not valid")?;
            PostgresStore::is_written(options)
                .await
                .context("cannot look whether the database needs its keyring")
        }
        None => Ok(Cluster::holds_data(&config.state_dir)?),
    }
}

fn open(path: &Path) -> Result<Option<Keyring>> {
    match Keyring::open(path) {
        Ok(keyring) => Ok(Some(keyring)),
        Err(KeyringError::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot open the keyring"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(state_dir: &Path) -> Config {
        Config {
            state_dir: state_dir.to_owned(),
            ..Config::default()
        }
    }

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn no_keyring_is_made_where_data_are() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        // Whatever lies where data belong: also what lost its PG_VERSION.
        let data = state.join("postgres/data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("postgresql.conf"), "").unwrap();
        let config = config(&state);
        let refused = open_or_make(&config).await.unwrap_err();
        assert!(
            matches!(refused.downcast_ref::<KeyringError>(), Some(KeyringError::Missing { path }) if *path == file(&config)),
            "{refused:#}"
        );
        assert!(!file(&config).exists() && entries(&state) == 1);
        // One that is there is opened, data or not.
        let made = Keyring::open_or_create(&file(&config));
        assert!(made.is_ok() && open_or_make(&config).await.is_ok());
    }

    #[tokio::test]
    async fn the_first_is_made_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let config = config(&state);
        assert!(!data_are_there(&config).await.unwrap());
        assert!(!state.exists(), "a look makes nothing");
        open_or_make(&config).await.unwrap();
        assert!(file(&config).exists() && entries(&state) == 1);
    }

    #[tokio::test]
    async fn none_is_made_for_a_database_that_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let config = Config {
            database_url: Some("postgres://nobody@127.0.0.1:1/none".to_owned()),
            ..config(&state)
        };
        let refused = open_or_make(&config).await.unwrap_err();
        assert!(format!("{refused:#}").contains("cannot look whether"), "{refused:#}");
        assert!(!state.exists());
    }
}
