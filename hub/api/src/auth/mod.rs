//! Who asks: log-in, sessions, and the refusal of requests that another site's page sends.

pub(crate) mod bearer;
pub mod change_password;
pub(crate) mod first_account;
pub mod log_in;
pub(crate) mod origin;
pub(crate) mod password;
pub mod session;
pub(crate) mod throttle;
