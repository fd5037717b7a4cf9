//! Where calls arrive: the address that carriers are told, and the ports of audio.

use super::found::Found;
use crate::config::Config;
use anyhow::{Result, bail};
use hub_voice::whereabouts::look_up;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Addresses that carriers share among their customers (RFC 6598): reached inside that carrier's network only.
const SHARED: (Ipv4Addr, u8) = (Ipv4Addr::new(100, 64, 0, 0), 10);

/// Whether the far side can answer to the address that it is told.
pub(super) async fn address(config: &Config) -> Result<Found> {
    let told = config.calls_reached_at();
    let found = look_up(&told, config.sip.is_ipv4()).await?;
    let Some(ip) = found.first().map(SocketAddr::ip) else {
        bail!("{told} has no address");
    };
    let is_ours = UdpSocket::bind((ip, 0)).is_ok();
    match (is_ours, is_private(ip)) {
        _ if ip.is_loopback() => Found::ok(format!("{ip}: calls of this machine only")),
        (true, false) => Found::ok(format!("{ip} is an address of this machine")),
        (true, true) => Found::ok(format!(
            "{ip} is an address of this machine, reached inside its network only; a carrier outside needs sip_advertise"
        )),
        (false, false) => Found::ok(format!(
            "{ip} is not an address of this machine: a router has to pass on to it UDP port {} and the ports {}",
            config.sip.port(),
            config.media_ports
        )),
        (false, true) => Found::warn(format!(
            "{ip} is neither an address of this machine nor one that is reached from everywhere; is it still right? see sip_advertise"
        )),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let (net, bits) = SHARED;
            let same = (u32::from(ip) ^ u32::from(net)) >> (32 - u32::from(bits)) == 0;
            ip.is_private() || ip.is_link_local() || same
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether the ports of audio are free. A running hub holds two for each call that is up.
pub(super) fn ports(config: &Config) -> Result<Found> {
    let (ip, ports, calls) = (config.sip.ip(), config.media_ports, config.calls_max);
    let is_free = |port: &u16| UdpSocket::bind((ip, *port)).is_ok();
    let (all, free) = (ports.even().count(), ports.even().filter(is_free).count());
    if free == 0 {
        bail!("none of the even ports {ports} can be had on {ip}: choose others in media_ports");
    }
    let said = format!("{free} of {all} even ports in {ports} are free on {ip}");
    if free < calls {
        return Found::warn(format!("{said}, for calls_max = {calls}: choose others in media_ports"));
    }
    Found::ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<Found>) -> String {
        match result {
            Ok(Found::Ok(text)) => format!("ok {text}"),
            Ok(Found::Warn(text)) => format!("warn {text}"),
            Err(error) => format!("FAIL {error:#}"),
        }
    }

    #[tokio::test]
    async fn the_address_that_carriers_are_told_is_ours_or_passed_on() {
        for (told, start, words) in [
            (None, "ok ", "calls of this machine only"),
            (Some("localhost"), "ok ", "calls of this machine only"),
            (Some("nowhere.invalid"), "FAIL ", "nowhere.invalid:5062"),
            (Some("203.0.113.7"), "ok ", "UDP port 5062 and the ports 16384-19999"),
            (Some("10.255.254.253"), "warn ", "neither an address of this machine"),
            (Some("100.127.255.254"), "warn ", "neither"),
            (Some("fd00::dead:beef"), "warn ", "neither"),
        ] {
            let config = Config {
                sip_advertise: told.map(|ip| ip.parse().unwrap()),
                ..Config::default()
            };
            let text = said(address(&config).await);
            assert!(text.starts_with(start) && text.contains(words), "{told:?}: {text}");
        }
    }

    #[test]
    fn ports_that_somebody_holds_are_missed() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let even = taken.local_addr().unwrap().port() & !1;
        // Where the system chose an odd port, the even one below it stands for it.
        let _even = UdpSocket::bind((Ipv4Addr::LOCALHOST, even));
        let of = |first: u16, last: u16| {
            let config = Config {
                media_ports: format!("{first}-{last}").parse().unwrap(),
                calls_max: 8,
                ..Config::default()
            };
            said(ports(&config))
        };
        let none = of(even, even + 1);
        assert!(none.starts_with("FAIL ") && none.contains("media_ports"), "{none}");
        let few = of(even - 10, even + 1);
        assert!(few.starts_with("warn ") || few.starts_with("FAIL "), "{few}");
        // Many more than the calls, so that it does not matter who else holds some of them.
        let enough = of(even - 200, even + 1);
        assert!(
            enough.starts_with("ok ") && enough.contains(" of 101 even ports"),
            "{enough}"
        );
        assert!(!enough.starts_with("ok 101 "), "one at least is held: {enough}");
        assert_eq!(Config::default().media_ports.even().count(), 1_808);
    }
}
