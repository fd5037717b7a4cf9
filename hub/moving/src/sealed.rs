//! A document in JSON with a seal beside it: what was written under a keyring is known as such, and nothing else is.

use crate::error::{MoveError, Result, changed, file};
use crate::files;
use crate::seal::Sealer;
use hub_store_postgres::Keyring;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use uuid::Uuid;

/// Of folder and files.
pub(crate) const FORMAT: u64 = 1;
/// A document is not longer than this, in bytes: hundreds of thousands of files.
const LEN_MAX: u64 = 256 << 20;

/// Marks of plans, journals and manifests, which come before it is known which export they belong to.
pub(crate) fn sealer(keyring: &Keyring) -> Sealer {
    Sealer::new(keyring, Uuid::nil())
}

/// Writes the seal, then the document.
pub(crate) fn write<T: Serialize>(path: &Path, keyring: &Keyring, document: &T) -> Result<()> {
    let text = serde_json::to_vec_pretty(document).map_err(|error| file(path)(error.into()))?;
    let seal = format!("{}\n", seal_of(path, keyring, &text));
    files::write_whole(path.with_extension("seal"), seal.as_bytes())?;
    files::write_whole(path.to_owned(), &text)?;
    Ok(())
}

/// Reads a document with a `head`; format, keyring and seal are checked in the order in which an error helps.
pub(crate) fn read<T: DeserializeOwned>(folder: &Path, name: &str, keyring: &Keyring) -> Result<T> {
    let path = folder.join(name);
    if !folder.is_dir() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(file(folder)(missing));
    }
    let Some(text) = files::read_small(&path, LEN_MAX)? else {
        return Err(MoveError::Incomplete {
            folder: folder.to_owned(),
            missing: name.to_owned(),
        });
    };
    let loose: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| changed(&path, format!("it is not JSON ({error})")))?;
    let sealed = check_seal(&path, keyring, &text);
    check_head(&path, &loose["head"], keyring, sealed.is_ok())?;
    sealed?;
    serde_json::from_value(loose).map_err(|error| changed(&path, error.to_string()))
}

/// Who has another keyring is told so: only what was written under this one can be known as changed.
fn check_head(path: &Path, head: &serde_json::Value, keyring: &Keyring, is_sealed: bool) -> Result<()> {
    match head["format"].as_u64() {
        Some(FORMAT) => {}
        Some(found) if is_sealed || found > FORMAT => {
            return Err(MoveError::Format {
                path: path.to_owned(),
                found,
                known: FORMAT,
            });
        }
        _ => return Err(changed(path, "it does not say its format")),
    }
    let (found, here) = (head["keyring"].as_str().unwrap_or_default(), fingerprint(keyring));
    if found.len() == here.len() && found != here && !is_sealed {
        let begin = |text: &str| text.chars().take(12).collect();
        return Err(MoveError::Keyring {
            path: path.to_owned(),
            found: begin(found),
            here: begin(&here),
        });
    }
    Ok(())
}

fn check_seal(path: &Path, keyring: &Keyring, text: &[u8]) -> Result<()> {
    let beside = path.with_extension("seal");
    let Some(seal) = files::read_small(&beside, 1024)? else {
        return Err(changed(&beside, "it is missing"));
    };
    if seal.trim_ascii() != seal_of(path, keyring, text).as_bytes() {
        return Err(changed(path, "its seal is not right"));
    }
    Ok(())
}

fn seal_of(path: &Path, keyring: &Keyring, text: &[u8]) -> String {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    hex::encode(sealer(keyring).whole(&[name, text]))
}

/// Of the keyring, in hexadecimal.
pub(crate) fn fingerprint(keyring: &Keyring) -> String {
    hex::encode(keyring.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_format_or_schema_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&folder.path().join("k")).unwrap();
        let path = folder.path().join("manifest.json");
        let read = || read::<serde_json::Value>(folder.path(), "manifest.json", &keyring);
        let document = json!({"head": {"format": FORMAT, "keyring": fingerprint(&keyring)}});
        write(&path, &keyring, &document).unwrap();
        assert_eq!(read().unwrap(), document);
        write(&path, &keyring, &json!({"head": {"format": FORMAT + 1}})).unwrap();
        assert!(matches!(read(), Err(MoveError::Format { found: 2, .. })));
        std::fs::write(&path, "[]").unwrap();
        assert!(matches!(read(), Err(MoveError::Changed { .. })));
    }
}
