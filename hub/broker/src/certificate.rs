//! The hub's own certificate, looked at as the TLS listener would use it.

use crate::config::TlsFiles;
use crate::socket::{Tls, TlsError};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long the hub's own certificate is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// Not before this.
    pub not_before: Timestamp,
    /// Not after this.
    pub not_after: Timestamp,
    /// Its subject, as people write it.
    pub subject: String,
}

/// Reads the certificate and sees that the key goes with it.
///
/// # Errors
///
/// Those with which the TLS listener would not start.
pub fn own_certificate(files: &TlsFiles) -> Result<OwnCertificate, TlsError> {
    Tls::new(files.clone(), Vec::new())?;
    let none = || TlsError::NoCertificate(files.chain.clone());
    let chain = CertificateDer::pem_file_iter(&files.chain).map_err(|_| none())?;
    let first = chain.flatten().next().ok_or_else(none)?;
    let (_, parsed) = X509Certificate::from_der(&first).map_err(|_| none())?;
    let at = |seconds| Timestamp::from_second(seconds).map_err(|_| none());
    let validity = parsed.validity();
    Ok(OwnCertificate {
        not_before: at(validity.not_before.timestamp())?,
        not_after: at(validity.not_after.timestamp())?,
        subject: parsed.subject().to_string(),
    })
}
