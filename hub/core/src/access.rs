//! What lets a device in, what devices derive their secrets from or make themselves, and what an integrator may be granted to
//! read.

mod credentials;

pub use credentials::{CredentialError, Credentials, Exchange, Provision, SecretHash};

use crate::id::DeviceId;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;

/// Most levels of a filter (topics have at most 7).
const LEVELS_MAX: usize = 7;
/// Longest filter, in bytes.
const LEN_MAX: usize = 256;

/// The secret that the key of a group gives a device: HMAC-SHA256(key, device) in lower-case hexadecimal (RFC 2104).
/// What a factory computes and what the hub compares.
pub fn derived_secret(key: &[u8], device: &DeviceId) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(device.as_str().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Characters of a secret that a device makes itself: 32 bytes in lower-case hexadecimal.
const OWN_SECRET_LEN: usize = 64;
/// Different values among these bytes at least. A generator that stands still has fewer; one that works has fewer in one
/// of 10^33 draws.
const OWN_SECRET_VALUES_MIN: usize = 8;

/// Why a text is not a secret that a device may give itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OwnSecretError {
    /// Another length, or another character.
    #[error("a secret that a device makes is 32 random bytes: {OWN_SECRET_LEN} digits in lower-case hexadecimal")]
    Form,
    /// Few different values: the device's generator does not work.
    #[error("the secret does not look random; the device's generator of random numbers has to run before it is drawn")]
    NotRandom,
}

/// Checks a secret that a device has made itself. The text is compared as it is, so there is one way to write it.
///
/// # Errors
/// It is not of this form, or cannot be random.
pub fn check_own_secret(secret: &str) -> Result<(), OwnSecretError> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if secret.len() != OWN_SECRET_LEN || !secret.bytes().all(is_digit) {
        return Err(OwnSecretError::Form);
    }
    let values: BTreeSet<&[u8]> = secret.as_bytes().chunks(2).collect();
    if values.len() < OWN_SECRET_VALUES_MIN {
        return Err(OwnSecretError::NotRandom);
    }
    Ok(())
}

/// Why a text is not a filter that an integrator may be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Empty, or too long.
    #[error("a filter has 1 to {LEN_MAX} characters, this one has {0}")]
    Length(usize),
    /// Too many levels.
    #[error("a filter has at most {LEVELS_MAX} levels, this one has {0}")]
    Levels(usize),
    /// A character that no topic of this hub has.
    #[error("a filter may hold only printable ASCII, not {0:?}")]
    Character(char),
    /// A wildcard beside other characters, or `#` before the end (MQTT 3.1.1 §4.7.1).
    #[error("'+' and '#' stand alone in their level, and '#' only in the last one")]
    Wildcard,
    /// Outside of what devices publish. Shared subscriptions are among these.
    #[error("a filter begins with `d/`, as what devices publish does")]
    NotDevices,
}

/// Checks a filter that an integrator is to be granted: it reads what devices publish, and nothing else.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    if filter.is_empty() || filter.len() > LEN_MAX {
        return Err(FilterError::Length(filter.chars().count()));
    }
    if let Some(bad) = filter.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(FilterError::Character(bad));
    }
    let levels: Vec<&str> = filter.split('/').collect();
    if levels.len() > LEVELS_MAX {
        return Err(FilterError::Levels(levels.len()));
    }
    let last = levels.len() - 1;
    let misplaced = |(index, level): (usize, &&str)| {
        level.len() > 1 && level.contains(['+', '#']) || *level == "#" && index != last
    };
    if levels.iter().enumerate().any(misplaced) {
        return Err(FilterError::Wildcard);
    }
    if levels[0] != "d" || levels.len() < 2 {
        return Err(FilterError::NotDevices);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf %s washer-1 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…`
    #[test]
    fn a_secret_is_what_openssl_computes() {
        let device = DeviceId::new("washer-1").unwrap();
        let wanted = "f15f4effe87bb351bc7798d38f27adfa84a9a0dfa19ddc5aeb4991a262c6d183";
        assert_eq!(derived_secret(&[0x0b; 32], &device), wanted);
    }

    #[test]
    fn a_secret_that_a_device_makes_is_32_random_bytes() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(check_own_secret(&good), Ok(()), "eight values");
        let upper = good.to_uppercase();
        for wrong in ["", &good[1..], &format!("{good}0"), &upper, &good.replace('f', "g")] {
            assert_eq!(check_own_secret(wrong), Err(OwnSecretError::Form), "{wrong}");
        }
        let seven = good.replace("ef", "01");
        for still in ["0".repeat(64), "ff".repeat(32), seven] {
            assert_eq!(check_own_secret(&still), Err(OwnSecretError::NotRandom), "{still}");
        }
    }

    #[test]
    fn an_integrator_reads_what_devices_publish() {
        for good in ["d/#", "d/+/t", "d/washer-1/s", "d/+/#"] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        assert_eq!(check_filter(""), Err(FilterError::Length(0)));
        for outside in ["#", "+/x/t", "$share/g/d/#", "p/1/secret", "d", "$SYS/#"] {
            assert_eq!(check_filter(outside), Err(FilterError::NotDevices), "{outside}");
        }
        for bad in ["d/a+/t", "d/#/t", "d/x#"] {
            assert_eq!(check_filter(bad), Err(FilterError::Wildcard), "{bad}");
        }
        assert_eq!(check_filter("d/家/t"), Err(FilterError::Character('家')));
        assert_eq!(check_filter("d/1/2/3/4/5/6/7"), Err(FilterError::Levels(8)));
    }
}
