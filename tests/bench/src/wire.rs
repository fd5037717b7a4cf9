//! Bytes a value on the wire: the same samples as a batch in columns and as what else devices send, and the time to write
//! and to read them.

mod peers;

use crate::bar::Bars;
use agent_sdk_wire::{BatchEncoder, Header, MAX_MESSAGE_BYTES, Packet, TelemetryEncoder, TimeBase, Value, decode};
use anyhow::{Context, Result, bail};
use hub_core::profile::{ApplianceProfile, Family};
use std::path::Path;
use std::time::Instant;
use tests_hub::fleet::past;
use tests_hub::hub::{project, recorded_data};

/// Samples in one message.
pub const SAMPLES: usize = 32;
/// What a value may take in the mean of all messages.
const BYTES_MAX: f64 = 2.0;
/// Days of the simulated washing machine.
const DAYS: i64 = 30;
const SEED: u64 = 1;
/// The end of them, so that every run has the same.
const END: &str = "2026-03-02T00:00:00Z";
const HEADER: Header = Header {
    time_base: TimeBase::Utc,
    boot_id: 0x1234_5678,
    seq: 4_711,
    t0_ms: 0,
};
/// `d/wm-0001/t`, or as long.
const TOPIC_BYTES: usize = 11;
const SPARKPLUG_TOPIC_BYTES: usize = "spBv1.0/acme/DDATA/home/wm-0001".len();
/// Of IPv4 and TCP without options.
const TCP_IP_BYTES: usize = 40;
const SEGMENT_BYTES: usize = 1_460;
const PUBACK_BYTES: usize = 4;

/// What one message carries: times in Unix milliseconds, and the stored integers of all channels at each.
#[derive(Debug, Clone)]
pub struct Window {
    times_ms: Vec<i64>,
    /// By sample, in the order of the profile.
    rows: Vec<Vec<Option<i32>>>,
}

/// All messages of one source.
#[derive(Debug)]
pub struct Source {
    name: &'static str,
    profile: ApplianceProfile,
    windows: Vec<Window>,
}

/// Writes one message.
type Encode = fn(&Window, &ApplianceProfile) -> Result<Vec<u8>>;

/// Reads one message; answers how many values it held.
type Decode = fn(&[u8]) -> Result<usize>;

/// A format: its name, its topic's length, and how it is written and, where we read it, read.
struct Format {
    name: &'static str,
    topic_bytes: usize,
    encode: Encode,
    decode: Option<Decode>,
}

const FORMATS: [Format; 5] = [
    format("batch", batch, Some(read_cbor)),
    format("rows_cbor", rows, Some(read_cbor)),
    format("flat_json", peers::json, Some(read_json)),
    format("senml_cbor", peers::senml, None),
    Format {
        topic_bytes: SPARKPLUG_TOPIC_BYTES,
        ..format("sparkplug_b", peers::sparkplug, None)
    },
];

const fn format(name: &'static str, encode: Encode, decode: Option<Decode>) -> Format {
    Format {
        name,
        topic_bytes: TOPIC_BYTES,
        encode,
        decode,
    }
}

/// Prints the table; the bars of the sizes.
///
/// # Errors
/// A source cannot be read, or a message not be written.
pub fn run() -> Result<Bars> {
    let mut bars = Bars::default();
    println!(
        "{SAMPLES} samples a message; bytes a value, mean of all messages; MQTT with PUBACK, TCP/IP without options"
    );
    println!(
        "SenML and Sparkplug B with channel ids for names; their writers are ours, made for size and not for speed"
    );
    println!("source          format         payload   worst    MQTT  TCP/IP  write ns  read ns");
    for source in sources()? {
        for format in &FORMATS {
            let figures = measure(&source, format)?;
            let read = figures.read_ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0}"));
            println!(
                "{:15} {:13} {:8.2} {:7.2} {:7.2} {:7.2} {:9.0} {read:>8}",
                source.name,
                format.name,
                figures.payload,
                figures.worst,
                figures.mqtt,
                figures.tcp_ip,
                figures.write_ns,
            );
            if format.name == "batch" {
                bars.at_most(&format!("{}_bytes_a_value", source.name), figures.payload, BYTES_MAX);
            }
        }
    }
    Ok(bars)
}

