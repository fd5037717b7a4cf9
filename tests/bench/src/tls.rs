//! A certificate for brokers on this machine, and a client that trusts it.

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of a self-signed certificate for `localhost`.
pub struct Certificate {
    /// PEM.
    pub chain: PathBuf,
    /// PEM.
    pub key: PathBuf,
    der: rustls::pki_types::CertificateDer<'static>,
}

impl Certificate {
    /// Makes one; the files go into `dir`.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn write(dir: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (chain, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
        std::fs::write(&chain, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Self {
            chain,
            key,
            der: made.cert.der().clone(),
        })
    }

    /// A client that trusts this certificate and no other, and resumes no session: each connection pays in full.
    ///
    /// # Errors
    /// The certificate is not one.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The name in the certificate.
///
/// # Errors
/// Never: the name is a constant.
pub fn server_name() -> Result<ServerName<'static>> {
    ServerName::try_from("localhost").context("localhost is a name")
}
