//! The table `[quota]`: how much devices and tenants may send.

use anyhow::{Result, ensure};
use hub_broker::BrokerConfig;
use hub_core::quota::Pace;
use serde::Deserialize;
use std::net::Ipv4Addr;

/// Bounds of the front door. What is beyond one is refused with a reason code, counted, and told in the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Publishes a second of one device that can be kept up.
    pub device_messages_per_s: u64,
    /// Publishes of one device that may come at once after a rest.
    pub device_messages_burst: u64,
    /// Bytes a second of one device that can be kept up.
    pub device_bytes_per_s: u64,
    /// Bytes of one device that may come at once after a rest.
    pub device_bytes_burst: u64,
    /// Publishes a second of all devices of one tenant that can be kept up.
    pub tenant_messages_per_s: u64,
    /// Publishes of one tenant that may come at once after a rest.
    pub tenant_messages_burst: u64,
    /// Bytes a second of all devices of one tenant that can be kept up.
    pub tenant_bytes_per_s: u64,
    /// Bytes of one tenant that may come at once after a rest.
    pub tenant_bytes_burst: u64,
    /// Connections of one tenant.
    pub tenant_connections_max: usize,
    /// Connects a second under one name that can be kept up.
    pub connects_per_s: u64,
    /// Connects under one name that may come at once after a rest.
    pub connects_burst: u64,
    /// Connections from one address that have not been let in yet.
    pub address_greetings_max: usize,
    /// Publishes of one connection that wait for their commit.
    pub in_flight_max: usize,
    /// Longest packet after its fixed header, in bytes.
    pub packet_bytes_max: usize,
}

/// The front door's own.
impl Default for Quota {
    fn default() -> Self {
        let broker = BrokerConfig::new((Ipv4Addr::LOCALHOST, 0).into());
        Self {
            device_messages_per_s: broker.device_messages.per_second,
            device_messages_burst: broker.device_messages.burst,
            device_bytes_per_s: broker.device_bytes.per_second,
            device_bytes_burst: broker.device_bytes.burst,
            tenant_messages_per_s: broker.tenant_messages.per_second,
            tenant_messages_burst: broker.tenant_messages.burst,
            tenant_bytes_per_s: broker.tenant_bytes.per_second,
            tenant_bytes_burst: broker.tenant_bytes.burst,
            tenant_connections_max: broker.connections_per_tenant_max,
            connects_per_s: broker.identity_connects.per_second,
            connects_burst: broker.identity_connects.burst,
            address_greetings_max: broker.greetings_per_address_max,
            in_flight_max: broker.in_flight_max,
            packet_bytes_max: broker.packet_bytes_max,
        }
    }
}

impl Quota {
    pub(super) fn apply(&self, broker: &mut BrokerConfig) {
        let pace = |per_second, burst| Pace { per_second, burst };
        broker.device_messages = pace(self.device_messages_per_s, self.device_messages_burst);
        broker.device_bytes = pace(self.device_bytes_per_s, self.device_bytes_burst);
        broker.tenant_messages = pace(self.tenant_messages_per_s, self.tenant_messages_burst);
        broker.tenant_bytes = pace(self.tenant_bytes_per_s, self.tenant_bytes_burst);
        broker.identity_connects = pace(self.connects_per_s, self.connects_burst);
        broker.connections_per_tenant_max = self.tenant_connections_max;
        broker.greetings_per_address_max = self.address_greetings_max;
        broker.in_flight_max = self.in_flight_max;
        broker.packet_bytes_max = self.packet_bytes_max;
    }

    pub(super) fn check(&self) -> Result<()> {
        let rates = [
            ("device_messages_per_s", self.device_messages_per_s),
            ("device_messages_burst", self.device_messages_burst),
            ("device_bytes_per_s", self.device_bytes_per_s),
            ("device_bytes_burst", self.device_bytes_burst),
            ("tenant_messages_per_s", self.tenant_messages_per_s),
            ("tenant_messages_burst", self.tenant_messages_burst),
            ("tenant_bytes_per_s", self.tenant_bytes_per_s),
            ("tenant_bytes_burst", self.tenant_bytes_burst),
            ("connects_per_s", self.connects_per_s),
            ("connects_burst", self.connects_burst),
            ("tenant_connections_max", self.tenant_connections_max as u64),
            ("address_greetings_max", self.address_greetings_max as u64),
        ];
        for (name, value) in rates {
            ensure!(
                value > 0,
                "quota.{name} = 0 would let nothing through; set it to at least 1"
            );
        }
        ensure!(
            (1..=65_535).contains(&self.in_flight_max),
            "quota.in_flight_max = {} must be between 1 and 65535",
            self.in_flight_max
        );
        ensure!(
            (1_024..=1 << 20).contains(&self.packet_bytes_max),
            "quota.packet_bytes_max = {} must be between 1024 and 1048576",
            self.packet_bytes_max
        );
        Ok(())
    }
}
