//! The fixed partition of an appliance: our own hash, permanently the same on one machine and on many.

use crate::id::{DeviceId, TenantId};

/// How many partitions there are. Never changes: the number is on every stored row.
pub const PARTITIONS: usize = 256;

/// The partition of a device: FNV-1a, 64 bits (Fowler, Noll, Vo), over `tenant / device`, folded to 8 bits by exclusive or.
pub fn partition(tenant: &TenantId, device: &DeviceId) -> u8 {
    let bytes = tenant.as_str().bytes().chain([b'/']).chain(device.as_str().bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_be_bytes().into_iter().fold(0, |folded, byte| folded ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tenant: &str, device: &str) -> u8 {
        partition(&TenantId::new(tenant).unwrap(), &DeviceId::new(device).unwrap())
    }

    /// Stored rows depend on these values: they may never change.
    #[test]
    fn golden_vectors() {
        let got = [
            of("acme", "wm-001"),
            of("acme", "wm-002"),
            of("beta", "wm-001"),
            of("a", "b"),
            of("demo", "WM-8412"),
        ];
        assert_eq!(got, GOLDEN);
    }
    const GOLDEN: [u8; 5] = [209, 25, 226, 222, 81];

    #[test]
    fn devices_spread_over_all_partitions() {
        let mut count = [0u32; PARTITIONS];
        for n in 0..25_600 {
            count[usize::from(of("acme", &format!("wm-{n:06}")))] += 1;
        }
        assert!(count.iter().all(|c| (50..200).contains(c)), "{count:?}");
    }
}
