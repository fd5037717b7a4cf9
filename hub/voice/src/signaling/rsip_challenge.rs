//! Digest that we demand from callers (RFC 3261 §22.3, RFC 8760 names MD5 as what all trunks still speak).

use super::rsip::Digest;
use rand::TryRngCore;
use rsipstack::dialog::authenticate::verify_digest;
use rsipstack::sip::headers::auth::{Algorithm, AuthQop};
use rsipstack::sip::headers::untyped::ProxyAuthenticate;
use rsipstack::sip::typed::Authorization;
use rsipstack::sip::{Header, Request};

/// What a caller has to prove. One nonce for the life of the stack: it shows that the caller knows the password, it does not
/// keep a listener from using an answer again.
pub(super) struct Challenge {
    digest: Digest,
    realm: String,
    nonce: String,
}

impl Challenge {
    pub fn new(digest: Digest, realm: String) -> Result<Self, rand::rand_core::OsError> {
        let nonce = format!("{:016x}", rand::rngs::OsRng.try_next_u64()?);
        Ok(Self { digest, realm, nonce })
    }

    /// The header of our 407.
    pub fn header(&self) -> Header {
        let Self { realm, nonce, .. } = self;
        Header::ProxyAuthenticate(ProxyAuthenticate::new(format!(
            "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\""
        )))
    }

    /// Whether a request proves the password, for itself and for our nonce.
    pub fn is_met(&self, request: &Request) -> bool {
        request.headers.iter().any(|header| match header {
            Header::ProxyAuthorization(value) => self.proves(request, value.value()),
            _ => false,
        })
    }

    fn proves(&self, request: &Request, value: &str) -> bool {
        let Ok(proof) = Authorization::parse(value.trim()) else {
            return false;
        };
        (&proof.username, &proof.realm, &proof.nonce) == (&self.digest.user, &self.realm, &self.nonce)
            && proof.uri == request.uri
            && proof.algorithm.is_none_or(|algorithm| algorithm == Algorithm::Md5)
            && matches!(proof.qop, Some(AuthQop::Auth { .. }))
            && verify_digest(&proof, self.digest.password.reveal(), &request.method, value)
    }
}
