//! Who a client says it is. Tenant and device come from the credential, never from a topic or the client identifier.

use hub_core::id::{DeviceId, TenantId};
use hub_store::access::Credential;
use std::fmt;

/// The longest access token in bytes.
pub const TOKEN_BYTES_MAX: usize = 256;

/// User name and password as they came. Shows neither in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// `tenant/device`, or an access token.
    pub user_name: String,
    /// The device's secret; empty with an access token.
    pub password: String,
}

/// Whom a client certificate names: checked in the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose authority signed it.
    pub tenant: TenantId,
    /// Common name of its subject.
    pub device: DeviceId,
}

/// Why a user name is neither of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Nothing to go by.
    #[error("no user name: give tenant/device with the secret as password, or an access token")]
    Missing,
    /// Not two names.
    #[error("user name is not tenant/device in ASCII letters, digits and -_.")]
    Names,
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("access token is longer than 256 bytes")]
    TokenLength,
    /// The user name names somebody else.
    #[error("user name does not agree with the client certificate")]
    Certificate,
}

/// Reads the user name: with a `/` it is `tenant/device`, without one an access token. A certificate needs none, and
/// one that is given must agree.
pub(super) fn credential(
    certificate: Option<ClientCertificate>,
    login: Option<Login>,
) -> Result<Credential, LoginError> {
    let Some(ClientCertificate { tenant, device }) = certificate else {
        return by_user_name(login.ok_or(LoginError::Missing)?);
    };
    let user_name = login.map(|login| login.user_name).unwrap_or_default();
    let agrees = user_name
        .split_once('/')
        .is_some_and(|(t, d)| t == tenant.as_str() && d == device.as_str());
    if user_name.is_empty() || agrees {
        Ok(Credential::Certificate { tenant, device })
    } else {
        Err(LoginError::Certificate)
    }
}

fn by_user_name(login: Login) -> Result<Credential, LoginError> {
    let Login { user_name, password } = login;
    match user_name.split_once('/') {
        Some((tenant, device)) => Ok(Credential::Secret {
            tenant: TenantId::new(tenant).map_err(|_| LoginError::Names)?,
            device: DeviceId::new(device).map_err(|_| LoginError::Names)?,
            secret: password,
        }),
        None if user_name.is_empty() => Err(LoginError::Missing),
        None if user_name.len() > TOKEN_BYTES_MAX => Err(LoginError::TokenLength),
        None => Ok(Credential::Token(user_name)),
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(hidden)")
    }
}
