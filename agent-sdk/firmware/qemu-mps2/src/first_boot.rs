//! What the device keeps over power cuts, and the way of a new one to a secret of its own.

use crate::clock;
use crate::flash::{FileFlash, PAGES, PAGE_BYTES};
use crate::net::{Link, Net};
use crate::plan::Plan;
use agent_sdk_core::{Boots, Enrolment, EnrolmentMem, Factory, Origin, Settings, KEPT_BYTES_MAX, SECRET_RANDOM_BYTES};
use agent_sdk_storage::{Area, KeyValue};

const KEY_SECRET: u8 = 0;
const KEY_BOOTS: u8 = 1;
const KEY_SETTINGS: u8 = 8;
/// The longest value.
pub const VALUE_BYTES_MAX: usize = 256;
/// Beyond so many starts without a minute at the hub the device is in a loop.
pub const STARTS_MAX: u8 = 5;
/// Bytes that are handed to the network at a time.
const OUT_BYTES: usize = 128;

/// What is kept: secret, count of starts, settings of the hub.
pub struct Store {
    flash: FileFlash,
    keys: KeyValue,
}

impl Store {
    /// Reads what the flash holds; `None` if there is none, or it holds something else.
    pub fn open(path: &str) -> Option<Self> {
        let mut flash = FileFlash::open(path)?;
        let area = Area::new(&flash, 0, PAGE_BYTES, PAGES).ok()?;
        let keys = KeyValue::open(&mut flash, area).ok()?;
        Some(Self { flash, keys })
    }

    /// Counts this start. To be called before anything that may crash.
    pub fn count_start(&mut self) -> Boots {
        let mut kept = [0; 1];
        let mut boots = Boots::start(self.get(KEY_BOOTS, &mut kept));
        self.keep_count(&mut boots);
        boots
    }

    /// Keeps the count of starts if it has changed.
    pub fn keep_count(&mut self, boots: &mut Boots) {
        if boots.to_keep().is_some_and(|count| self.put(KEY_BOOTS, &count)) {
            boots.handle_kept();
        }
    }

    /// The settings that were kept last.
    pub fn settings<'b>(&mut self, room: &'b mut [u8; VALUE_BYTES_MAX]) -> Option<&'b [u8]> {
        self.get(KEY_SETTINGS, room)
    }

    /// Keeps settings; whether they are kept.
    pub fn keep_settings(&mut self, settings: &[u8]) -> bool {
        self.put(KEY_SETTINGS, settings)
    }

    fn get<'b>(&mut self, key: u8, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let len = self.keys.get(&mut self.flash, key, room).ok()??;
        room.get(..len)
    }

    fn put(&mut self, key: u8, value: &[u8]) -> bool {
        let mut scratch = [0; VALUE_BYTES_MAX];
        value.len() <= VALUE_BYTES_MAX && self.keys.put(&mut self.flash, key, value, &mut scratch).is_ok()
    }
}

/// Puts the device's own secret into `room`: what is kept, or what comes of `origin` over as many connections as that takes.
/// `None` if what is kept is no record of that, or there is no room.
pub fn enrol<'r>(
    store: &mut Store,
    net: &mut Net,
    plan: &Plan<'_>,
    origin: Origin<'_>,
    room: &'r mut [u8],
) -> Option<&'r [u8]> {
    let mut memory = EnrolmentMem::new();
    let mut kept = [0; KEPT_BYTES_MAX];
    let factory = Factory {
        user_name: plan.user,
        origin,
    };
    let settings = Settings {
        backoff_cap_ms: plan.backoff_cap_ms,
        ..Settings::DEFAULT
    };
    let kept = store.get(KEY_SECRET, &mut kept);
    let mut enrolment = Enrolment::new(&mut memory, factory, kept, settings, plan.seed as u32).ok()?;
    let was_done = enrolment.is_done();
    let mut link = Link::Down;
    while !enrolment.is_done() {
        if enrolment.needs_secret() && !enrolment.renew(&draw(plan.seed)) {
            return None;
        }
        if enrolment.to_keep().is_some_and(|record| store.put(KEY_SECRET, record)) {
            enrolment.handle_kept();
        }
        net.poll(clock::ms());
        link = follow_link(&mut enrolment, net, link);
        cortex_m::asm::wfi();
    }
    net.abort();
    net.poll(clock::ms());
    say!("{}", if was_done { "enrolled before" } else { "enrolled" });
    let secret = enrolment.password()?;
    let room = room.get_mut(..secret.len())?;
    room.copy_from_slice(secret);
    Some(room)
}

/// Opens the connection when it is time to, and works on it while it is there. How it is now.
fn follow_link(enrolment: &mut Enrolment<'_>, net: &mut Net, before: Link) -> Link {
    let now = clock::ms();
    match (before, net.link()) {
        (Link::Down, Link::Down) => {
            if enrolment.next_connect_at().is_some_and(|at| now >= at) {
                if net.connect() {
                    return Link::Opening;
                }
                enrolment.handle_disconnected(now);
            }
            Link::Down
        }
        (Link::Opening | Link::Up, Link::Down) => end(enrolment, net, now),
        (_, Link::Opening) => Link::Opening,
        (Link::Down | Link::Opening, Link::Up) => {
            enrolment.handle_connected(now, 0);
            work(enrolment, net, now)
        }
        (Link::Up, Link::Up) => work(enrolment, net, now),
    }
}

/// Hands bytes over until neither side has more.
fn work(enrolment: &mut Enrolment<'_>, net: &mut Net, now: u64) -> Link {
    let mut has_more = true;
    while has_more {
        let taken = net.receive(|bytes| enrolment.handle_bytes(bytes, now));
        if enrolment.poll_event(now).is_some() {
            return end(enrolment, net, now);
        }
        let mut out = [0; OUT_BYTES];
        let room = net.send_room().min(OUT_BYTES);
        let written = enrolment.poll_transmit(&mut out[..room], now);
        let sent = net.send(&out[..written]);
        has_more = taken > 0 || sent > 0;
    }
    if enrolment.poll_event(now).is_some() {
        return end(enrolment, net, now);
    }
    Link::Up
}

fn end(enrolment: &mut Enrolment<'_>, net: &mut Net, now: u64) -> Link {
    // What was said last still goes.
    net.poll(clock::ms());
    net.abort();
    enrolment.handle_disconnected(now);
    while enrolment.poll_event(now).is_some() {}
    Link::Down
}

/// A board has a generator; the one in QEMU has none, and is given a number instead.
fn draw(seed: u64) -> [u8; SECRET_RANDOM_BYTES] {
    let mut state = seed;
    core::array::from_fn(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}
