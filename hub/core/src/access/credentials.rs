//! What lets a device in, and what becomes of it when a secret is exchanged, ended or given again.

use jiff::Timestamp;
use subtle::{Choice, ConstantTimeEq};

/// SHA-256 of a secret: all that is stored of it.
pub type SecretHash = [u8; 32];

/// What a device may come in with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Nothing lets it in.
    pub revoked: bool,
    /// Its own secret.
    pub secret: Option<SecretHash>,
    /// The secret before that one, which still works.
    pub old_secret: Option<SecretHash>,
    /// End of the old secret, if one was given.
    pub old_secret_until: Option<Timestamp>,
    /// Name of the group by whose key it may come in.
    pub group: Option<String>,
    /// It comes in by a certificate, or did once.
    pub by_certificate: bool,
}

/// What an exchange of secrets has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Nothing: it was asked for a second time.
    Nothing,
    /// What let the device in before still does.
    Added,
    /// Something ended: a client that is connected with it has to come again.
    Ended,
}

/// What a device gets that shows a claim credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provision {
    /// Nothing: the secret that it has made lets it in already, and the answer was lost.
    Served,
    /// Its first credential.
    First,
    /// A credential in place of what it has, which ends.
    Instead,
}

/// Why a device's credentials stay as they are; to be read behind the device's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing lets it in.
    #[error("is revoked")]
    Revoked,
    /// The secret is the one that it exchanged.
    #[error("had this secret before the present one; it has to make a new one")]
    Former,
    /// There is no secret to exchange.
    #[error("comes in by a certificate and has no secret to exchange")]
    NoSecret,
    /// The secret that was shown is not the present one.
    #[error("has another secret by now")]
    OtherSecret,
    /// The secret is the present one.
    #[error("has this secret already")]
    SameSecret,
    /// There is no old secret.
    #[error("has no old secret to retire; rotate its secret first, or revoke the device")]
    NoOldSecret,
    /// The claim credential is for devices of another profile.
    #[error("reports by another profile than the claim credential gives")]
    OtherProfile,
    /// The claim credential may not replace one.
    #[error("has a credential already; only a claim credential that may replace one gives another")]
    HasOne,
}

impl Credentials {
    /// Whether a secret lets the device in now, apart from being revoked. Takes as long whichever of them it is.
    pub fn takes(&self, secret: &SecretHash, now: Timestamp) -> bool {
        let is_over = self.old_secret_until.is_some_and(|until| until <= now);
        is(self.secret.as_ref(), secret) | (is(self.old_secret.as_ref(), secret) & !is_over)
    }

    /// There is something that lets it in, or did before it was revoked.
    pub fn has_one(&self) -> bool {
        self.has_secret() || self.group.is_some() || self.by_certificate
    }

    /// It was only declared: nothing was ever given to it, and it brought nothing of its own.
    pub fn is_declared_only(&self) -> bool {
        !self.revoked && !self.has_one()
    }

    /// The device exchanges its secret for one that it has made.
    ///
    /// # Errors
    /// It is revoked, comes in by a certificate alone, or had this secret before.
    pub fn propose(&mut self, secret: SecretHash) -> Result<Exchange, CredentialError> {
        if is(self.secret.as_ref(), &secret) {
            return Ok(Exchange::Nothing);
        }
        if self.revoked {
            return Err(CredentialError::Revoked);
        }
        if is(self.old_secret.as_ref(), &secret) {
            return Err(CredentialError::Former);
        }
        if self.by_certificate && self.secret.is_none() {
            return Err(CredentialError::NoSecret);
        }
        Ok(self.put(secret, None))
    }

    /// The device that came in with `secret` ends everything else that let it in before, certificates excepted.
    ///
    /// # Errors
    /// It has another secret by now.
    pub fn end_old(&mut self, secret: &SecretHash) -> Result<Exchange, CredentialError> {
        if !is(self.secret.as_ref(), secret) {
            return Err(CredentialError::OtherSecret);
        }
        if self.old_secret.is_none() && self.group.is_none() {
            return Ok(Exchange::Nothing);
        }
        (self.old_secret, self.old_secret_until, self.group) = (None, None, None);
        Ok(Exchange::Ended)
    }

    /// An administrator gives it another secret; the present one works until `old_until`, without an end until it is
    /// retired.
    ///
    /// # Errors
    /// It has this secret already.
    pub fn rotate(&mut self, secret: SecretHash, old_until: Option<Timestamp>) -> Result<Exchange, CredentialError> {
        if is(self.secret.as_ref(), &secret) {
            return Err(CredentialError::SameSecret);
        }
        Ok(self.put(secret, old_until))
    }

    /// The old secret ends.
    ///
    /// # Errors
    /// There is none.
    pub fn retire(&mut self) -> Result<Exchange, CredentialError> {
        self.old_secret.take().ok_or(CredentialError::NoOldSecret)?;
        self.old_secret_until = None;
        Ok(Exchange::Ended)
    }

