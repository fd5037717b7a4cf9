//! Why a connection ends before its client has said a word of MQTT.

/// Why a connection did not come as far as MQTT.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// Nothing, or not enough, came in time.
    #[error("handshake not completed in time")]
    Timeout,
    /// The client left.
    #[error("client left during the handshake")]
    Lost,
    /// TLS where plain text is served.
    #[error("TLS on the plain listener")]
    TlsOnPlain,
    /// Plain text where TLS is served.
    #[error("plain text on the TLS listener")]
    PlainOnTls,
    /// Not our kind of TLS.
    #[error("TLS handshake failed")]
    Tls(#[source] rustls::Error),
    /// A client certificate that is not taken.
    #[error("client certificate refused")]
    Certificate(#[source] rustls::Error),
    /// The subject names no device.
    #[error("client certificate has no common name that is a device name")]
    Subject,
    /// Not our kind of WebSocket.
    #[error("WebSocket upgrade refused")]
    Web(#[source] Box<tungstenite::Error>),
}

impl HandshakeError {
    /// A short fixed name, for counters.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Timeout => "handshake_timeout",
            Self::Lost => "handshake_lost",
            Self::TlsOnPlain => "tls_on_plain",
            Self::PlainOnTls => "plain_on_tls",
            Self::Tls(_) => "tls",
            Self::Certificate(_) | Self::Subject => "certificate",
            Self::Web(_) => "web_socket",
        }
    }
}
