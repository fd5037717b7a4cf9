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

/// A random boot id for a simulated or replayed device.
pub fn boot_id() -> u64 {
    u64::from_le_bytes(bytes()) % (agent_sdk_wire::MAX_NUMBER + 1)
}