    /// What it gets that asks with a claim credential; `own` is the secret that it has made itself.
    ///
    /// # Errors
    /// It is revoked, reports by another profile than the claim credential gives, or has something that this one may not
    /// replace.
    pub fn provision(
        &self,
        own: Option<&SecretHash>,
        is_of_profile: bool,
        may_replace: bool,
    ) -> Result<Provision, CredentialError> {
        if self.revoked {
            return Err(CredentialError::Revoked);
        }
        if own.is_some_and(|own| is(self.secret.as_ref(), own)) {
            return Ok(Provision::Served);
        }
        if !is_of_profile {
            return Err(CredentialError::OtherProfile);
        }
        match (self.has_one(), may_replace) {
            (false, _) => Ok(Provision::First),
            (true, true) => Ok(Provision::Instead),
            (true, false) => Err(CredentialError::HasOne),
        }
    }

    /// Gives it this secret, or a certificate without one. What it came in with before does not work any more, certificates
    /// of the maker's own authority excepted.
    pub fn give(&mut self, secret: Option<SecretHash>) {
        self.by_certificate |= secret.is_none();
        self.secret = secret;
        (self.old_secret, self.old_secret_until, self.group) = (None, None, None);
    }

    /// It is declared: with nothing else to come in by, it is a certificate.
    pub fn declare(&mut self) {
        self.by_certificate |= !self.has_secret() && self.group.is_none();
    }

    fn has_secret(&self) -> bool {
        self.secret.is_some() || self.old_secret.is_some()
    }

    fn put(&mut self, secret: SecretHash, old_until: Option<Timestamp>) -> Exchange {
        let ended = self.old_secret.is_some();
        self.old_secret_until = old_until.filter(|_| self.secret.is_some());
        self.old_secret = self.secret.replace(secret);
        if ended { Exchange::Ended } else { Exchange::Added }
    }
}

/// Whether this is what is stored.
fn is(stored: Option<&SecretHash>, shown: &SecretHash) -> bool {
    bool::from(stored.map_or(Choice::from(0), |stored| stored.ct_eq(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SecretHash = [1; 32];
    const SECOND: SecretHash = [2; 32];
    const THIRD: SecretHash = [3; 32];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn with(secret: SecretHash) -> Credentials {
        Credentials {
            secret: Some(secret),
            ..Credentials::default()
        }
    }

    #[test]
    fn a_device_exchanges_its_secret_and_ends_the_old_one() {
        let mut held = with(FIRST);
        assert_eq!(held.propose(FIRST), Ok(Exchange::Nothing));
        assert_eq!(held.propose(SECOND), Ok(Exchange::Added));
        assert!(held.takes(&FIRST, at(9)) && held.takes(&SECOND, at(9)) && !held.takes(&THIRD, at(9)));
        assert_eq!(held.propose(FIRST), Err(CredentialError::Former));
        assert_eq!(held.end_old(&FIRST), Err(CredentialError::OtherSecret));
        assert_eq!(held.end_old(&SECOND), Ok(Exchange::Ended));
        assert_eq!(held.end_old(&SECOND), Ok(Exchange::Nothing));
        assert_eq!(held, with(SECOND));
        held.revoked = true;
        assert_eq!(held.propose(THIRD), Err(CredentialError::Revoked));
        let mut certified = Credentials::default();
        certified.declare();
        assert_eq!(certified.propose(FIRST), Err(CredentialError::NoSecret));
    }

    #[test]
    fn an_old_secret_works_until_its_end_or_the_next_rotation() {
        let mut held = Credentials::default();
        assert_eq!(held.rotate(FIRST, Some(at(5))), Ok(Exchange::Added));
        assert_eq!(held, with(FIRST), "there was none that could end");
        assert_eq!(held.rotate(FIRST, None), Err(CredentialError::SameSecret));
        assert_eq!(held.rotate(SECOND, Some(at(5))), Ok(Exchange::Added));
        assert!(held.takes(&FIRST, at(4)) && !held.takes(&FIRST, at(5)) && held.takes(&SECOND, at(5)));
        assert_eq!(held.rotate(THIRD, None), Ok(Exchange::Ended));
        assert!(held.takes(&SECOND, at(5)) && !held.takes(&FIRST, at(4)));
        assert_eq!(held.retire(), Ok(Exchange::Ended));
        assert_eq!(held.retire(), Err(CredentialError::NoOldSecret));
    }

    #[test]
    fn a_claim_credential_gives_what_it_may() {
        let declared = Credentials::default();
        assert!(declared.is_declared_only());
        let group = Credentials {
            group: Some("line-1".to_owned()),
            ..Credentials::default()
        };
        let revoked = Credentials {
            revoked: true,
            ..with(FIRST)
        };
        for (held, own, is_of_profile, may_replace, gives) in [
            (&declared, None, true, false, Ok(Provision::First)),
            (&declared, None, false, true, Err(CredentialError::OtherProfile)),
            (&group, None, true, false, Err(CredentialError::HasOne)),
            (&group, None, true, true, Ok(Provision::Instead)),
            (&with(FIRST), Some(&FIRST), true, false, Ok(Provision::Served)),
            (&with(FIRST), Some(&SECOND), true, false, Err(CredentialError::HasOne)),
            (&revoked, Some(&FIRST), true, true, Err(CredentialError::Revoked)),
        ] {
            assert_eq!(held.provision(own, is_of_profile, may_replace), gives, "{held:?}");
        }
        let mut given = group;
        given.give(Some(FIRST));
        assert_eq!(given, with(FIRST));
        given.give(None);
        assert!(given.by_certificate && !given.takes(&FIRST, at(0)) && !given.is_declared_only());
    }
}
