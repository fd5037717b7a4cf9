//! Randomness for secrets and ids, from the operating system.

use rand::TryRngCore;
use rand::rngs::OsRng;

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .expect("Linux gives random bytes to every process once it has booted");
    bytes
}

/// A new secret of a device or a program: 32 random bytes in hexadecimal.
pub fn secret() -> String {
    hex::encode(bytes::<32>())
}

/// A random boot id for a simulated or replayed device.
pub fn boot_id() -> u64 {
    u64::from_le_bytes(bytes()) % (agent_sdk_wire::MAX_NUMBER + 1)
}

#[cfg(test)]
mod tests {
    use super::secret;

    #[test]
    fn secrets_are_long_and_differ() {
        assert_eq!(secret().len(), 64);
        assert_ne!(secret(), secret());
    }
}
