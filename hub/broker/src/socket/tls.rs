//! The TLS listener's certificate and the authorities of all tenants, both exchanged while it runs.

use super::HandshakeError;
use crate::config::TlsFiles;
use crate::counters::{BrokerCounters, add};
use crate::session::ClientCertificate;
use hub_core::id::{DeviceId, TenantId};
use hub_store::access::Authority;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, ServerConnection,
    SignatureScheme,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::sleep;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why the TLS listener cannot work with what it was given.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Certificate chain or key are not PEM files that can be read.
    #[error("cannot read {path}: give a PEM file that the hub may read")]
    File {
        /// Path of the file or folder.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Nothing in the file of the chain.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// Chain and key do not go together, or are of a kind that is not known.
    #[error("certificate chain and key cannot be used together")]
    Pair(#[source] Error),
}

/// What handshakes are done with now.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<Current>>,
    /// Held by who asks for the authorities and reloads.
    pub(crate) reloading: Mutex<()>,
}

#[derive(Debug)]
pub(crate) struct Current {
    own: Own,
    authorities: Vec<Authority>,
    server: Arc<ServerConfig>,
    clients: Arc<Clients>,
}

/// The hub's certificate with its key, which prints nothing of itself.
#[derive(Debug)]
struct Own {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Reads the files for the first time.
    pub(crate) fn new(files: TlsFiles, authorities: Vec<Authority>) -> Result<Self, TlsError> {
        let current = Current::new(Own::read(&files)?, authorities)?;
        Ok(Self {
            files,
            current: RwLock::new(Arc::new(current)),
            reloading: Mutex::new(()),
        })
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again; handshakes from now on use them and the given authorities. Where the files are bad, the last
    /// good certificate stays in use, which is counted. Gives the tenants whose authorities are others than before.
    pub(crate) fn reload(&self, authorities: Vec<Authority>, counters: &BrokerCounters) -> BTreeSet<TenantId> {
        let before = self.current();
        let differs = |a: &[Authority], b: &[Authority]| -> Vec<TenantId> {
            let missing = a.iter().filter(|authority| !b.contains(authority));
            missing.map(|authority| authority.tenant.clone()).collect()
        };
        let mut changed = BTreeSet::from_iter(differs(&before.authorities, &authorities));
        changed.extend(differs(&authorities, &before.authorities));
        let read = Own::read(&self.files).and_then(|own| Current::new(own, authorities.clone()));
        let current = read.or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "new TLS certificate is bad; the old one stays in use");
            add(&counters.certificates_refused, 1);
            Current::new(before.own.again(), authorities)
        });
        match current {
            Ok(current) => {
                let authorities = current.authorities.len();
                tracing::info!(authorities, "TLS certificate and authorities reloaded");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "TLS goes on with old authorities: restart the hub");
            }
        }
        changed
    }
}

impl Own {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            |source| TlsError::File { path, source }
        };
        let chain: Vec<_> = CertificateDer::pem_file_iter(&files.chain)
            .and_then(Iterator::collect)
            .map_err(unreadable(&files.chain))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.chain.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
        Ok(Self { chain, key })
    }

    fn again(&self) -> Self {
        let (chain, key) = (self.chain.clone(), self.key.clone_key());
        Self { chain, key }
    }
}

impl Current {
    fn new(own: Own, authorities: Vec<Authority>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let clients = Arc::new(Clients::new(&provider, &authorities));
        let Own { chain, key } = own.again();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_client_cert_verifier(Arc::clone(&clients) as _)
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        // Resumption costs the hub no memory: the state is in the ticket, which only the client keeps.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = ring::Ticketer::new().map_err(TlsError::Pair)?;
        server.send_tls13_tickets = 1;
        let server = Arc::new(server);
        Ok(Self {
            own,
            authorities,
            server,
            clients,
        })
    }

    pub(crate) fn accept(&self) -> Result<ServerConnection, Error> {
        ServerConnection::new(Arc::clone(&self.server))
    }