/// A value's part of a message, in bytes and nanoseconds.
struct Figures {
    payload: f64,
    worst: f64,
    mqtt: f64,
    tcp_ip: f64,
    write_ns: f64,
    read_ns: Option<f64>,
}

fn measure(source: &Source, format: &Format) -> Result<Figures> {
    let begun = Instant::now();
    let messages: Vec<_> = source
        .windows
        .iter()
        .map(|window| (format.encode)(window, &source.profile))
        .collect::<Result<_>>()?;
    let written = begun.elapsed();
    let (mut values, mut payload, mut mqtt, mut tcp_ip) = (0, 0, 0, 0);
    let mut worst: f64 = 0.0;
    for (window, message) in source.windows.iter().zip(&messages) {
        let count = window.values();
        let packet = packet_bytes(message.len(), format.topic_bytes);
        values += count;
        payload += message.len();
        mqtt += packet - message.len() + PUBACK_BYTES;
        tcp_ip += TCP_IP_BYTES * (packet.div_ceil(SEGMENT_BYTES) + 1);
        worst = worst.max(message.len() as f64 / count.max(1) as f64);
    }
    let a_value = |of: f64| of / values as f64;
    let read_ns = match format.decode {
        None => None,
        Some(decode) => {
            let begun = Instant::now();
            let mut read = 0;
            for message in &messages {
                read += decode(message)?;
            }
            let elapsed = begun.elapsed();
            if read != values {
                bail!(
                    "{}: {read} of {values} values of {} were read",
                    format.name,
                    source.name
                );
            }
            Some(a_value(elapsed.as_nanos() as f64))
        }
    };
    Ok(Figures {
        payload: a_value(payload as f64),
        worst,
        mqtt: a_value(mqtt as f64),
        tcp_ip: a_value(tcp_ip as f64),
        write_ns: a_value(written.as_nanos() as f64),
        read_ns,
    })
}

/// A PUBLISH at QoS 1 (MQTT 3.1.1 §3.3).
fn packet_bytes(payload: usize, topic: usize) -> usize {
    let rest = 2 + topic + 2 + payload;
    let mut length_bytes = 1;
    let mut left = rest / 128;
    while left > 0 {
        length_bytes += 1;
        left /= 128;
    }
    1 + length_bytes + rest
}

impl Window {
    /// Values that are there.
    fn values(&self) -> usize {
        self.rows.iter().flatten().flatten().count()
    }

    fn t0_ms(&self) -> i64 {
        self.times_ms.first().copied().unwrap_or_default()
    }

    fn dt_ms(&self) -> impl Iterator<Item = u32> + Clone {
        let t0_ms = self.t0_ms();
        self.times_ms
            .iter()
            .map(move |ms| u32::try_from(ms - t0_ms).unwrap_or(u32::MAX))
    }

    fn header(&self) -> Header {
        Header {
            t0_ms: self.t0_ms(),
            ..HEADER
        }
    }
}

fn batch(window: &Window, profile: &ApplianceProfile) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let mut encoder = BatchEncoder::new(&mut buffer, &window.header(), window.dt_ms())?;
    for (at, channel) in profile.channels.iter().enumerate() {
        let values = window.rows.iter().map(|row| row.get(at).copied().flatten());
        encoder.column(channel.id, values)?;
    }
    Ok(encoder.finish()?.to_vec())
}

fn rows(window: &Window, profile: &ApplianceProfile) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let mut encoder = TelemetryEncoder::new(&mut buffer, &window.header())?;
    for (dt_ms, row) in window.dt_ms().zip(&window.rows) {
        let there = profile.channels.iter().zip(row);
        let values: Vec<_> = there
            .filter_map(|(channel, stored)| {
                let value = channel.value((*stored)?);
                Some((channel.id, Value::at_resolution(value, channel.decimals)))
            })
            .collect();
        encoder.push(dt_ms, &values)?;
    }
    Ok(encoder.finish()?.to_vec())
}

