//! Reading batches without copying; like all messages they are checked once, by [`crate::decode`].

use super::{Packet, Reader};
use crate::series::{SPARSE, Series};
use crate::{DecodeError, DecodeProblem, Header, MAX_BATCH_VALUES, MAX_NUMBER, MAX_SAMPLES};
use minicbor::Decoder;

/// A checked batch: the samples of a telemetry message, channel by channel.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'b> {
    /// What all samples share.
    pub header: Header,
    samples: u8,
    times: &'b [u8],
    columns: u8,
    body: &'b [u8],
}

impl<'b> Batch<'b> {
    /// How many samples: 1 to [`MAX_SAMPLES`].
    pub fn count(&self) -> u8 {
        self.samples
    }

    /// The times of the samples in milliseconds after `t0_ms`: the first is 0, and they do not fall.
    pub fn dt_ms(&self) -> Times<'b> {
        Times {
            gaps: open_times(self.times, self.samples).ok().flatten(),
            dt_ms: 0,
            left: self.samples,
            is_begun: false,
        }
    }

    /// The columns, channel ids rising. Each gives as many values as there are samples.
    pub fn columns(&self) -> Columns<'b> {
        Columns {
            decoder: Decoder::new(self.body),
            samples: self.samples,
            left: self.columns,
        }
    }
}

/// Iterator over the times of a checked batch.
#[derive(Debug, Clone)]
pub struct Times<'b> {
    gaps: Option<Series<'b>>,
    dt_ms: u32,
    left: u8,
    is_begun: bool,
}

impl Iterator for Times<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        if self.is_begun {
            let gap = self.gaps.as_mut()?.next_number().ok()?;
            self.dt_ms = self.dt_ms.checked_add(u32::try_from(gap).ok()?)?;
        }
        self.is_begun = true;
        Some(self.dt_ms)
    }
}

/// Iterator over the columns of a checked batch: `(channel id, values)`.
#[derive(Debug, Clone)]
pub struct Columns<'b> {
    decoder: Decoder<'b>,
    samples: u8,
    left: u8,
}

impl<'b> Iterator for Columns<'b> {
    type Item = (u8, Column<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let channel = self.decoder.u8().ok()?;
        let bytes = self.decoder.bytes().ok()?;
        Some((channel, Column::open(bytes, self.samples).ok()?))
    }
}

/// Iterator over one channel of a checked batch: for each sample the stored integer of the appliance profile, or `None`.
#[derive(Debug, Clone)]
pub struct Column<'b> {
    /// One bit a sample; all have a reading where there is none.
    bitmap: Option<&'b [u8]>,
    readings: Series<'b>,
    samples: u8,
    at: u8,
}

impl Iterator for Column<'_> {
    type Item = Option<i32>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.samples {
            return None;
        }
        let has_reading = self.has_reading();
        self.at += 1;
        if !has_reading {
            return Some(None);
        }
        let reading = self.readings.next_number().ok()?;
        Some(Some(i32::try_from(reading).ok()?))
    }
}

impl<'b> Column<'b> {
    fn open(bytes: &'b [u8], samples: u8) -> Result<Self, DecodeProblem> {
        let (head, rest) = bytes.split_first().ok_or(DecodeProblem::Malformed)?;
        let is_sparse = head & SPARSE != 0;
        let bitmap_bytes = if is_sparse { usize::from(samples.div_ceil(8)) } else { 0 };
        let (bitmap, rest) = rest.split_at_checked(bitmap_bytes).ok_or(DecodeProblem::Malformed)?;
        Ok(Self {
            bitmap: is_sparse.then_some(bitmap),
            readings: Series::open(head & !SPARSE, rest)?,
            samples,
            at: 0,
        })
    }

    fn has_reading(&self) -> bool {
        let Some(bitmap) = self.bitmap else {
            return true;
        };
        let byte = bitmap.get(usize::from(self.at / 8)).copied().unwrap_or(0);
        byte >> (self.at % 8) & 1 == 1
    }

