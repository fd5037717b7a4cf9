//! Writing messages into memory of the caller.

mod batch;
mod control;

pub use batch::{BatchEncoder, batch_bytes_max, scaled};
pub use control::{GONE, encode_command, encode_reply, encode_status};

use crate::{
    Clock, Event, Header, KIND_CLOCK, KIND_EVENT, KIND_TELEMETRY, MAX_CHANNELS, MAX_EVENT_CODE_BYTES,
    MAX_EVENT_DETAIL_BYTES, MAX_MESSAGE_BYTES, MAX_NUMBER, MAX_SAMPLES, TimeBase, Value,
};
use minicbor::Encoder;
use minicbor::encode::write::{Cursor, EndOfSlice, Write};

/// Why something was not written. What was finished before stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The buffer, or the message limit, is full: send what is there and start a new message.
    #[error("no room left: send this message and start another")]
    Full,
    /// Beyond what the contract allows.
    #[error("{0} is outside its range")]
    Range(&'static str),
    /// Channel ids rise within a sample, and times never fall within a message.
    #[error("{0} is out of order")]
    Order(&'static str),
}

type Inner<T> = Result<T, minicbor::encode::Error<EndOfSlice>>;

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
        check_number("boot_id", header.boot_id)?;
        check_number("seq", header.seq.saturating_add(MAX_SAMPLES as u64))?;
        check_time("t0_ms", header.time_base, header.t0_ms)?;
        let usable = buffer.len().min(MAX_MESSAGE_BYTES);
        let buffer = buffer.get_mut(..usable).ok_or(EncodeError::Full)?;
        let len = write(buffer, |e| {
            e.array(6)?.u8(KIND_TELEMETRY)?.u8(header.time_base.code())?;
            e.u64(header.boot_id)?.u64(header.seq)?.i64(header.t0_ms)?;
            e.writer_mut()
                .write_all(&[ARRAY_U8, 0])
                .map_err(minicbor::encode::Error::write)
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
            return Err(EncodeError::Order("dt_ms"));
        }
        check_channels(values)?;
        let rest = self.buffer.get_mut(self.len..).ok_or(EncodeError::Full)?;
        let written = write(rest, |e| {
            e.array(2)?.u32(dt_ms)?.map(values.len() as u64)?;
            for (channel, value) in values {
                e.u8(*channel)?;
                write_value(e, *value)?;
            }
            Ok(())
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
            return Err(EncodeError::Range("samples"));
        }
        *self.buffer.get_mut(self.count_at).ok_or(EncodeError::Full)? = self.samples;
        let whole: &'a [u8] = self.buffer;
        whole.get(..self.len).ok_or(EncodeError::Full)
    }
}

/// Writes a clock message into `buffer` and returns its bytes.
pub fn encode_clock<'a>(buffer: &'a mut [u8], clock: &Clock) -> Result<&'a [u8], EncodeError> {
    check_number("boot_id", clock.boot_id)?;
    check_number("uptime_ms", clock.uptime_ms)?;
    check_time("utc_ms", TimeBase::Utc, clock.utc_ms)?;
    let len = write(buffer, |e| {
        e.array(4)?
            .u8(KIND_CLOCK)?
            .u64(clock.boot_id)?
            .u64(clock.uptime_ms)?
            .i64(clock.utc_ms)?
            .ok()
    })?;
    buffer.get(..len).ok_or(EncodeError::Full)
}

/// Writes an event message into `buffer` and returns its bytes.
pub fn encode_event<'a>(buffer: &'a mut [u8], event: &Event<'_>) -> Result<&'a [u8], EncodeError> {
    check_number("boot_id", event.boot_id)?;
    check_number("seq", event.seq)?;
    check_time("at_ms", event.time_base, event.at_ms)?;
    if event.code.is_empty() || event.code.len() > MAX_EVENT_CODE_BYTES {
        return Err(EncodeError::Range("code"));
    }
    if event.detail.len() > MAX_EVENT_DETAIL_BYTES {
        return Err(EncodeError::Range("detail"));
    }
    let len = write(buffer, |e| {
        e.array(8)?
            .u8(KIND_EVENT)?
            .u8(event.time_base.code())?
            .u64(event.boot_id)?
            .u64(event.seq)?;
        e.i64(event.at_ms)?
            .u8(event.state.code())?
            .str(event.code)?
            .str(event.detail)?
            .ok()
    })?;
    buffer.get(..len).ok_or(EncodeError::Full)
}

/// Runs `body` on an encoder at the start of `buffer` and says how many bytes it took.
fn write<F>(buffer: &mut [u8], body: F) -> Result<usize, EncodeError>
where
    F: FnOnce(&mut Encoder<Cursor<&mut [u8]>>) -> Inner<()>,
{
    let mut encoder = Encoder::new(Cursor::new(buffer));
    body(&mut encoder).map_err(|_| EncodeError::Full)?;
    Ok(encoder.writer().position())
}

fn write_value(e: &mut Encoder<Cursor<&mut [u8]>>, value: Value) -> Inner<()> {
    match value {
        Value::Int(v) => e.i64(v)?.ok(),
        Value::F32(v) => e.f32(v)?.ok(),
        Value::F64(v) => e.f64(v)?.ok(),
        Value::Bool(v) => e.bool(v)?.ok(),
    }
}

fn check_channels(values: &[(u8, Value)]) -> Result<(), EncodeError> {
    if values.len() > MAX_CHANNELS {
        return Err(EncodeError::Range("channels"));
    }
    let mut last = 0;
    for (channel, _) in values {
        // Id 0 falls out here as well.
        if *channel <= last {
            return Err(EncodeError::Order("channel id"));
        }
        last = *channel;
    }
    Ok(())
}

fn check_number(what: &'static str, number: u64) -> Result<(), EncodeError> {
    if number > MAX_NUMBER {
        Err(EncodeError::Range(what))
    } else {
        Ok(())
    }
}

fn check_time(what: &'static str, base: TimeBase, ms: i64) -> Result<(), EncodeError> {
    let in_range = ms.unsigned_abs() <= MAX_NUMBER && (base == TimeBase::Utc || ms >= 0);
    if in_range {
        Ok(())
    } else {
        Err(EncodeError::Range(what))
    }
}