fn read_cbor(message: &[u8]) -> Result<usize> {
    Ok(match decode(message)? {
        Packet::Batch(batch) => batch.columns().map(|(_, column)| column.flatten().count()).sum(),
        Packet::Telemetry(telemetry) => telemetry.samples().map(|(_, values)| values.count()).sum(),
        Packet::Clock(_) | Packet::Event(_) => 0,
    })
}

fn read_json(message: &[u8]) -> Result<usize> {
    let samples = agent_sdk_wire::json::decode(message)?;
    Ok(samples.iter().map(|sample| sample.values.len()).sum())
}

fn sources() -> Result<Vec<Source>> {
    let mut sources = vec![washing_machine()?];
    match recorded_data() {
        Some(folder) => sources.push(skab(&folder.join("skab"))?),
        None => println!("skab is left out: the recorded data are not there (../shared/data/skab beside the project)"),
    }
    Ok(sources)
}

fn washing_machine() -> Result<Source> {
    let profile = profile("washing-machine")?;
    let samples = past(SEED, DAYS, None, END.parse()?);
    let windows = samples.chunks_exact(SAMPLES).map(|samples| Window {
        times_ms: samples.iter().map(|sample| sample.at.as_millisecond()).collect(),
        rows: samples
            .iter()
            .map(|sample| {
                let value = |id: u8| sample.values.iter().find(|(of, _)| *of == id).map(|(_, value)| *value);
                let stored = profile
                    .channels
                    .iter()
                    .map(|channel| channel.quantise(value(channel.id)?));
                stored.collect()
            })
            .collect(),
    });
    let windows = windows.collect();
    Ok(Source {
        name: "washing_machine",
        profile,
        windows,
    })
}

/// Every whole window of every recording.
fn skab(folder: &Path) -> Result<Source> {
    let profile = profile("pump-rig")?;
    let mut windows = Vec::new();
    for part in ["anomaly-free", "valve1", "valve2", "other"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join(part))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file)?;
            let read = recording(&text, &profile).with_context(|| file.display().to_string())?;
            windows.extend(read);
        }
    }
    Ok(Source {
        name: "skab",
        profile,
        windows,
    })
}

fn recording(text: &str, profile: &ApplianceProfile) -> Result<Vec<Window>> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().context("no heading")?.split(';').collect();
    let columns: Vec<_> = profile
        .channels
        .iter()
        .map(|channel| {
            names
                .iter()
                .position(|name| *name == channel.name)
                .context("a channel is missing")
        })
        .collect::<Result<_>>()?;
    let (mut times, mut rows) = (Vec::new(), Vec::new());
    for line in lines {
        let cells: Vec<_> = line.split(';').collect();
        let at = cells.first().context("an empty line")?;
        let at: jiff::civil::DateTime = at.parse()?;
        times.push(at.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_millisecond());
        let stored = profile.channels.iter().zip(&columns).map(|(channel, at)| {
            let cell = cells.get(*at).context("a short line")?;
            Ok(channel.quantise(cell.parse()?))
        });
        rows.push(stored.collect::<Result<Vec<_>>>()?);
    }
    let windows = times.chunks_exact(SAMPLES).zip(rows.chunks_exact(SAMPLES));
    Ok(windows
        .map(|(times, rows)| Window {
            times_ms: times.to_vec(),
            rows: rows.to_vec(),
        })
        .collect())
}

fn profile(name: &str) -> Result<ApplianceProfile> {
    let path = project().join(format!("models/profiles/{name}.toml"));
    let family: Family = toml::from_str(&std::fs::read_to_string(path)?)?;
    Ok(family.profile)
}

#[cfg(test)]
mod tests {
    use super::run;
    use tests_hub::hub::recorded_data;

    #[test]
    fn a_value_takes_two_bytes_at_most() {
        let bars = run().unwrap();
        assert!(bars.print());
        assert!(bars.is_held("washing_machine_bytes_a_value"));
        assert_eq!(bars.is_held("skab_bytes_a_value"), recorded_data().is_some());
    }
}
