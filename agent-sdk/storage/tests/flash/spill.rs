//! A session whose waiting telemetry goes to flash, a hub that comes and goes, and a power that fails at every step.

use crate::world::cut;
use agent_sdk_core::{Event, Identity, Lane, Overflow as Policy, Publish, Qos, Session, Settings};
use agent_sdk_storage::sim::{SimError, SimFlash};
use agent_sdk_storage::{Area, Error, Overflow, Spill};

type Flash = SimFlash<4, 256>;
type Done = Result<(), Error<SimError>>;

const PAGES: u32 = 8;
/// Five readings.
const OUTBOX_BYTES: usize = 160;
const SCRATCH_BYTES: usize = 40;

const IDENTITY: Identity<'static> = Identity {
    client_id: "wm",
    credentials: None,
    will: None,
    topic_prefix: "d/wm/",
    subscriptions: &[],
};

/// Takes everything and acknowledges it.
#[derive(Default)]
struct Hub {
    up: Vec<u8>,
    down: Vec<u8>,
    /// The first byte of each payload.
    arrived: Vec<u8>,
}

impl Hub {
    fn take(&mut self, bytes: &[u8]) {
        self.up.extend(bytes);
        // All packets here are short.
        while let [first, length, rest @ ..] = &self.up[..] {
            let Some(body) = rest.get(..usize::from(*length)) else {
                return;
            };
            match *first & 0xF0 {
                0x10 => self.down.extend([0x20, 2, 0, 0]),
                0x30 => {
                    let behind = &body[2 + usize::from(body[1])..];
                    self.down.extend([0x40, 2, behind[0], behind[1]]);
                    self.arrived.push(behind[2]);
                }
                other => panic!("{other:X} is not expected"),
            }
            let length = 2 + body.len();
            self.up.drain(..length);
        }
    }
}

struct Memory {
    outbox: [u8; OUTBOX_BYTES],
    receive: [u8; 16],
}

impl Memory {
    fn new() -> Self {
        Self {
            outbox: [0; OUTBOX_BYTES],
            receive: [0; 16],
        }
    }
}

/// A device from a start to the end of its power.
struct Device<'m> {
    session: Session<'m>,
    spill: Spill,
    hub: Hub,
}

impl<'m> Device<'m> {
    fn start(memory: &'m mut Memory, flash: &mut Flash, overflow: Overflow) -> Self {
        let area = Area::new(flash, 0, 256, PAGES).unwrap();
        let session = Session::new(&mut memory.outbox, &mut memory.receive, Settings::DEFAULT, 1);
        Self {
            session: session.expect("the receive buffer is large enough"),
            spill: Spill::open(flash, area, overflow).unwrap(),
            hub: Hub::default(),
        }
    }

    fn turn(&mut self, flash: &mut Flash) -> Done {
        self.spill.turn(flash, &mut self.session, &mut [0; SCRATCH_BYTES])
    }

    fn report(&mut self, flash: &mut Flash, number: u8) -> Done {
        let message = Publish {
            lane: Lane::Telemetry,
            topic: "t",
            payload: &[number; 20],
            qos: Qos::AtLeastOnce,
            retain: false,
            overflow: Policy::DropOldest,
        };
        self.session.publish(&message).expect("the oldest gives way");
        self.turn(flash)
    }

    /// All that is to be said on a connection that was opened.
    fn pump(&mut self, flash: &mut Flash) -> Done {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let Event::Delivered(token) = event {
                    self.spill.handle_delivered(flash, token)?;
                }
            }
            self.turn(flash)?;
            let mut out = [0; 64];
            let count = self.session.poll_transmit(&IDENTITY, &mut out, 1_000);
            self.hub.take(&out[..count]);
            if count == 0 && self.hub.down.is_empty() {
                return Ok(());
            }
            let taken = self.session.handle_bytes(&self.hub.down, 1_000);
            self.hub.down.drain(..taken);
        }
    }

    fn connect(&mut self, flash: &mut Flash) -> Done {
        self.session.handle_connected(1_000, 0);
        self.pump(flash)
    }
}

