//! Reading messages without copying. Everything is checked once, by [`decode`]; what it returns cannot fail later.

mod batch;
mod control;

pub use batch::{Batch, Column, Columns, Times};
pub use control::{decode_command, decode_reply, decode_state};

use crate::{
    Clock, DecodeError, DecodeProblem, Event, EventState, Header, KIND_BATCH, KIND_CLOCK, KIND_EVENT, KIND_TELEMETRY,
    MAX_CHANNELS, MAX_EVENT_CODE_BYTES, MAX_EVENT_DETAIL_BYTES, MAX_MESSAGE_BYTES, MAX_NUMBER, MAX_SAMPLES, TimeBase,
    Value,
};
use minicbor::Decoder;
use minicbor::data::Type;

/// A message of any kind.
#[derive(Debug, Clone, Copy)]
pub enum Packet<'b> {
    /// Readings; topic `d/{id}/t`.
    Telemetry(Telemetry<'b>),
    /// Readings in columns; topic `d/{id}/t`.
    Batch(Batch<'b>),
    /// A pair of clock readings; topic `d/{id}/t`.
    Clock(Clock),
    /// A fault or a report; topic `d/{id}/e`.
    Event(Event<'b>),
}

/// A checked telemetry message.
#[derive(Debug, Clone, Copy)]
pub struct Telemetry<'b> {
    /// What all samples share.
    pub header: Header,
    count: u8,
    body: &'b [u8],
}

impl<'b> Telemetry<'b> {
    /// How many samples: 1 to [`MAX_SAMPLES`].
    pub fn count(&self) -> u8 {
        self.count
    }

    /// The samples in order, as `(dt_ms, values)`.
    pub fn samples(&self) -> Samples<'b> {
        Samples {
            decoder: Decoder::new(self.body),
            left: self.count,
        }
    }
}

/// Iterator over the samples of a checked message: `(dt_ms, values)`.
#[derive(Debug, Clone)]
pub struct Samples<'b> {
    decoder: Decoder<'b>,
    left: u8,
}

impl<'b> Iterator for Samples<'b> {
    type Item = (u32, Values<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut sample = Reader {
            decoder: self.decoder.clone(),
        };
        let (dt_ms, count) = sample.sample_head().ok()?;
        let values = Values {
            decoder: sample.decoder.clone(),
            left: count,
        };
        for _ in 0..count {
            sample.channel(0).ok()?;
            sample.value().ok()?;
        }
        self.decoder = sample.decoder;
        Some((dt_ms, values))
    }
}

/// Iterator over the values of a sample of a checked message: `(channel id, value)`, ids rising.
#[derive(Debug, Clone)]
pub struct Values<'b> {
    decoder: Decoder<'b>,
    left: u8,
}

impl Iterator for Values<'_> {
    type Item = (u8, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader {
            decoder: self.decoder.clone(),
        };
        let channel = reader.channel(0).ok()?;
        let value = reader.value().ok()?;
        self.decoder = reader.decoder;
        Some((channel, value))
    }
}

/// Checks a message of any kind. Arbitrary bytes give an error, never a panic.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(DecodeError {
            part: "message",
            at: MAX_MESSAGE_BYTES,
            problem: DecodeProblem::TooLong,
        });
    }
    let mut reader = Reader {
        decoder: Decoder::new(bytes),
    };
    let parts = reader.array("message")?;
    let kind = reader.number("kind")?;
    let expect = |wanted: u64| {
        let problem = DecodeProblem::Count;
        if parts == wanted {
            Ok(())
        } else {
            Err(DecodeError {
                part: "message",
                at: 0,
                problem,
            })
        }
    };
    let packet = match u8::try_from(kind) {
        Ok(KIND_TELEMETRY) => expect(6).and_then(|()| reader.telemetry(bytes))?,
        Ok(KIND_BATCH) => expect(8).and_then(|()| reader.batch(bytes))?,
        Ok(KIND_CLOCK) => expect(4).and_then(|()| reader.clock())?,
        Ok(KIND_EVENT) => expect(8).and_then(|()| reader.event())?,
        _ => {
            return Err(DecodeError {
                part: "kind",
                at: 1,
                problem: DecodeProblem::Range,
            });
        }
    };
    if reader.decoder.position() != bytes.len() {
        return Err(reader.problem("message", DecodeProblem::Trailing));
    }
    Ok(packet)
}

/// A decoder whose errors name the part.
struct Reader<'b> {
    decoder: Decoder<'b>,
}

