//! The keyring: encrypts the keys of households and trunk passwords, and makes the blind index by which a number is found.
//!
//! Values are sealed with AES-256-GCM under the newest key and bound to their row and column, so that a value copied to
//! another row does not open. The blind index is HMAC-SHA-256 (RFC 2104) of the E.164 form under a key of its own.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use hub_core::phone_number::PhoneNumber;
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// First byte of a sealed value.
const FORMAT: u8 = 1;
/// Format, key id, nonce.
const HEADER_LEN: usize = 1 + 4 + 12;
/// A keyring file is never longer than this, in bytes.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// Why a keyring cannot be used, or a sealed value not opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or made.
    #[error(
        "keyring {path}: cannot be read or written; it is a file of the hub's user with mode 600 in a folder that exists: set \
         that right, or restore your copy of it"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        #[source]
        source: std::io::Error,
    },
    /// There is none, where data are that were written with one. A new one would open none of them.
    #[error(
        "keyring {path} is missing, and the data were written with it: restore your copy of it to there, with mode 600"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("keyring {path}: others may read it (mode {mode:o}); run `chmod 600 {path}`")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a keyring.
    #[error("keyring {path}: {problem}; restore your copy of it")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandom,
    /// A value was sealed with a key that this keyring does not hold, or was changed since.
    #[error(
        "a sealed value does not open: key {key} is missing, or the value was damaged or moved; restore the keyring that the data \
         were written with, or the data from a backup"
    )]
    DoesNotOpen {
        /// Id of the key it names.
        key: u32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    keys: Vec<KeyFile>,
    index_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    id: u32,
    secret: String,
}

impl Drop for KeyringFile {
    fn drop(&mut self) {
        self.index_key.zeroize();
        self.keys.iter_mut().for_each(|key| key.secret.zeroize());
    }
}

struct Key {
    id: u32,
    key: SealKey,
}

/// A key that seals values for their places.
pub(crate) struct SealKey(Aes256Gcm);

impl SealKey {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(secret.into()))
    }

    /// Encrypts `plain` for the row and column that `place` names.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        self.seal_as(0, place, plain)
    }

    /// Decrypts what was sealed for the same place.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let key = key_of(sealed)?;
        self.open(place, sealed).ok_or(KeyringError::DoesNotOpen { key })
    }

    fn seal_as(&self, id: u32, place: &str, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let nonce: [u8; 12] = random()?;
        let payload = Payload {
            msg: plain,
            aad: place.as_bytes(),
        };
        let sealed = self.0.encrypt(Nonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| KeyringError::DoesNotOpen { key: id })?;
        Ok([&[FORMAT], &id.to_be_bytes()[..], &nonce, &sealed].concat())
    }

    fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = (sealed.get(5..HEADER_LEN)?, sealed.get(HEADER_LEN..)?);
        let payload = Payload {
            msg: body,
            aad: place.as_bytes(),
        };
        let plain = self.0.decrypt(Nonce::from_slice(nonce), payload).ok()?;
        (sealed.first() == Some(&FORMAT)).then(|| Zeroizing::new(plain))
    }
}

/// Id of the key that a sealed value names.
fn key_of(sealed: &[u8]) -> Result<u32, KeyringError> {
    match sealed {
        [_, a, b, c, d, ..] if sealed.len() >= HEADER_LEN => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(KeyringError::DoesNotOpen { key: 0 }),
    }
}

/// Keys by id; the newest encrypts. `Debug` shows ids only.
pub struct Keyring {
    keys: Vec<Key>,
    index_key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<u32> = self.keys.iter().map(|key| key.id).collect();
        f.debug_struct("Keyring").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the keyring at `path`, or makes one with mode 0600 where there is none. Refuses a file that others may read. For
    /// a database that nobody has written yet: see [`KeyringError::Missing`].
    pub fn open_or_create(path: &Path) -> Result<Self, KeyringError> {
        match Self::open(path) {
            Err(KeyringError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                create(path)?;
                Self::open(path)
            }
            other => other,
        }
    }

    /// Opens the keyring at `path`, which must be there.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let failed = |source| file_error(path, source);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let malformed = |problem: String| KeyringError::Malformed {
            path: path.to_owned(),
            problem,
        };
        if !found.is_file() {
            return Err(malformed("it is not a file; move it away".to_owned()));
        }
        let mode = found.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyringError::Permissions {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_LEN_MAX).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).map_err(malformed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        // Where, and not what: the words of the error may show a secret.
        let misread =
            |error: serde_json::Error| format!("not a keyring (line {}, column {})", error.line(), error.column());
        let file: KeyringFile = serde_json::from_str(text).map_err(misread)?;
        let mut keys = Vec::with_capacity(file.keys.len());
        for key in &file.keys {
            let secret = secret(&key.secret).ok_or_else(|| format!("key {} is not 32 bytes in base64", key.id))?;
            keys.push(Key {
                id: key.id,
                key: SealKey::new(&secret),
            });
        }
        keys.sort_by_key(|key| key.id);
        if keys.is_empty() || keys.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err("it holds no key, or two keys with one id".to_owned());
        }
        let index_key = secret(&file.index_key).ok_or("index_key is not 32 bytes in base64")?;
        Ok(Self { keys, index_key })
    }

    /// Encrypts `plain` for the row and column that `place` names.
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let newest = self.keys.last().ok_or(KeyringError::DoesNotOpen { key: 0 })?;
        newest.key.seal_as(newest.id, place, plain)
    }

    /// Decrypts what was sealed for the same place.
    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let id = key_of(sealed)?;
        let key = self.keys.iter().find(|key| key.id == id);
        key.and_then(|key| key.key.open(place, sealed))
            .ok_or(KeyringError::DoesNotOpen { key: id })
    }

    /// What a telephone number is found by.
    pub(crate) fn blind_index(&self, number: &PhoneNumber) -> [u8; 32] {
        self.index_of(b"phone/", number.reveal().as_bytes())
    }

    /// What a claim code is known by: codes may be short, so that a plain hash would give them away.
    pub(crate) fn claim_code(&self, place: &str, code: &str) -> [u8; 32] {
        self.index_of(b"owner_claim/", format!("{place}/{code}").as_bytes())
    }

    /// Tells keyrings apart without telling what is in them.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.index_of(b"keyring/", b"fingerprint")
    }

    /// The key that records of an export are marked with. It opens nothing.
    pub fn export_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.index_of(b"export/", b"mark"))
    }

    fn index_of(&self, domain: &[u8], value: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(self.index_key.as_ref())
            .expect("HMAC takes a key of any length (RFC 2104 section 2)");
        mac.update(domain);
        mac.update(value);
        mac.finalize().into_bytes().into()
    }
}

