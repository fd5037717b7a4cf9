//! What devices derive their secrets from, and what an integrator may be granted to read.

use crate::id::DeviceId;
use hmac::{Hmac, Mac};
use sha2::Sha256;

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

/// Checks a filter that an integrator is to be granted: it reads what devices publish, and nothing besides.
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
