//! The Ethernet controller of MPS2 boards, SMSC's LAN9118, asked in turn instead of by interrupts. Register names are those
//! of its datasheet.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// Where it is on the boards AN385 and AN386.
pub const MPS2_BASE: usize = 0x4020_0000;

/// The longest frame, without its check sequence, that leaves or is taken in.
const FRAME_BYTES_MAX: usize = 1_514;
/// The check sequence behind each frame that came.
const CHECK_BYTES: usize = 4;
/// Whole words of the longest frame that came.
const BUFFER_BYTES: usize = (FRAME_BYTES_MAX + CHECK_BYTES).next_multiple_of(4);

const RX_DATA_FIFO: usize = 0x00;
const TX_DATA_FIFO: usize = 0x20;
const RX_STATUS_FIFO: usize = 0x40;
const TX_STATUS_FIFO: usize = 0x48;
const INT_STS: usize = 0x58;
const BYTE_TEST: usize = 0x64;
const RX_CFG: usize = 0x6C;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7C;
const TX_FIFO_INF: usize = 0x80;
const MAC_CSR_CMD: usize = 0xA4;
const MAC_CSR_DATA: usize = 0xA8;
const AFC_CFG: usize = 0xAC;

/// What BYTE_TEST holds if words arrive with their bytes in order.
const BYTE_ORDER: u32 = 0x8765_4321;
const SOFT_RESET: u32 = 1;
/// TX_FIF_SZ: 5 KiB of the controller's memory are for frames that leave.
const TX_FIFO_KIB: u32 = 5 << 16;
/// High and low mark, back pressure and its duration, as the datasheet proposes.
const FLOW_CONTROL: u32 = 0x006E_3740;
const TX_ON: u32 = 1 << 1;

/// Registers of the part that is behind MAC_CSR_CMD.
const MAC_CR: u32 = 1;
const ADDRH: u32 = 2;
const ADDRL: u32 = 3;
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;
const RXEN: u32 = 1 << 2;
const TXEN: u32 = 1 << 3;

/// In a status of reception.
const ERROR: u32 = 1 << 15;
/// In the first word of a command to send: the buffer is the first and the last of its frame.
const WHOLE_FRAME: u32 = 1 << 13 | 1 << 12;

/// How often a bit is looked at before the controller counts as broken.
const LOOKS_MAX: u32 = 1_000_000;

/// The controller, with memory for a frame each way.
pub struct Lan9118 {
    registers: Registers,
    received: [u8; BUFFER_BYTES],
    outgoing: [u8; BUFFER_BYTES],
}

impl Lan9118 {
    /// Resets the controller and gives it an address; `None` if there is none, or it does not answer.
    ///
    /// # Safety
    ///
    /// `base` is where its registers are, and nobody else uses them.
    pub unsafe fn new(base: usize, address: [u8; 6]) -> Option<Self> {
        let registers = Registers { base };
        if registers.read(BYTE_TEST) != BYTE_ORDER {
            return None;
        }
        registers.write(HW_CFG, SOFT_RESET);
        registers.wait(HW_CFG, SOFT_RESET)?;
        registers.write(HW_CFG, TX_FIFO_KIB);
        registers.write(AFC_CFG, FLOW_CONTROL);
        registers.write(INT_STS, u32::MAX);
        // Frames begin at the first byte of their first word.
        registers.write(RX_CFG, 0);
        let [a0, a1, a2, a3, a4, a5] = address;
        registers.write_mac(ADDRL, u32::from_le_bytes([a0, a1, a2, a3]))?;
        registers.write_mac(ADDRH, u32::from_le_bytes([a4, a5, 0, 0]))?;
        registers.write(TX_CFG, TX_ON);
        let control = registers.read_mac(MAC_CR)?;
        registers.write_mac(MAC_CR, control | TXEN | RXEN)?;
        Some(Self {
            registers,
            received: [0; BUFFER_BYTES],
            outgoing: [0; BUFFER_BYTES],
        })
    }

