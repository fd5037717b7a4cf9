//! An outbox and a key-value store beside each other on one simulated flash, and a record of what they have promised.

use agent_sdk_storage::sim::{Cut, SimError, SimFlash};
use agent_sdk_storage::{Area, Error, KeyValue, Outbox, Overflow};
use std::ops::Range;

pub const SECRET: u8 = 0;
pub const SETTINGS: u8 = 1;
/// The longest record of a scenario in bytes.
pub const RECORD_BYTES: usize = 1024;

/// Where things lie; the numbers of pages are for outbox and key-value store.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub page_bytes: u32,
    pub outbox_pages: u32,
    pub keys_pages: u32,
    pub overflow: Overflow,
}

/// What a device does.
#[derive(Debug, Clone)]
pub enum Step {
    Append(Vec<u8>),
    /// Reads so many of the oldest records and acknowledges the last of them.
    Take(u32),
    Put(u8, Vec<u8>),
}

/// What the storage has said `Ok` to, and what was under way when the power failed.
#[derive(Debug, Clone, Default)]
struct Promised {
    /// By number.
    kept: Vec<Vec<u8>>,
    maybe_kept: Option<Vec<u8>>,
    taken: u32,
    maybe_taken: u32,
    values: [Option<Vec<u8>>; 2],
    maybe_value: Option<(u8, Vec<u8>)>,
}

#[derive(Debug, Clone)]
pub struct World<const WRITE: usize, const ERASE: usize> {
    pub flash: SimFlash<WRITE, ERASE>,
    overflow: Overflow,
    areas: [Area; 2],
    outbox: Outbox,
    keys: KeyValue,
    promised: Promised,
}

impl<const WRITE: usize, const ERASE: usize> World<WRITE, ERASE> {
    pub fn new(shape: Shape) -> Self {
        let bytes = shape.page_bytes * (shape.outbox_pages + shape.keys_pages);
        let mut flash = SimFlash::<WRITE, ERASE>::new(bytes as usize / ERASE);
        let outbox_end = shape.page_bytes * shape.outbox_pages;
        let areas = [
            Area::new(&flash, 0, shape.page_bytes, shape.outbox_pages).unwrap(),
            Area::new(&flash, outbox_end, shape.page_bytes, shape.keys_pages).unwrap(),
        ];
        let [outbox_area, keys_area] = areas;
        Self {
            outbox: Outbox::open(&mut flash, outbox_area, shape.overflow).unwrap(),
            keys: KeyValue::open(&mut flash, keys_area).unwrap(),
            flash,
            overflow: shape.overflow,
            areas,
            promised: Promised::default(),
        }
    }

