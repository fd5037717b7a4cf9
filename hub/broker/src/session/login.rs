//! Who a device says it is. Tenant and device come from the credential, never from a topic or the client identifier.

use hub_core::id::{DeviceId, TenantId};
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

/// What is to be checked against the store.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name `tenant/device`, password = the device's secret.
    Secret {
        /// The tenant it claims.
        tenant: TenantId,
        /// The name it claims within the tenant.
        device: DeviceId,
        /// Never logged.
        secret: String,
    },
    /// User name = access token. Never logged.
    Token(String),
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
}

impl Credential {
    /// Reads the user name: with a `/` it is `tenant/device`, without one an access token.
    pub fn read(login: Option<Login>) -> Result<Self, LoginError> {
        let Login { user_name, password } = login.ok_or(LoginError::Missing)?;
        match user_name.split_once('/') {
            Some((tenant, device)) => Ok(Self::Secret {
                tenant: TenantId::new(tenant).map_err(|_| LoginError::Names)?,
                device: DeviceId::new(device).map_err(|_| LoginError::Names)?,
                secret: password,
            }),
            None if user_name.is_empty() => Err(LoginError::Missing),
            None if user_name.len() > TOKEN_BYTES_MAX => Err(LoginError::TokenLength),
            None => Ok(Self::Token(user_name)),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(hidden)")
    }
}

/// Tenant and device, or that it was a token.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { tenant, device, .. } => write!(f, "{tenant}/{device}"),
            Self::Token(_) => f.write_str("access token"),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({self})")
    }
}
