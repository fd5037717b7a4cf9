//! Why a database cannot be used.

use crate::keyring::KeyringError;
use crate::upgrade::MIGRATE_LIMIT;
use hub_store::error::StoreError;
use sqlx::migrate::MigrateError;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection.
    #[error("the database cannot be reached; is it running, and are address, user and password right?")]
    Unreachable(#[source] sqlx::Error),
    /// A newer program wrote it.
    #[error(
        "the database holds schema version {0}, which this program does not know; start the newer program, or go back: \
         `forecall restore --from` puts the backup that was made before the upgrade into a new state directory or an empty database"
    )]
    NewerSchema(i64),
    /// A build that was never released wrote it.
    #[error(
        "the database was made by a build that was never released: its schema version {0} is not this program's; begin with \
         an empty database"
    )]
    OtherSchema(i64),
    /// An older program runs the hub, and a command does not migrate under it.
    #[error(
        "the running hub is of another version than this command: schema version {0} is missing; restart the hub first"
    )]
    OlderSchema(i64),
    /// An import is put into an empty database only, and this one is somebody's.
    #[error("the database holds tables of an earlier program (schema version {0}); an import wants an empty database")]
    Earlier(i64),
    /// A migration failed; it was rolled back.
    #[error("the database could not be brought to this program's schema; nothing was changed")]
    Migration(#[source] MigrateError),
    /// Migrations took too long.
    #[error("migrations did not end within {} minutes", MIGRATE_LIMIT.as_secs() / 60)]
    MigrationTime,
    /// Another keyring than the one that this database was written with.
    #[error(
        "the keyring is not the one that this database was written with: phone numbers would not open; restore the keyring file \
         of that time in its place"
    )]
    WrongKeyring,
    /// What a start needs could not be read or noted.
    #[error("the database did not take the appliance profiles")]
    Start(#[source] StoreError),
    /// An import was cut off.
    #[error(
        "the database holds a part of export {0} only; run `forecall import` again with the same folder, or begin with an \
         empty one"
    )]
    HalfImported(uuid::Uuid),
    /// The system gave no random bytes.
    #[error("this program has no name of its own")]
    Random(#[source] KeyringError),
    /// Durability is switched off.
    #[error("the database runs with {setting} = {value}: an acknowledged reading could be lost; set it to on")]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
    },
}