    /// Takes the next sound frame in; how many bytes it has.
    fn take(&mut self) -> Option<usize> {
        while self.registers.read(RX_FIFO_INF) >> 16 & 0xFF > 0 {
            let status = self.registers.read(RX_STATUS_FIFO);
            let len = (status >> 16 & 0x3FFF) as usize;
            // All of it has to be read, to come to the next.
            for at in (0..len).step_by(4) {
                let word = self.registers.read(RX_DATA_FIFO).to_le_bytes();
                if let Some(place) = self.received.get_mut(at..at + 4) {
                    place.copy_from_slice(&word);
                }
            }
            let fits = len > CHECK_BYTES && len <= self.received.len();
            if status & ERROR == 0 && fits {
                return Some(len - CHECK_BYTES);
            }
        }
        None
    }
}

/// Somewhere in the address space.
#[derive(Clone, Copy)]
struct Registers {
    base: usize,
}

impl Registers {
    fn read(self, offset: usize) -> u32 {
        // SAFETY: a register of the controller, says the caller of `Lan9118::new`.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    fn write(self, offset: usize, value: u32) {
        // SAFETY: as above.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) }
    }

    /// Until these bits are 0.
    fn wait(self, offset: usize, bits: u32) -> Option<()> {
        (0..LOOKS_MAX).any(|_| self.read(offset) & bits == 0).then_some(())
    }

    fn read_mac(self, register: u32) -> Option<u32> {
        self.write(MAC_CSR_CMD, MAC_BUSY | MAC_READ | register);
        self.wait(MAC_CSR_CMD, MAC_BUSY)?;
        Some(self.read(MAC_CSR_DATA))
    }

    fn write_mac(self, register: u32, value: u32) -> Option<()> {
        self.write(MAC_CSR_DATA, value);
        self.write(MAC_CSR_CMD, MAC_BUSY | register);
        self.wait(MAC_CSR_CMD, MAC_BUSY)
    }

    /// Sends a frame of `len` bytes at the beginning of `buffer`. One that finds no room is lost, as on a busy wire.
    fn send(self, buffer: &[u8], len: usize) {
        // Two words of command before it, and one to spare.
        let need = (len.next_multiple_of(4) + 12) as u32;
        if !(0..LOOKS_MAX).any(|_| self.read(TX_FIFO_INF) & 0xFFFF >= need) {
            return;
        }
        self.write(TX_DATA_FIFO, WHOLE_FRAME | len as u32);
        self.write(TX_DATA_FIFO, len as u32);
        for word in buffer.chunks_exact(4).take(len.div_ceil(4)) {
            let &[b0, b1, b2, b3] = word else { return };
            self.write(TX_DATA_FIFO, u32::from_le_bytes([b0, b1, b2, b3]));
        }
        // What became of earlier ones; nobody asks.
        while self.read(TX_FIFO_INF) >> 16 & 0xFF > 0 {
            self.read(TX_STATUS_FIFO);
        }
    }
}

/// A frame that came.
pub struct Received<'l>(&'l [u8]);

/// Room for a frame that leaves.
pub struct Outgoing<'l> {
    registers: Registers,
    buffer: &'l mut [u8; BUFFER_BYTES],
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let done = write(&mut self.buffer[..len]);
        self.registers.send(&self.buffer[..], len);
        done
    }
}

impl Device for Lan9118 {
    type RxToken<'l> = Received<'l>;
    type TxToken<'l> = Outgoing<'l>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Outgoing<'_>)> {
        let len = self.take()?;
        let outgoing = Outgoing {
            registers: self.registers,
            buffer: &mut self.outgoing,
        };
        Some((Received(&self.received[..len]), outgoing))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing {
            registers: self.registers,
            buffer: &mut self.outgoing,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        // One frame is under way at a time.
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}