    /// Walks the whole column once.
    fn check(bytes: &'b [u8], samples: u8) -> Result<(), DecodeProblem> {
        let mut column = Self::open(bytes, samples)?;
        let marked: Option<u32> = column
            .bitmap
            .map(|bitmap| bitmap.iter().map(|byte| byte.count_ones()).sum());
        if marked == Some(0) {
            return Err(DecodeProblem::Count);
        }
        let mut readings = 0_u8;
        while column.at < samples {
            if column.has_reading() {
                let reading = column.readings.next_number()?;
                i32::try_from(reading).map_err(|_| DecodeProblem::Range)?;
                readings += 1;
            }
            column.at += 1;
        }
        // A bitmap says that some are missing and some are not, and nothing of samples that do not exist.
        let is_wrong = |marked: u32| marked != u32::from(readings) || readings >= samples;
        if marked.is_some_and(is_wrong) {
            return Err(DecodeProblem::Count);
        }
        column.readings.check_end()
    }
}

/// The gaps between the samples; `None` of a single one, which has no gap and no byte.
fn open_times(bytes: &[u8], samples: u8) -> Result<Option<Series<'_>>, DecodeProblem> {
    match bytes.split_first() {
        None if samples == 1 => Ok(None),
        None => Err(DecodeProblem::Malformed),
        Some(_) if samples == 1 => Err(DecodeProblem::Trailing),
        Some((head, rest)) => Series::open(*head, rest).map(Some),
    }
}

fn check_times(bytes: &[u8], samples: u8) -> Result<(), DecodeProblem> {
    let Some(mut gaps) = open_times(bytes, samples)? else {
        return Ok(());
    };
    let mut dt_ms = 0_u32;
    for _ in 1..samples {
        let gap = gaps.next_number()?;
        if gap < 0 {
            return Err(DecodeProblem::Order);
        }
        let gap = u32::try_from(gap).map_err(|_| DecodeProblem::Range)?;
        dt_ms = dt_ms.checked_add(gap).ok_or(DecodeProblem::Range)?;
    }
    gaps.check_end()
}

impl<'b> Reader<'b> {
    /// What follows the kind of a batch, of the message `bytes`.
    pub(super) fn batch(&mut self, bytes: &'b [u8]) -> Result<Packet<'b>, DecodeError> {
        let time_base = self.time_base()?;
        let boot_id = self.number("boot_id")?;
        let seq = self.number("seq")?;
        let t0_ms = self.time("t0_ms", time_base)?;
        let samples = self.number("samples")?;
        let in_range = (1..=MAX_SAMPLES as u64).contains(&samples) && seq <= MAX_NUMBER - MAX_SAMPLES as u64;
        let samples = u8::try_from(samples).ok().filter(|_| in_range);
        let samples = samples.ok_or_else(|| self.problem("samples", DecodeProblem::Range))?;
        let times = self.run("times", |run| check_times(run, samples))?;
        let at = self.decoder.position();
        let columns = self.decoder.map().ok().flatten();
        let columns = columns.ok_or(DecodeError {
            part: "columns",
            at,
            problem: DecodeProblem::Malformed,
        })?;
        let columns = u8::try_from(columns)
            .ok()
            .filter(|columns| usize::from(*columns) * usize::from(samples) <= MAX_BATCH_VALUES);
        let columns = columns.ok_or_else(|| self.problem("columns", DecodeProblem::Range))?;
        let body = bytes.get(self.decoder.position()..).unwrap_or_default();
        let mut last_channel = 0;
        for _ in 0..columns {
            last_channel = self.channel(last_channel)?;
            self.run("column", |run| Column::check(run, samples))?;
        }
        let header = Header {
            time_base,
            boot_id,
            seq,
            t0_ms,
        };
        Ok(Packet::Batch(Batch {
            header,
            samples,
            times,
            columns,
            body,
        }))
    }

    /// A byte string of which `check` thinks well.
    fn run<F>(&mut self, part: &'static str, check: F) -> Result<&'b [u8], DecodeError>
    where
        F: FnOnce(&'b [u8]) -> Result<(), DecodeProblem>,
    {
        let at = self.decoder.position();
        let run = self.decoder.bytes().map_err(|_| DecodeProblem::Malformed);
        run.and_then(|run| check(run).map(|()| run))
            .map_err(|problem| DecodeError { part, at, problem })
    }
}
