//! Digest that we demand from callers (RFC 3261 §22.3, RFC 8760 names MD5 as what all trunks still speak).

use super::digest::{self, Digest, Name};
use rand::TryRngCore;
use rsipstack::sip::headers::untyped::ProxyAuthenticate;
use rsipstack::sip::{Header, Request};

/// What a caller has to prove. One nonce for the life of the stack: it shows that the caller knows the password, it does not
/// keep a listener from using an answer again.
pub(super) struct Challenge {
    digest: Digest,
    header: String,
    asked: digest::Challenge,
}

impl Challenge {
    /// `realm` is plain text.
    pub fn new(digest: Digest, realm: &str) -> Result<Self, rand::rand_core::OsError> {
        let nonce = format!("{:016x}", rand::rngs::OsRng.try_next_u64()?);
        let header = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"");
        let asked = digest::Challenge::strongest(&[&header]).expect("we can answer what we ask for");
        Ok(Self { digest, header, asked })
    }

    /// The header of our 407.
    pub fn header(&self) -> Header {
        Header::ProxyAuthenticate(ProxyAuthenticate::new(self.header.as_str()))
    }

    /// Whether a request proves the password, for itself and for our nonce.
    pub fn is_met(&self, request: &Request) -> bool {
        request.headers.iter().any(|header| match header {
            Header::ProxyAuthorization(value) => self.proves(request, value.value()),
            _ => false,
        })
    }

    fn proves(&self, request: &Request, value: &str) -> bool {
        let name = Name {
            user: &self.digest.user,
            password: self.digest.password.reveal(),
        };
        let answers = digest::read(value).unwrap_or_default();
        let is_met = |answer| self.asked.is_met_by(answer, name, request.method, &request.uri);
        answers.iter().any(is_met)
    }
}
