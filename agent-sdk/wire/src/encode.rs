//! Writing messages into memory of the caller.

mod batch;
mod control;
mod field;
mod sink;

pub use batch::{BatchEncoder, batch_bytes_max, scaled};
pub use control::{GONE, encode_command, encode_reply, encode_status};
pub use field::Field;
pub(crate) use sink::Sink;

use crate::{
    Clock, Event, Header, KIND_CLOCK, KIND_EVENT, KIND_TELEMETRY, MAX_CHANNELS, MAX_EVENT_CODE_BYTES,
    MAX_EVENT_DETAIL_BYTES, MAX_MESSAGE_BYTES, MAX_NUMBER, MAX_SAMPLES, TimeBase, Value,
};

/// Why something was not written. What was finished before stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The buffer, or the message limit, is full: send what is there and start a new message.
    #[error("no room left: send this message and start another")]
    Full,
    /// Beyond what the contract allows.
    #[error("{0} is outside its range")]
    Range(Field),
    /// Channel ids rise within a sample, and times never fall within a message.
    #[error("{0} is out of order")]
    Order(Field),
}

/// CBOR's array header with a one-byte count.
const ARRAY_U8: u8 = 0x98;

/// Writes one telemetry message, sample by sample.
///
/// The array of samples always has the two-byte header, also below 24 samples: so its count can be filled in last
/// without moving anything.
#[derive(Debug)]
pub struct TelemetryEncoder<'a> {
    buffer: &'a mut [u8],
    len: usize,
    count_at: usize,
    samples: u8,
    last_dt_ms: u32,
}

impl<'a> TelemetryEncoder<'a> {
    /// Starts a message in `buffer`, of which at most [`MAX_MESSAGE_BYTES`] are used.
    pub fn new(buffer: &'a mut [u8], header: &Header) -> Result<Self, EncodeError> {
        check_header(header)?;
        let usable = buffer.len().min(MAX_MESSAGE_BYTES);
        let buffer = buffer.get_mut(..usable).ok_or(EncodeError::Full)?;
        let len = write(buffer, |sink| {
            sink.message(6, KIND_TELEMETRY);
            write_header(sink, header);
            sink.raw(&[ARRAY_U8, 0]);
        })?;
        let count_at = len.checked_sub(1).ok_or(EncodeError::Full)?;
        Ok(Self {
            buffer,
            len,
            count_at,
            samples: 0,
            last_dt_ms: 0,
        })
    }

    /// Adds a sample taken `dt_ms` after `t0_ms`: channel ids rising, `dt_ms` not falling. On an error the message is
    /// as before, and may be finished.
    pub fn push(&mut self, dt_ms: u32, values: &[(u8, Value)]) -> Result<(), EncodeError> {
        if usize::from(self.samples) >= MAX_SAMPLES {
            return Err(EncodeError::Full);
        }
        if dt_ms < self.last_dt_ms {
            return Err(EncodeError::Order(Field::DtMs));
        }
        check_channels(values)?;
        let rest = self.buffer.get_mut(self.len..).ok_or(EncodeError::Full)?;
        let written = write(rest, |sink| {
            sink.array(2);
            sink.number(u64::from(dt_ms));
            sink.map(values.len());
            for (channel, value) in values {
                sink.code(*channel);
                write_value(sink, *value);
            }
        })?;
        self.len += written;
        self.samples += 1;
        self.last_dt_ms = dt_ms;
        Ok(())
    }

    /// Samples so far; the next message's `seq` is this one's plus this count.
    pub fn samples(&self) -> u8 {
        self.samples
    }

    /// Completes the message and returns its bytes. A message without samples is refused as [`EncodeError::Range`].
    pub fn finish(self) -> Result<&'a [u8], EncodeError> {
        if self.samples == 0 {
            return Err(EncodeError::Range(Field::Samples));
        }
        *self.buffer.get_mut(self.count_at).ok_or(EncodeError::Full)? = self.samples;
        let whole: &'a [u8] = self.buffer;
        whole.get(..self.len).ok_or(EncodeError::Full)
    }
}

