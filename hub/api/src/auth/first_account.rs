//! The one account that a new hub makes for itself, so that somebody can log in.

use super::password;
use hub_core::actor::Actor;
use hub_core::clock::CivilClock;
use hub_core::id::AccountId;
use hub_store::StoreError;
use hub_store::account::{Account, AccountStore};
use rand::{CryptoRng, Rng};

/// Log-in name of the first account.
const NAME: &str = "admin";
/// No letters or figures that are taken for each other.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Groups of four: 16 characters of 31, about 79 bits.
const GROUPS: usize = 4;

/// The account that was made. The password exists nowhere else: print it once.
pub struct FirstAccount {
    /// Log-in name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// Why the first account could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FirstAccountError {
    /// The store failed.
    #[error("could not store the first account")]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error("could not hash the first account's password")]
    Hash,
}

/// A password that was just drawn, and what is stored of it.
pub struct NewPassword {
    /// For its person; it exists nowhere else.
    pub password: String,
    /// Argon2id in PHC string form.
    pub hash: String,
}

/// Draws a password that can be read off paper.
///
/// # Errors
///
/// [`FirstAccountError::Hash`].
pub fn new_password(rng: &mut (impl Rng + CryptoRng)) -> Result<NewPassword, FirstAccountError> {
    let password = random_groups(rng, GROUPS);
    let salt: [u8; 16] = rng.random();
    let hash = password::hash(&password, &salt).map_err(|_| FirstAccountError::Hash)?;
    Ok(NewPassword { password, hash })
}

/// Makes the account if there is no account at all; `None` if there is one.
pub async fn create_first_account(
    store: &dyn AccountStore,
    clock: &dyn CivilClock,
    rng: &mut (impl Rng + CryptoRng),
) -> Result<Option<FirstAccount>, FirstAccountError> {
    let NewPassword { password, hash } = new_password(rng)?;
    let now = clock.now();
    let account = Account {
        id: AccountId::new(now, rng.random()),
        password_hash: hash,
        actor: Actor::administrator(NAME),
    };
    let made = store.create_first_account(&account, now).await?;
    Ok(made.then(|| FirstAccount {
        name: NAME.to_owned(),
        password,
    }))
}

/// Groups of four characters that can be read off a label and told on the phone.
pub(crate) fn random_groups(rng: &mut impl Rng, groups: usize) -> String {
    let group = |rng: &mut dyn rand::RngCore| -> String {
        (0..4)
            .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
            .collect()
    };
    (0..groups).map(|_| group(rng)).collect::<Vec<_>>().join("-")
}