    /// Whom this chain names.
    pub(crate) fn certified(&self, chain: &[CertificateDer<'_>]) -> Result<ClientCertificate, HandshakeError> {
        let (device, intermediates) = chain.split_first().ok_or(HandshakeError::Subject)?;
        let tenant = self.clients.tenant_of(device, intermediates, UnixTime::now());
        let tenant = tenant.map_err(HandshakeError::Certificate)?.clone();
        let device = common_name(device).ok_or(HandshakeError::Subject)?;
        Ok(ClientCertificate { tenant, device })
    }
}

/// The only common name of the subject, if it is a device name.
fn common_name(certificate: &CertificateDer<'_>) -> Option<DeviceId> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    let only = names.next().is_none();
    DeviceId::new(name).ok().filter(|_| only)
}

/// Checks client certificates: which tenant's authority signed it. A client without one shows its credential in CONNECT.
#[derive(Debug)]
struct Clients {
    tenants: Vec<(TenantId, Arc<dyn ClientCertVerifier>)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Clients {
    fn new(provider: &Arc<CryptoProvider>, authorities: &[Authority]) -> Self {
        let mut by_tenant: BTreeMap<&TenantId, Vec<&Authority>> = BTreeMap::new();
        for authority in authorities {
            by_tenant.entry(&authority.tenant).or_default().push(authority);
        }
        let verifier = |(tenant, authorities): (&TenantId, Vec<&Authority>)| {
            let verifier = verifier(provider, &authorities);
            if let Err(error) = &verifier {
                tracing::warn!(%tenant, %error, "the tenant's certificate authorities cannot be used");
            }
            Some((tenant.clone(), verifier.ok()?))
        };
        Self {
            tenants: by_tenant.into_iter().filter_map(verifier).collect(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// The one tenant whose authority signed the certificate.
    fn tenant_of(
        &self,
        device: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<&TenantId, Error> {
        let mut found = None;
        let mut refused = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for (tenant, verifier) in &self.tenants {
            match verifier.verify_client_cert(device, intermediates, now) {
                // Two tenants that trust one authority: whose device it is cannot be told.
                Ok(_) if found.is_some() => return Err(CertificateError::ApplicationVerificationFailure.into()),
                Ok(_) => found = Some(tenant),
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => refused = error,
            }
        }
        found.ok_or(refused)
    }
}

fn verifier(provider: &Arc<CryptoProvider>, authorities: &[&Authority]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    let mut lists = Vec::new();
    for authority in authorities {
        if let Err(error) = roots.add(CertificateDer::from_slice(&authority.certificate)) {
            tracing::warn!(tenant = %authority.tenant, name = authority.name, %error, "certificate authority cannot be used");
        }
        let list = authority.revocations.clone();
        lists.extend(list.map(CertificateRevocationListDer::from));
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .with_crls(lists)
        // An authority without a list revokes nothing.
        .allow_unknown_revocation_status()
        .build()
        .map_err(|error| error.to_string())
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        !self.tenants.is_empty()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client of one tenant need not learn who the others are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.tenant_of(end_entity, intermediates, now)
            .map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Without end, calls `reload` when the files change, and again until it succeeds.
pub(crate) async fn watch<F>(tls: &Tls, reload: impl Fn() -> F)
where
    F: Future<Output = bool>,
{
    let mut seen = stamp(&tls.files).await;
    loop {
        sleep(WATCH).await;
        let now = stamp(&tls.files).await;
        if now != seen && reload().await {
            seen = now;
        }
    }
}

/// What shows that a file has changed.
type Stamp = [Option<(SystemTime, u64)>; 2];

async fn stamp(files: &TlsFiles) -> Stamp {
    [stamp_of(&files.chain).await, stamp_of(&files.key).await]
}

async fn stamp_of(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Between two looks at the files.
const WATCH: Duration = Duration::from_secs(2);
