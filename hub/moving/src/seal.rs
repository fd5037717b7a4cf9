//! What makes a record known again: hashes of what it holds, and marks under a key of the keyring, so that nobody without
//! that keyring changes an export unnoticed.

use hmac::{Hmac, Mac};
use hub_store_postgres::Keyring;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// SHA-256 of one row, its table included.
pub(crate) type RowDigest = [u8; 32];

/// Marks records of one export.
#[derive(Clone)]
pub(crate) struct Sealer(Hmac<Sha256>);

impl Sealer {
    pub(crate) fn new(keyring: &Keyring, export: Uuid) -> Self {
        let key = keyring.export_key();
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&key[..])
            .expect("HMAC takes a key of any length (RFC 2104 section 2)");
        mac.update(export.as_bytes());
        Self(mac)
    }

    /// The mark of a record: of what it holds and of its place.
    pub(crate) fn mark(&self, file: &str, number: u64, row: &RowDigest) -> [u8; 16] {
        let whole = self.whole(&[file.as_bytes(), &[0], &number.to_be_bytes(), row]);
        let mut mark = [0; 16];
        mark.copy_from_slice(&whole[..16]);
        mark
    }

    /// The mark of a whole text.
    pub(crate) fn whole(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// The digest of a row.
pub(crate) fn digest(table: &str, row: &[u8]) -> RowDigest {
    let mut hash = Sha256::new();
    hash.update(table.as_bytes());
    hash.update([0]);
    hash.update(row);
    hash.finalize().into()
}

/// The content of a table: how many rows, and the sum of their digests as numbers of 256 bits. The order of rows does not
/// matter, and a row that is there twice counts twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) rows: u64,
    sum: [u64; 4],
}

impl Content {
    pub(crate) fn add(&mut self, row: &RowDigest) {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(row.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        }
        self.plus(1, words);
    }

    /// Rows of another part of the same table.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.plus(other.rows, other.sum);
    }

    fn plus(&mut self, rows: u64, words: [u64; 4]) {
        self.rows += rows;
        let mut carry = false;
        for (own, word) in self.sum.iter_mut().zip(words).rev() {
            let (sum, over) = own.overflowing_add(word);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*own, carry) = (sum, over || over_again);
        }
    }

    /// The sum in hexadecimal.
    pub(crate) fn hash(&self) -> String {
        let bytes: Vec<u8> = self.sum.iter().flat_map(|word| word.to_be_bytes()).collect();
        hex::encode(bytes)
    }

    /// From what [`Content::hash`] wrote.
    pub(crate) fn parse(rows: u64, hash: &str) -> Option<Self> {
        let mut bytes = [[0; 8]; 4];
        hex::decode_to_slice(hash, bytes.as_flattened_mut()).ok()?;
        let sum = bytes.map(u64::from_be_bytes);
        Some(Self { rows, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_knows_no_order_but_counts_doubles() {
        let rows: Vec<RowDigest> = (0..50u8).map(|n| digest("t", &[n])).collect();
        let all = |rows: &mut dyn Iterator<Item = &RowDigest>| {
            let mut content = Content::default();
            rows.for_each(|row| content.add(row));
            content
        };
        let forth = all(&mut rows.iter());
        assert_eq!(forth, all(&mut rows.iter().rev()));
        let mut parts = all(&mut rows[..20].iter());
        parts.merge(&all(&mut rows[20..].iter()));
        assert_eq!(parts, forth);
        assert_ne!(forth, all(&mut rows.iter().chain(&rows[..1])));
        assert_ne!(digest("t", b"1"), digest("u", b"1"));
        assert_eq!(Content::parse(50, &forth.hash()), Some(forth));
        assert_eq!(Content::parse(50, "00"), None);
        let mut full = Content::default();
        full.plus(1, [0, 0, 0, u64::MAX]);
        full.plus(1, [0, 0, 0, 1]);
        assert_eq!(full.sum, [0, 0, 1, 0], "the carry is lost");
    }
}
