//! rumqttd with its own listener and the settings of its own sample file: a peer to measure against. The hub never
//! uses that listener.

use anyhow::{Context, Result};
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;

fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("usage: stock_rumqttd ADDRESS")?;
    let server = ServerSettings {
        name: "v4-1".into(),
        listen: address.parse().context("the address")?,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 20_480,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let config = Config {
        router: RouterConfig {
            max_connections: 10_010,
            max_outgoing_packet_count: 200,
            max_segment_size: 100 << 20,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("1".into(), server)])),
        ..Config::default()
    };
    Broker::new(config).start().context("rumqttd ended")
}
