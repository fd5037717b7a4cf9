//! Ports for programs that a test starts, which cannot be told to take any free one and say which.
//!
//! They lie below those that the system hands out (`ip_local_port_range`, 32,768 and up on Linux): otherwise another test, or
//! any client, could get the port between the look here and the program's start.

use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
/// For each test that runs at a time.
const OF_A_TEST: u16 = 200;
/// SIPp takes the three behind its media port, too.
const STEP: u16 = 4;
/// Tests at a time, so that the last port stays below the system's.
const TESTS: u16 = 60;

/// A port for TCP.
///
/// # Errors
/// None is free.
pub fn tcp() -> Result<SocketAddr> {
    free(|addr| TcpListener::bind(addr).is_ok())
}

/// A port for UDP.
///
/// # Errors
/// None is free.
pub fn udp() -> Result<SocketAddr> {
    free(|addr| UdpSocket::bind(addr).is_ok())
}

fn free(is_free: impl Fn(SocketAddr) -> bool) -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // The runner numbers the tests that run at a time; without it they are threads of this program.
    let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok();
    let slot: u16 = slot.and_then(|slot| slot.parse().ok()).unwrap_or(0);
    for _ in 0..OF_A_TEST / STEP {
        let next = NEXT.fetch_add(STEP, Ordering::Relaxed) % OF_A_TEST;
        let port = FIRST + slot % TESTS * OF_A_TEST + next;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if is_free(addr) {
            return Ok(addr);
        }
    }
    bail!("no port is free among the {OF_A_TEST} of this test")
}
