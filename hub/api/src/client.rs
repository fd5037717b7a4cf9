//! For whom a request is, behind whatever stands in front of the hub.

use crate::state::App;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use std::net::{IpAddr, SocketAddr};

/// For whom a request is: the address that throttles and bounds count.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Their address.
    pub address: IpAddr,
    /// They come through a trusted proxy.
    pub(crate) by_proxy: bool,
}

impl FromRequestParts<App> for Client {
    type Rejection = <ConnectInfo<SocketAddr> as FromRequestParts<App>>::Rejection;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app).await?;
        let proxies = &app.state.config.proxies;
        Ok(Self {
            address: proxies.client(peer.ip(), &parts.headers),
            by_proxy: proxies.include(peer.ip()),
        })
    }
}
