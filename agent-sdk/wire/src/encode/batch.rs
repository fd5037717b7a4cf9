//! Writing a batch: column by column, each in one go, into memory of the caller.

use super::{EncodeError, Field, Sink, check_header, write_header};
use crate::series::{Part, Plan, Run, SPARSE, Source, body_bytes_max, ordered};
use crate::{Header, KIND_BATCH, MAX_BATCH_VALUES, MAX_MESSAGE_BYTES, MAX_SAMPLES};

/// An iterator from its beginning, as often as is asked.
struct Again<I> {
    all: I,
    rest: I,
}

impl<I: Iterator<Item = Option<u32>> + Clone> Again<I> {
    fn new(all: I) -> Self {
        let rest = all.clone();
        Self { all, rest }
    }
}

impl<I: Iterator<Item = Option<u32>> + Clone> Source for Again<I> {
    fn restart(&mut self) {
        self.rest = self.all.clone();
    }

    fn next(&mut self) -> Option<Option<u32>> {
        self.rest.next()
    }
}

/// CBOR's map header with a one-byte count.
const MAP_U8: u8 = 0xB8;

/// Writes one batch: first the times of all its samples, then a column for each channel.
///
/// Columns are read from iterators of the caller, several times and never kept, so that nothing is needed beside the
/// buffer. The map of columns always has the two-byte header: so its count can be filled in last without moving anything.
#[derive(Debug)]
pub struct BatchEncoder<'a> {
    sink: Sink<'a>,
    count_at: usize,
    samples: u8,
    columns: u8,
    last_channel: u8,
}

impl<'a> BatchEncoder<'a> {
    /// Starts a batch in `buffer`, of which at most [`MAX_MESSAGE_BYTES`] are used. `dt_ms` are the times of 1 to
    /// [`MAX_SAMPLES`] samples after `t0_ms`: the first is 0, and they do not fall.
    ///
    /// # Errors
    /// The buffer is too small, or header, times or their count are not as they have to be.
    pub fn new<T>(buffer: &'a mut [u8], header: &Header, dt_ms: T) -> Result<Self, EncodeError>
    where
        T: Iterator<Item = u32> + Clone,
    {
        Self::of_source(buffer, header, &mut Again::new(dt_ms.map(Some)))
    }

    /// As [`BatchEncoder::new`], for a program that has a source of its own.
    ///
    /// # Errors
    /// As [`BatchEncoder::new`].
    pub fn of_source<S: Source>(buffer: &'a mut [u8], header: &Header, times: &mut S) -> Result<Self, EncodeError> {
        check_header(header)?;
        let (mut samples, mut last) = (0_u8, 0);
        while let Some(dt_ms) = times.next() {
            let dt_ms = dt_ms.unwrap_or_default();
            if usize::from(samples) >= MAX_SAMPLES {
                return Err(EncodeError::Range(Field::Samples));
            }
            if samples == 0 && dt_ms != 0 {
                return Err(EncodeError::Range(Field::DtMs));
            }
            if dt_ms < last {
                return Err(EncodeError::Order(Field::DtMs));
            }
            last = dt_ms;
            samples = samples.wrapping_add(1);
        }
        if samples == 0 {
            return Err(EncodeError::Range(Field::Samples));
        }
        let mut gaps = Run::new(times, Part::Gaps);
        let plan = Plan::of(&mut gaps);
        let usable = buffer.len().min(MAX_MESSAGE_BYTES);
        let mut sink = Sink::new(buffer.get_mut(..usable).ok_or(EncodeError::Full)?);
        sink.message(8, KIND_BATCH);
        write_header(&mut sink, header);
        sink.code(samples);
        match &plan {
            Some(plan) => {
                start_run(&mut sink, plan, 0);
                plan.write(&mut gaps, &mut sink);
            }
            // One sample has no gap.
            None => sink.bytes_head(0),
        }
        sink.byte(MAP_U8);
        let count_at = sink.count();
        sink.byte(0);
        sink.finish()?;
        Ok(Self {
            sink,
            count_at,
            samples,
            columns: 0,
            last_channel: 0,
        })
    }

    /// Adds the column of `channel`, ids rising: for each sample the stored integer of the appliance profile (see
    /// [`scaled`]), or `None` where it has no reading. A column without any reading takes no byte.
    ///
    /// # Errors
    /// The channel is out of order, there are not as many values as samples, or no room is left. The batch is then as
    /// before, and may be finished: without this channel.
    pub fn column<V>(&mut self, channel: u8, values: V) -> Result<(), EncodeError>
    where
        V: Iterator<Item = Option<i32>> + Clone,
    {
        self.column_of(channel, &mut Again::new(values.map(|value| value.map(ordered))))
    }

    /// As [`BatchEncoder::column`], for a program that has a source of its own.
    ///
    /// # Errors
    /// As [`BatchEncoder::column`].
    pub fn column_of<S: Source>(&mut self, channel: u8, values: &mut S) -> Result<(), EncodeError> {
        // Id 0 falls out here as well.
        if channel <= self.last_channel {
            return Err(EncodeError::Order(Field::ChannelId));
        }
        let samples = usize::from(self.samples);
        let (mut count, mut is_sparse) = (0_usize, false);
        while let Some(value) = values.next() {
            count += 1;
            is_sparse |= value.is_none();
            // Not only at the end, which may never come.
            if count > samples {
                break;
            }
        }
        if count != samples {
            return Err(EncodeError::Range(Field::Values));
        }
        let Some(plan) = Plan::of(&mut Run::new(values, Part::Values)) else {
            self.last_channel = channel;
            return Ok(());
        };
        if (usize::from(self.columns) + 1) * samples > MAX_BATCH_VALUES {
            return Err(EncodeError::Full);
        }
        let sink = &mut self.sink;
        let before = sink.count();
        sink.code(channel);
        start_run(sink, &plan, if is_sparse { samples.div_ceil(8) } else { 0 });
        if is_sparse {
            write_bitmap(values, sink);
        }
        plan.write(&mut Run::new(values, Part::Values), sink);
        if let Err(full) = sink.finish() {
            sink.go_back(before);
            return Err(full);
        }
        self.columns += 1;
        self.last_channel = channel;
        Ok(())
    }

    /// Samples of this batch; the next message's `seq` is this one's plus this count.
    pub fn samples(&self) -> u8 {
        self.samples
    }

    /// Completes the batch and returns its bytes.
    ///
    /// # Errors
    /// None that can come after [`BatchEncoder::new`].
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        self.sink.into_bytes(self.count_at, self.columns)
    }
}