/// SHA-256, for secrets that are random and long: nothing to guess, so nothing to slow down.
pub(crate) fn sha256(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// Random bytes for keys, nonces and ids: the one place of this crate where they come from.
///
/// # Errors
///
/// [`KeyringError::NoRandom`] where the operating system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyringError> {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| KeyringError::NoRandom)?;
    Ok(bytes)
}

fn secret(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

/// Written beside, synced, then linked into place: a crash leaves a whole keyring or none, and never replaces one.
fn create(path: &Path) -> Result<(), KeyringError> {
    let failed = |source| file_error(path, source);
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
    let index_key: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
    let content = KeyringFile {
        keys: vec![KeyFile {
            id: 1,
            secret: BASE64.encode(key.as_ref()),
        }],
        index_key: BASE64.encode(index_key.as_ref()),
    };
    let text = Zeroizing::new(serde_json::to_string_pretty(&content).map_err(|error| failed(error.into()))?);
    let suffix: [u8; 8] = random()?;
    let beside = path.with_extension(format!("new-{:016x}", u64::from_be_bytes(suffix)));
    let written = write_new(&beside, text.as_bytes()).and_then(|()| std::fs::hard_link(&beside, path));
    let removed = std::fs::remove_file(&beside);
    match written {
        // Somebody else was first: theirs counts.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.and(removed).map_err(failed),
    }
}

fn write_new(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn file_error(path: &Path, source: std::io::Error) -> KeyringError {
    KeyringError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.json");
        let first = Keyring::open_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = Keyring::open_or_create(&path).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Keyring::open_or_create(&path),
            Err(KeyringError::Permissions { mode: 0o640, .. })
        ));
    }

    #[test]
    fn what_is_wrong_with_a_keyring_is_said_with_its_remedy_and_without_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.toml");
        let refused = |remedy: &str| {
            let text = Keyring::open_or_create(&path).unwrap_err().to_string();
            assert!(text.contains(remedy) && text.contains("keyring.toml"), "{text}");
            text
        };
        std::fs::create_dir(&path).unwrap();
        refused("it is not a file; move it away; restore your copy of it");
        std::fs::remove_dir(&path).unwrap();
        write_new(&path, br#"{"keys":[{"id":"s3cret","secret":""}],"index_key":""}"#).unwrap();
        let text = refused("restore your copy of it");
        assert!(
            text.contains("not a keyring (line 1, column ") && !text.contains("s3cret"),
            "{text}"
        );
        std::fs::remove_file(&path).unwrap();
        let nowhere = folder.path().join("none/keyring.toml");
        let text = Keyring::open_or_create(&nowhere).unwrap_err().to_string();
        assert!(text.contains("in a folder that exists"), "{text}");
        let missing = KeyringError::Missing { path };
        assert!(missing.to_string().contains("restore your copy of it to there"));
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_under_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&folder.path().join("a")).unwrap();
        let sealed = keyring.seal("owner.phone/1", b"+8613800005678").unwrap();
        assert_eq!(
            keyring.unseal("owner.phone/1", &sealed).unwrap().as_slice(),
            b"+8613800005678"
        );
        assert!(keyring.unseal("owner.phone/2", &sealed).is_err());
        assert!(keyring.unseal("owner.phone/1", &sealed[..20]).is_err());
        let other = Keyring::open_or_create(&folder.path().join("b")).unwrap();
        assert!(other.unseal("owner.phone/1", &sealed).is_err());
        assert_ne!(
            keyring.seal("x", b"y").unwrap(),
            keyring.seal("x", b"y").unwrap(),
            "a nonce was used twice"
        );
    }

    #[test]
    fn the_newest_key_seals_and_the_older_ones_still_open() {
        let key = |id, byte| format!(r#"{{"id":{id},"secret":"{}"}}"#, BASE64.encode([byte; 32]));
        let ring = |keys: &[String]| {
            Keyring::parse(&format!(
                r#"{{"keys":[{}],"index_key":"{}"}}"#,
                keys.join(","),
                BASE64.encode([9; 32])
            ))
        };
        let old = ring(&[key(1, 1)]).unwrap();
        let rotated = ring(&[key(2, 2), key(1, 1)]).unwrap();
        let sealed = old.seal("p", b"v").unwrap();
        assert_eq!(rotated.unseal("p", &sealed).unwrap().as_slice(), b"v");
        assert!(old.unseal("p", &rotated.seal("p", b"v").unwrap()).is_err());
        let number = PhoneNumber::new("+8613800005678").unwrap();
        assert_eq!(old.blind_index(&number), rotated.blind_index(&number));
        assert!(ring(&[]).is_err() && ring(&[key(1, 1), key(1, 2)]).is_err());
    }
}
