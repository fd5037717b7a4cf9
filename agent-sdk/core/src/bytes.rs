//! Bytes one by one. What the standard library has for slices calls functions of the C library, which a small program pays
//! for beside its own.

/// Whether two slices hold the same.
#[inline(never)]
pub(crate) fn are_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}