/// The length and the head of a run. A bitmap of so many bytes follows, if that is not 0, and then the run.
fn start_run(sink: &mut Sink<'_>, plan: &Plan, bitmap_bytes: usize) {
    sink.bytes_head(1 + bitmap_bytes + plan.body_bytes());
    let is_sparse = if bitmap_bytes > 0 { SPARSE } else { 0 };
    sink.byte(plan.head() | is_sparse);
}

/// One bit a sample, set where there is a reading; the first sample is the lowest bit of the first byte.
fn write_bitmap<S: Source>(values: &mut S, sink: &mut Sink<'_>) {
    let (mut byte, mut used) = (0_u8, 0_u8);
    values.restart();
    while let Some(value) = values.next() {
        byte |= u8::from(value.is_some()) << used;
        used += 1;
        if used == 8 {
            sink.byte(byte);
            (byte, used) = (0, 0);
        }
    }
    if used > 0 {
        sink.byte(byte);
    }
}

/// Bytes that a batch takes at most, whatever its readings: what a buffer has to hold.
pub const fn batch_bytes_max(samples: usize, channels: usize) -> usize {
    // Eight parts: three bytes of heads and codes, three numbers, the count, and the head of the times.
    let head = 3 + 3 * 9 + 2 + 3;
    let times = 1 + body_bytes_max(samples.saturating_sub(1));
    let column = 2 + 3 + 1 + samples.div_ceil(8) + body_bytes_max(samples);
    head + times + 2 + channels * column
}

/// The stored integer of `value` at a channel's `decimals`, rounded as the hub rounds: half away from zero. `None` if it is
/// not finite or needs more than 32 bits: the reading is left out.
pub fn scaled(value: f64, decimals: u8) -> Option<i32> {
    let mut value = value;
    let mut scale = 1.0;
    for _ in 0..decimals {
        scale *= 10.0;
    }
    value *= scale;
    // Also refuses what is not a number.
    if !(value > -2_147_483_649.0 && value < 2_147_483_648.0) {
        return None;
    }
    let whole = value as i64;
    let rest = value - whole as f64;
    let rounded = if rest >= 0.5 {
        whole + 1
    } else if rest <= -0.5 {
        whole - 1
    } else {
        whole
    };
    i32::try_from(rounded).ok()
}