impl<'b> Reader<'b> {
    fn telemetry(&mut self, bytes: &'b [u8]) -> Result<Packet<'b>, DecodeError> {
        let time_base = self.time_base()?;
        let boot_id = self.number("boot_id")?;
        let seq = self.number("seq")?;
        let t0_ms = self.time("t0_ms", time_base)?;
        let count = self.array("samples")?;
        let in_range = (1..=MAX_SAMPLES as u64).contains(&count) && seq <= MAX_NUMBER - MAX_SAMPLES as u64;
        let count = u8::try_from(count).ok().filter(|_| in_range);
        let count = count.ok_or_else(|| self.problem("samples", DecodeProblem::Range))?;
        let body = bytes.get(self.decoder.position()..).unwrap_or_default();
        let mut last_dt_ms = 0;
        for _ in 0..count {
            last_dt_ms = self.check_sample(last_dt_ms)?;
        }
        Ok(Packet::Telemetry(Telemetry {
            header: Header {
                time_base,
                boot_id,
                seq,
                t0_ms,
            },
            count,
            body,
        }))
    }

    fn check_sample(&mut self, last_dt_ms: u32) -> Result<u32, DecodeError> {
        let (dt_ms, values) = self.sample_head()?;
        if dt_ms < last_dt_ms {
            return Err(self.problem("dt_ms", DecodeProblem::Order));
        }
        let mut last_channel = 0;
        for _ in 0..values {
            last_channel = self.channel(last_channel)?;
            self.value()?;
        }
        Ok(dt_ms)
    }

    fn sample_head(&mut self) -> Result<(u32, u8), DecodeError> {
        if self.array("sample")? != 2 {
            return Err(self.problem("sample", DecodeProblem::Count));
        }
        let dt_ms = self.number("dt_ms")?;
        let dt_ms = u32::try_from(dt_ms).map_err(|_| self.problem("dt_ms", DecodeProblem::Range))?;
        let at = self.decoder.position();
        let values = self.decoder.map().ok().flatten();
        let values = values.ok_or(DecodeError {
            part: "values",
            at,
            problem: DecodeProblem::Malformed,
        })?;
        let values = u8::try_from(values)
            .ok()
            .filter(|count| usize::from(*count) <= MAX_CHANNELS);
        Ok((
            dt_ms,
            values.ok_or_else(|| self.problem("values", DecodeProblem::Range))?,
        ))
    }

    /// A channel id above `last`.
    fn channel(&mut self, last: u8) -> Result<u8, DecodeError> {
        let channel = self.number("channel id")?;
        let channel = u8::try_from(channel).ok().filter(|id| *id > 0);
        let channel = channel.ok_or_else(|| self.problem("channel id", DecodeProblem::Range))?;
        if channel <= last {
            Err(self.problem("channel id", DecodeProblem::Order))
        } else {
            Ok(channel)
        }
    }

    fn value(&mut self) -> Result<Value, DecodeError> {
        let at = self.decoder.position();
        let value = match self.decoder.datatype() {
            Ok(Type::Bool) => self.decoder.bool().map(Value::Bool),
            Ok(Type::F32) => self.decoder.f32().map(Value::F32),
            Ok(Type::F64) => self.decoder.f64().map(Value::F64),
            // Anything else is an integer or refused by this.
            _ => self.decoder.i64().map(Value::Int),
        };
        value.map_err(|_| DecodeError {
            part: "value",
            at,
            problem: DecodeProblem::Malformed,
        })
    }

    fn clock(&mut self) -> Result<Packet<'b>, DecodeError> {
        let boot_id = self.number("boot_id")?;
        let uptime_ms = self.number("uptime_ms")?;
        let utc_ms = self.time("utc_ms", TimeBase::Utc)?;
        Ok(Packet::Clock(Clock {
            boot_id,
            uptime_ms,
            utc_ms,
        }))
    }

    fn event(&mut self) -> Result<Packet<'b>, DecodeError> {
        let time_base = self.time_base()?;
        let boot_id = self.number("boot_id")?;
        let seq = self.number("seq")?;
        let at_ms = self.time("at_ms", time_base)?;
        let state = EventState::from_code(self.number("state")?);
        let state = state.ok_or_else(|| self.problem("state", DecodeProblem::Range))?;
        let code = self.text("code", 1..=MAX_EVENT_CODE_BYTES)?;
        let detail = self.text("detail", 0..=MAX_EVENT_DETAIL_BYTES)?;
        Ok(Packet::Event(Event {
            time_base,
            boot_id,
            seq,
            at_ms,
            state,
            code,
            detail,
        }))
    }

    fn time_base(&mut self) -> Result<TimeBase, DecodeError> {
        let time_base = TimeBase::from_code(self.number("time_base")?);
        time_base.ok_or_else(|| self.problem("time_base", DecodeProblem::Range))
    }

    fn text(&mut self, part: &'static str, bytes: core::ops::RangeInclusive<usize>) -> Result<&'b str, DecodeError> {
        let at = self.decoder.position();
        let text = self.decoder.str();
        let text = text.map_err(|_| DecodeError {
            part,
            at,
            problem: DecodeProblem::Malformed,
        })?;
        if bytes.contains(&text.len()) {
            Ok(text)
        } else {
            Err(self.problem(part, DecodeProblem::Range))
        }
    }

    /// The length of a definite array.
    fn array(&mut self, part: &'static str) -> Result<u64, DecodeError> {
        let at = self.decoder.position();
        let length = self.decoder.array().ok().flatten();
        length.ok_or(DecodeError {
            part,
            at,
            problem: DecodeProblem::Malformed,
        })
    }

    fn number(&mut self, part: &'static str) -> Result<u64, DecodeError> {
        let at = self.decoder.position();
        let number = self.decoder.u64();
        let number = number.map_err(|_| DecodeError {
            part,
            at,
            problem: DecodeProblem::Malformed,
        })?;
        if number > MAX_NUMBER {
            Err(DecodeError {
                part,
                at,
                problem: DecodeProblem::Range,
            })
        } else {
            Ok(number)
        }
    }

    fn time(&mut self, part: &'static str, base: TimeBase) -> Result<i64, DecodeError> {
        let at = self.decoder.position();
        let ms = self.decoder.i64().map_err(|_| DecodeError {
            part,
            at,
            problem: DecodeProblem::Malformed,
        })?;
        let in_range = ms.unsigned_abs() <= MAX_NUMBER && (base == TimeBase::Utc || ms >= 0);
        if in_range {
            Ok(ms)
        } else {
            Err(DecodeError {
                part,
                at,
                problem: DecodeProblem::Range,
            })
        }
    }

    fn problem(&self, part: &'static str, problem: DecodeProblem) -> DecodeError {
        DecodeError {
            part,
            at: self.decoder.position(),
            problem,
        }
    }
}
