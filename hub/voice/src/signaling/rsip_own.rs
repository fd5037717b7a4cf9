//! Our own address, as SIP headers name it.

use crate::whereabouts::Whereabouts;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where we are, as we write it.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// Where requests are received.
    pub bound: SocketAddr,
    /// What is written in place of its address.
    pub advertise: Option<Arc<Whereabouts>>,
}

impl Own {
    /// The address that the far side is told now.
    pub fn local(&self) -> SocketAddr {
        let told = self.advertise.as_ref().and_then(|place| place.first());
        SocketAddr::new(told.unwrap_or(self.bound).ip(), self.bound.port())
    }
}
