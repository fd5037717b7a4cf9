//! One TCP connection to the hub over the board's Ethernet. The address is a fixed one: QEMU's own network gives each board
//! 10.0.2.15, and what listens on the host's 127.0.0.1 is 10.0.2.2 there.

use crate::lan9118::Lan9118;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

/// Of the board; it is of the range that nobody else is given.
pub const ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// Bytes that wait each way.
const BUFFER_BYTES: usize = 2_048;
/// A peer that says nothing for so long while something waits for it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Local ports are taken one after the other from here.
const FIRST_PORT: u16 = 49_152;

/// Memory for the connection.
pub struct NetMemory {
    sockets: [SocketStorage<'static>; 1],
    receive: [u8; BUFFER_BYTES],
    transmit: [u8; BUFFER_BYTES],
}

impl NetMemory {
    /// Empty memory.
    pub const fn new() -> Self {
        Self {
            sockets: [SocketStorage::EMPTY; 1],
            receive: [0; BUFFER_BYTES],
            transmit: [0; BUFFER_BYTES],
        }
    }
}

impl Default for NetMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// How the connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// There is none.
    Down,
    /// It is being opened.
    Opening,
    /// It is open.
    Up,
}

/// The board's network.
pub struct Net {
    device: Lan9118,
    interface: Interface,
    sockets: SocketSet<'static>,
    tcp: SocketHandle,
    hub_port: u16,
    next_port: u16,
}

impl Net {
    /// Without a connection. `seed` is entropy.
    pub fn new(mut device: Lan9118, memory: &'static mut NetMemory, hub_port: u16, seed: u64) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(ADDRESS)));
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::from_millis(0));
        interface.update_ip_addrs(|addresses| {
            // There is room for one.
            let _ = addresses.push(IpCidr::new(IpAddress::v4(10, 0, 2, 15), 24));
        });
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let mut socket = Socket::new(
            SocketBuffer::new(&mut memory.receive[..]),
            SocketBuffer::new(&mut memory.transmit[..]),
        );
        socket.set_timeout(Some(SILENCE_MAX));
        // What is due is handed over in one go.
        socket.set_nagle_enabled(false);
        let tcp = sockets.add(socket);
        Self {
            device,
            interface,
            sockets,
            tcp,
            hub_port,
            next_port: FIRST_PORT + (seed % 8_192) as u16,
        }
    }

    /// Moves frames; to be called again and again.
    pub fn poll(&mut self, now_ms: u64) {
        let now = Instant::from_millis(now_ms as i64);
        let _ = self.interface.poll(now, &mut self.device, &mut self.sockets);
    }

    /// How the connection is. One that the hub has closed is down once all was read.
    pub fn link(&mut self) -> Link {
        let socket = self.socket();
        match socket.state() {
            State::SynSent | State::SynReceived => Link::Opening,
            State::Established => Link::Up,
            State::CloseWait if socket.can_recv() => Link::Up,
            _ => Link::Down,
        }
    }

    /// Begins to open a connection; whether it could.
    pub fn connect(&mut self) -> bool {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        let hub = (IpAddress::v4(10, 0, 2, 2), self.hub_port);
        let socket = self.sockets.get_mut::<Socket<'static>>(self.tcp);
        socket.connect(self.interface.context(), hub, port).is_ok()
    }

    /// Hands in what came, as often as something is left; `take` says how many bytes it took.
    pub fn receive(&mut self, take: impl FnOnce(&[u8]) -> usize) -> usize {
        let socket = self.socket();
        if !socket.can_recv() {
            return 0;
        }
        let taken = socket.recv(|bytes| {
            let taken = take(bytes);
            (taken, taken)
        });
        taken.unwrap_or(0)
    }

    /// How many bytes would be taken now.
    pub fn send_room(&mut self) -> usize {
        let socket = self.socket();
        if socket.can_send() {
            socket.send_capacity().saturating_sub(socket.send_queue())
        } else {
            0
        }
    }

    /// Sends bytes, at most as many as there is room for; how many.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        self.socket().send_slice(bytes).unwrap_or(0)
    }

    /// Whether all that was sent has arrived.
    pub fn is_all_sent(&mut self) -> bool {
        self.socket().send_queue() == 0
    }

    /// Closes the connection once all has arrived.
    pub fn close(&mut self) {
        self.socket().close();
    }

    /// Gives the connection up.
    pub fn abort(&mut self) {
        self.socket().abort();
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut::<Socket<'static>>(self.tcp)
    }
}