/// Writes a clock message into `buffer` and returns its bytes.
pub fn encode_clock<'a>(buffer: &'a mut [u8], clock: &Clock) -> Result<&'a [u8], EncodeError> {
    check_number(Field::BootId, clock.boot_id)?;
    check_number(Field::UptimeMs, clock.uptime_ms)?;
    check_time(Field::UtcMs, TimeBase::Utc, clock.utc_ms)?;
    let mut sink = Sink::new(buffer);
    sink.message(4, KIND_CLOCK);
    sink.number(clock.boot_id);
    sink.number(clock.uptime_ms);
    sink.signed(clock.utc_ms);
    sink.written()
}

/// Writes an event message into `buffer` and returns its bytes.
pub fn encode_event<'a>(buffer: &'a mut [u8], event: &Event<'_>) -> Result<&'a [u8], EncodeError> {
    check_number(Field::BootId, event.boot_id)?;
    check_number(Field::Seq, event.seq)?;
    check_time(Field::AtMs, event.time_base, event.at_ms)?;
    if event.code.is_empty() || event.code.len() > MAX_EVENT_CODE_BYTES {
        return Err(EncodeError::Range(Field::Code));
    }
    if event.detail.len() > MAX_EVENT_DETAIL_BYTES {
        return Err(EncodeError::Range(Field::Detail));
    }
    let mut sink = Sink::new(buffer);
    sink.message(8, KIND_EVENT);
    sink.code(event.time_base.code());
    sink.number(event.boot_id);
    sink.number(event.seq);
    sink.signed(event.at_ms);
    sink.code(event.state.code());
    sink.text(event.code);
    sink.text(event.detail);
    sink.written()
}

/// Runs `body` on the start of `buffer` and says how many bytes it took.
fn write(buffer: &mut [u8], body: impl FnOnce(&mut Sink<'_>)) -> Result<usize, EncodeError> {
    let mut sink = Sink::new(buffer);
    body(&mut sink);
    sink.finish()
}

/// What telemetry and batches begin with, behind their kind.
fn write_header(sink: &mut Sink<'_>, header: &Header) {
    sink.code(header.time_base.code());
    sink.number(header.boot_id);
    sink.number(header.seq);
    sink.signed(header.t0_ms);
}

fn check_header(header: &Header) -> Result<(), EncodeError> {
    check_number(Field::BootId, header.boot_id)?;
    check_number(Field::Seq, header.seq.saturating_add(MAX_SAMPLES as u64))?;
    check_time(Field::T0Ms, header.time_base, header.t0_ms)
}

fn write_value(sink: &mut Sink<'_>, value: Value) {
    match value {
        Value::Int(v) => sink.signed(v),
        Value::F32(v) => sink.f32(v),
        Value::F64(v) => sink.f64(v),
        Value::Bool(v) => sink.bool(v),
    }
}

fn check_channels(values: &[(u8, Value)]) -> Result<(), EncodeError> {
    if values.len() > MAX_CHANNELS {
        return Err(EncodeError::Range(Field::Channels));
    }
    let mut last = 0;
    for (channel, _) in values {
        // Id 0 falls out here as well.
        if *channel <= last {
            return Err(EncodeError::Order(Field::ChannelId));
        }
        last = *channel;
    }
    Ok(())
}

fn check_number(field: Field, number: u64) -> Result<(), EncodeError> {
    if number > MAX_NUMBER {
        Err(EncodeError::Range(field))
    } else {
        Ok(())
    }
}

fn check_time(field: Field, base: TimeBase, ms: i64) -> Result<(), EncodeError> {
    let in_range = ms.unsigned_abs() <= MAX_NUMBER && (base == TimeBase::Utc || ms >= 0);
    if in_range {
        Ok(())
    } else {
        Err(EncodeError::Range(field))
    }
}
