//! Calls: the address that carriers reach, and the ports of audio.

use super::Config;
use anyhow::{Result, ensure};
use hub_core::host::{Host, HostPort};
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// UDP ports from the first to the last, written as `16384-19999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ports {
    first: u16,
    last: u16,
}

/// Not a range of ports.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no range of ports such as 16384-19999")]
pub struct PortsError(String);

/// Below those that systems hand out by themselves, and enough for the largest `calls_max`.
impl Default for Ports {
    fn default() -> Self {
        Self {
            first: 16_384,
            last: 19_999,
        }
    }
}

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (1..=last).contains(&first).then_some(Self { first, last })
        };
        read().ok_or_else(|| PortsError(text.to_owned()))
    }
}

impl TryFrom<String> for Ports {
    type Error = PortsError;

    fn try_from(text: String) -> Result<Self, PortsError> {
        text.parse()
    }
}

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Ports {
    /// All of them.
    pub fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// The even ones; each carries the audio of one call, the odd one above it the call's reports.
    pub fn even(self) -> impl Iterator<Item = u16> {
        self.range().filter(|port| port % 2 == 0)
    }
}

pub(super) fn check(config: &Config) -> Result<()> {
    let (bind, ports) = (config.sip.ip(), config.media_ports);
    match &config.sip_advertise {
        None => ensure!(
            !bind.is_unspecified(),
            "sip = {} stands for every address of this machine, and a carrier can answer to none of them: say in sip_advertise which \
             one it reaches",
            config.sip
        ),
        Some(Host::Address(told)) => {
            ensure!(
                !told.is_unspecified() && !told.is_multicast(),
                "sip_advertise = {told} is no address that a carrier can answer to"
            );
            ensure!(
                told.is_ipv4() == bind.is_ipv4(),
                "sip = {} and sip_advertise = {told} are of two kinds: use IPv4 in both or IPv6 in both",
                config.sip
            );
        }
        Some(Host::Name(_)) => {}
    }
    ensure!(
        ports.first >= 1_024,
        "media_ports = {ports} must begin at 1024 or above"
    );
    ensure!(
        ports.even().count() >= config.calls_max,
        "media_ports = {ports} has too few even ports for calls_max = {}: a call takes one, and the odd one above it",
        config.calls_max
    );
    Ok(())
}

impl Config {
    /// What carriers are told, a name before it is resolved.
    pub fn calls_reached_at(&self) -> HostPort {
        let told = self.sip_advertise.as_ref();
        told.map_or(HostPort::Address(self.sip), |host| host.with_port(self.sip.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("forecall.toml");
        std::fs::write(&file, text)?;
        Config::load(Some(&file), |name| {
            env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn every_address_needs_one_that_carriers_are_told() {
        for (sip, told, error) in [
            ("0.0.0.0:5062", "", "sip_advertise"),
            ("[::]:5062", "", "sip_advertise"),
            ("0.0.0.0:5062", "203.0.113.7", ""),
            ("[::]:5062", "2001:db8::7", ""),
            ("[::]:5062", "203.0.113.7", "two kinds"),
            ("10.0.0.5:5062", "", ""),
            ("10.0.0.5:5062", "203.0.113.7", ""),
            ("10.0.0.5:5062", "2001:db8::7", "two kinds"),
            ("0.0.0.0:5062", "hub.example", ""),
            ("0.0.0.0:5062", "hub.example:5062", "is no host"),
            ("10.0.0.5:5062", "0.0.0.0", "can answer to"),
            ("10.0.0.5:5062", "224.0.0.1", "can answer to"),
        ] {
            let told = if told.is_empty() {
                String::new()
            } else {
                format!("sip_advertise = '{told}'\n")
            };
            let read = load(&format!("expose = true\nsip = '{sip}'\n{told}"), &[]);
            match read {
                Ok(_) => assert!(error.is_empty(), "{sip}, {told}"),
                Err(found) => {
                    let found = format!("{found:#}");
                    assert!(!error.is_empty() && found.contains(error), "{sip}, {told}: {found}");
                }
            }
        }
        let env = [
            ("FORECALL_SIP_ADVERTISE", "203.0.113.7"),
            ("FORECALL_MEDIA_PORTS", "30000-30099"),
        ];
        let config = load("sip_advertise = '203.0.113.8'", &env).unwrap();
        assert_eq!(config.calls_reached_at().to_string(), "203.0.113.7:5062");
        assert_eq!(config.media_ports.range(), 30_000..=30_099);
        assert_eq!(load("", &[]).unwrap().calls_reached_at().to_string(), "127.0.0.1:5062");
    }

    #[test]
    fn ports_are_a_range_with_room_for_the_calls() {
        for (text, even) in [
            ("16384-19999", 1_808),
            ("30001-30004", 2),
            ("30001-30001", 0),
            (" 4000 - 4001 ", 1),
        ] {
            assert_eq!(text.parse::<Ports>().unwrap().even().count(), even, "{text}");
        }
        for wrong in ["", "30000", "30000-", "30010-30000", "0-100", "1-65536", "a-b"] {
            assert!(wrong.parse::<Ports>().is_err(), "{wrong}");
        }
        assert!(load("media_ports = '30000-30015'", &[]).is_ok());
        for wrong in ["30001-30015", "1022-3000", "65535-65535", "many"] {
            assert!(load(&format!("media_ports = '{wrong}'"), &[]).is_err(), "{wrong}");
        }
        assert!(load("media_ports = '30000-30015'\ncalls_max = 9", &[]).is_err());
    }
}