#[test]
fn what_waits_survives_the_power_and_arrives_in_order() {
    let mut flash = Flash::new(PAGES as usize);
    let mut memory = Memory::new();
    let mut device = Device::start(&mut memory, &mut flash, Overflow::Refuse);
    for number in 0..30 {
        device.report(&mut flash, number).unwrap();
        assert!(device.session.is_outbox_empty(), "{number} is in flash");
    }
    let mut memory = Memory::new();
    let mut device = Device::start(&mut memory, &mut flash, Overflow::Refuse);
    assert_eq!(device.spill.pending(), 30);
    device.connect(&mut flash).unwrap();
    assert_eq!(device.hub.arrived, (0..30).collect::<Vec<u8>>());
    assert_eq!((device.spill.pending(), device.spill.take_dropped()), (0, 0));
    assert!(device.session.is_outbox_empty());

    // While the hub takes everything the flash is left alone.
    let steps = flash.steps();
    for number in 30..40 {
        device.report(&mut flash, number).unwrap();
        device.pump(&mut flash).unwrap();
    }
    assert_eq!(flash.steps(), steps);
    assert_eq!(device.hub.arrived, (0..40).collect::<Vec<u8>>());
    assert_eq!(flash.faults(), 0);
}

#[test]
fn what_flash_has_no_room_for_is_counted() {
    let mut flash = Flash::new(PAGES as usize);
    let mut memory = Memory::new();
    let mut device = Device::start(&mut memory, &mut flash, Overflow::DropOldest);
    for number in 0..200 {
        device.report(&mut flash, number).unwrap();
    }
    let dropped = device.spill.take_dropped();
    assert!((100..200).contains(&dropped), "{dropped}");
    assert_eq!(device.spill.take_dropped(), 0, "told once");
    device.connect(&mut flash).unwrap();
    let first = u8::try_from(dropped).unwrap();
    assert_eq!(
        device.hub.arrived,
        (first..200).collect::<Vec<u8>>(),
        "the newest are kept, in order"
    );
    assert_eq!(device.spill.take_dropped(), 0);
}

/// Which readings were kept, as far as the power lasted.
fn day(device: &mut Device<'_>, flash: &mut Flash) -> Vec<u8> {
    let mut kept = Vec::new();
    for number in 0..12 {
        if device.report(flash, number).is_err() {
            return kept;
        }
        kept.push(number);
    }
    // Cut or not: the hub may have everything by then.
    let _ = device.connect(flash);
    kept
}

#[test]
fn a_power_cut_at_every_step_loses_nothing_that_was_kept() {
    let mut whole = Flash::new(PAGES as usize);
    let mut memory = Memory::new();
    let mut device = Device::start(&mut memory, &mut whole, Overflow::Refuse);
    assert_eq!(day(&mut device, &mut whole).len(), 12);
    assert_eq!(device.hub.arrived.len(), 12);
    for steps in 0..whole.steps() {
        let mut flash = Flash::new(PAGES as usize);
        flash.cut_after(steps, cut(steps % 3));
        let mut memory = Memory::new();
        let mut device = Device::start(&mut memory, &mut flash, Overflow::Refuse);
        let kept = day(&mut device, &mut flash);
        let before = device.hub.arrived;
        flash.restart();
        let mut memory = Memory::new();
        let mut device = Device::start(&mut memory, &mut flash, Overflow::Refuse);
        device.connect(&mut flash).unwrap();
        let after = device.hub.arrived;
        for number in kept {
            assert!(
                before.contains(&number) || after.contains(&number),
                "{number} is lost at {steps}"
            );
        }
        for arrived in [&before, &after] {
            assert!(arrived.is_sorted_by(|one, next| one < next), "{steps}: {arrived:?}");
        }
        assert_eq!((device.spill.pending(), flash.faults()), (0, 0), "{steps}");
    }
}