    /// Does one step. A full outbox is no failure; a power cut is the only one there may be.
    pub fn run(&mut self, step: &Step) -> Result<(), SimError> {
        let done = match step {
            Step::Append(record) => self.append(record),
            Step::Take(count) => self.take(*count),
            Step::Put(key, value) => self.put(*key, value),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Error::Flash(SimError::PowerCut)) => Err(SimError::PowerCut),
            Err(other) => panic!("{step:?}: {other:?}"),
        }
    }

    /// Takes all that is waiting, then appends and puts something new.
    pub fn carry_on(&mut self, mark: u8) -> Result<(), SimError> {
        for _ in 0..2 * self.promised.kept.len() + 2 {
            if self.outbox.pending() == 0 {
                break;
            }
            self.run(&Step::Take(1))?;
        }
        assert_eq!(self.outbox.pending(), 0, "records that can never be acknowledged");
        self.run(&Step::Append(vec![mark; 20]))?;
        self.run(&Step::Put(SECRET, vec![mark; 32]))
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Error<SimError>> {
        self.promised.maybe_kept = Some(record.to_vec());
        match self.outbox.append(&mut self.flash, record) {
            Ok(number) => {
                assert_eq!(number as usize, self.promised.kept.len());
                self.promised.kept.push(record.to_vec());
            }
            Err(Error::Full) if self.overflow == Overflow::Refuse => {}
            Err(other) => return Err(other),
        }
        self.promised.maybe_kept = None;
        Ok(())
    }

    fn take(&mut self, count: u32) -> Result<(), Error<SimError>> {
        let mut buffer = [0; RECORD_BYTES];
        let mut last = None;
        self.outbox.rewind();
        for taken in 1..=count {
            let Some(record) = self.outbox.read_next(&mut self.flash, &mut buffer)? else {
                break;
            };
            assert_eq!(buffer[..record.len], self.promised.kept[record.number as usize]);
            last = Some((record.number, taken));
        }
        if let Some((number, taken)) = last {
            self.promised.maybe_taken = taken;
            self.outbox.acknowledge(&mut self.flash, number)?;
            self.promised.taken += taken;
            self.promised.maybe_taken = 0;
        }
        Ok(())
    }

    fn put(&mut self, key: u8, value: &[u8]) -> Result<(), Error<SimError>> {
        self.promised.maybe_value = Some((key, value.to_vec()));
        self.keys.put(&mut self.flash, key, value, &mut [0; RECORD_BYTES])?;
        self.promised.maybe_value = None;
        self.promised.values[usize::from(key)] = Some(value.to_vec());
        Ok(())
    }

    /// Brings the power back, opens both again, and holds them to what they have promised.
    pub fn restart_and_check(&mut self) {
        self.flash.restart();
        assert_eq!(self.flash.faults(), 0, "a real flash would have refused");
        let [outbox_area, keys_area] = self.areas;
        self.outbox = Outbox::open(&mut self.flash, outbox_area, self.overflow).unwrap();
        self.keys = KeyValue::open(&mut self.flash, keys_area).unwrap();
        self.check_outbox();
        self.check_value(SECRET);
        self.check_value(SETTINGS);
        self.promised.maybe_value = None;
    }

    fn check_outbox(&mut self) {
        // In a copy, since records behind a gap come only when those before are acknowledged.
        let (mut flash, mut outbox) = (self.flash.clone(), self.outbox.clone());
        let delivered = drain(&mut flash, &mut outbox);
        assert!(delivered.is_sorted_by(|(one, _), (next, _)| one < next), "out of order");

        let kept = self.promised.kept.len();
        if delivered.last().is_some_and(|(number, _)| *number as usize == kept) {
            let whole = self.promised.maybe_kept.take();
            self.promised.kept.push(whole.expect("a record that nobody appended"));
        }
        self.promised.maybe_kept = None;
        for (number, record) in &delivered {
            assert_eq!(record, &self.promised.kept[*number as usize], "record {number}");
        }

        // What is not delivered was acknowledged, or dropped and counted.
        let kept = self.promised.kept.len() as u32;
        let missing = kept - delivered.len() as u32;
        let taken = missing - outbox.dropped();
        let Promised {
            taken: sure,
            maybe_taken,
            ..
        } = self.promised;
        assert!(
            taken == sure || taken == sure + maybe_taken,
            "{missing} of {kept} are missing: {sure} acknowledged (perhaps {maybe_taken} more), {} dropped",
            outbox.dropped()
        );
        if self.overflow == Overflow::Refuse {
            assert_eq!(outbox.dropped(), 0);
            let numbers: Vec<u32> = delivered.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (missing..kept).collect::<Vec<u32>>(), "not the newest ones");
        }
        self.promised.taken = taken;
        self.promised.maybe_taken = 0;
    }

    fn check_value(&mut self, key: u8) {
        let mut buffer = [0; RECORD_BYTES];
        let len = self.keys.get(&mut self.flash, key, &mut buffer).unwrap();
        let value = len.map(|len| buffer[..len].to_vec());
        let promised = &mut self.promised.values[usize::from(key)];
        let is_cut_one = self
            .promised
            .maybe_value
            .as_ref()
            .is_some_and(|(cut, new)| *cut == key && value.as_ref() == Some(new));
        assert!(
            value == *promised || is_cut_one,
            "key {key} is {value:?}, not {promised:?}"
        );
        *promised = value;
    }
}

/// Reads all that waits, acknowledging only where nothing else leads on.
fn drain<const WRITE: usize, const ERASE: usize>(
    flash: &mut SimFlash<WRITE, ERASE>,
    outbox: &mut Outbox,
) -> Vec<(u32, Vec<u8>)> {
    let mut buffer = [0; RECORD_BYTES];
    let mut delivered: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut acknowledged = None;
    loop {
        let record = outbox.read_next(flash, &mut buffer).unwrap();
        if let Some(record) = record {
            delivered.push((record.number, buffer[..record.len].to_vec()));
            continue;
        }
        let last = delivered.last().map(|(number, _)| *number);
        if last == acknowledged {
            return delivered;
        }
        if let Some(number) = last {
            outbox.acknowledge(flash, number).unwrap();
        }
        acknowledged = last;
    }
}

/// A generator for scripts: a seed gives the same one each time.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    /// So many bytes, a fifth of them, and sometimes the first half, as an erased flash has them.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let erased = if self.below(4) == 0 { len / 2 } else { 0 };
        (0..len)
            .map(|index| {
                let looks_erased = index < erased || self.below(5) == 0;
                if looks_erased { 0xFF } else { self.below(256) as u8 }
            })
            .collect()
    }
}

/// A device's days: it has a secret from the start, and is online and offline in turn, so that the outbox fills up and
/// empties again.
pub fn script(seed: u64, steps: usize, record_bytes: Range<usize>) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    let mut script = vec![Step::Put(SECRET, rng.bytes(32)), Step::Put(SETTINGS, rng.bytes(9))];
    for step in 0..steps {
        let is_offline = (step / 30).is_multiple_of(2);
        let appends = if is_offline { 7 } else { 3 };
        script.push(match rng.below(10) {
            roll if roll < appends => {
                let len = record_bytes.start + rng.below(record_bytes.len());
                Step::Append(rng.bytes(len))
            }
            8 => Step::Put(SECRET, rng.bytes(32)),
            9 => {
                let len = rng.below(40);
                Step::Put(SETTINGS, rng.bytes(len))
            }
            _ => Step::Take(1 + rng.below(3) as u32),
        });
    }
    script
}

/// Some cut for a number: clean, or garbage of its own.
pub fn cut(number: u64) -> Cut {
    if number == 0 { Cut::Clean } else { Cut::Garbage(number) }
}
