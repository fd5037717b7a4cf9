//! The device agent as a program on Linux: each line of its input is a sample, `channel=value` with spaces between them, as of
//! the appliance profile; it goes to the hub with the time at which it was read. The command `status` is answered.
//!
//! ```sh
//! while sleep 1; do echo "5=$(measure_the_motor) 6=$(measure_the_water)"; done |
//!   FORECALL_DEVICE_SECRET=… agent-sdk-examples-linux hub.example:1883 acme/pump-1
//! ```
//!
//! It ends once its input has ended and the hub has everything. What waits for the hub is in memory, and lost with it.

mod device;
mod input;

use agent_sdk_blocking::{Buffers, run};
use agent_sdk_core::{Credentials, Identity, Reason, Session, Settings, Will};
use agent_sdk_wire::GONE;
use anyhow::{Context, Result};
use device::LinuxDevice;
use embedded_io_adapters::std::FromStd;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// What may wait for the hub: some ten thousand samples of eight values.
const OUTBOX_BYTES: usize = 1 << 20;
/// The longest message of the hub.
const RECEIVE_BYTES: usize = 4_096;
/// A hub that takes nothing for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let usage =
        "usage: agent-sdk-examples-linux HOST:PORT TENANT/DEVICE, with FORECALL_DEVICE_SECRET in the environment";
    let mut arguments = std::env::args().skip(1);
    let (Some(hub), Some(user)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("{usage}");
    };
    let secret = std::env::var("FORECALL_DEVICE_SECRET").context(usage)?;
    let (_, name) = user.split_once('/').context(usage)?;
    let prefix = format!("d/{name}/");
    let identity = Identity {
        client_id: name,
        credentials: Some(Credentials {
            user_name: &user,
            password: Some(secret.as_bytes()),
        }),
        will: Some(Will {
            topic: "s",
            payload: GONE,
        }),
        topic_prefix: &prefix,
        subscriptions: &["c/+"],
    };
    let (mut outbox, mut receive) = (vec![0; OUTBOX_BYTES], vec![0; RECEIVE_BYTES]);
    let entropy = entropy()?;
    let mut session = Session::new(&mut outbox, &mut receive, Settings::DEFAULT, entropy as u32)
        .context("the receive buffer is too short")?;
    let mut device = LinuxDevice::new(input::lines(), entropy);
    loop {
        device.wait_until(session.next_connect_at().unwrap_or(0), &mut session);
        let opened = TcpStream::connect(&hub).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(WRITE_MAX))?;
            Ok(stream)
        });
        let stream = match opened {
            Ok(stream) => stream,
            Err(error) => {
                eprintln!("no connection to {hub}: {error}");
                session.handle_disconnected(device.uptime_ms());
                continue;
            }
        };
        let buffers = Buffers {
            receive: &mut [0; 1_024],
            transmit: &mut [0; 1_024],
        };
        let mut transport = FromStd::new(stream);
        match run(&mut session, &identity, &mut transport, buffers, &mut device, 0) {
            Ok(Reason::Closed) => return Ok(()),
            Ok(reason) => eprintln!("disconnected: {reason:?}"),
            Err(error) => eprintln!("disconnected: {error}"),
        }
    }
}

/// Of the system's generator.
fn entropy() -> Result<u64> {
    let mut bytes = [0; 8];
    let source = "/dev/urandom";
    let mut file = std::fs::File::open(source).with_context(|| format!("could not open {source}"))?;
    file.read_exact(&mut bytes)
        .with_context(|| format!("could not read {source}"))?;
    Ok(u64::from_le_bytes(bytes))
}
