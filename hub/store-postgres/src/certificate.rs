//! Certificates of authorities (RFC 5280), as the store reads them.

use crate::keyring::sha256;
use hub_store::error::{Result, StoreError};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// SHA-256 of a certificate's public key with its algorithm.
pub(crate) fn key_sha256(certificate: &[u8]) -> Result<[u8; 32]> {
    Ok(sha256(read(certificate)?.public_key().raw))
}

/// Reads a certificate, DER; `Refused` if it is none.
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(StoreError::Refused(
            "the certificate has bytes after its end".to_owned(),
        )),
        Err(error) => Err(StoreError::Refused(format!("this is not a certificate: {error}"))),
    }
}
