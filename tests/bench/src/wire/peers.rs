//! The same samples in formats of others, written byte by byte.

use super::Window;
use anyhow::Result;
use hub_core::profile::ApplianceProfile;
use std::fmt::Write;

/// An array of `{"ts": …, "values": {name: value}}`, as ThingsBoard's devices send it.
pub(super) fn json(window: &Window, profile: &ApplianceProfile) -> Result<Vec<u8>> {
    let mut text = String::from("[");
    for (n, (ms, values)) in values(window, profile).enumerate() {
        let comma = if n > 0 { "," } else { "" };
        write!(text, "{comma}{{\"ts\":{ms},\"values\":{{")?;
        for (n, (at, value)) in values.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            let name = profile.channels.get(*at).map_or("", |channel| channel.name.as_str());
            write!(text, "{comma}\"{name}\":{value}")?;
        }
        text.push_str("}}");
    }
    text.push(']');
    Ok(text.into_bytes())
}

/// One pack of SenML-CBOR (RFC 8428 §6): base name and base time once, then name, value and time of each.
pub(super) fn senml(window: &Window, profile: &ApplianceProfile) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    cbor_head(4, window.values() as u64, &mut bytes);
    let mut is_first = true;
    for (ms, values) in values(window, profile) {
        let seconds = (ms - window.t0_ms()) as f64 / 1_000.0;
        for (at, value) in values {
            let has_time = seconds != 0.0;
            let parts = 2 + 2 * u64::from(is_first) + u64::from(has_time);
            cbor_head(5, parts, &mut bytes);
            if is_first {
                bytes.push(0x21);
                cbor_text("wm-0001/", &mut bytes);
                bytes.push(0x22);
                cbor_number(window.t0_ms() as f64 / 1_000.0, &mut bytes);
                is_first = false;
            }
            bytes.push(0x00);
            cbor_text(&(at + 1).to_string(), &mut bytes);
            bytes.push(0x02);
            cbor_number(value, &mut bytes);
            if has_time {
                bytes.push(0x06);
                cbor_number(seconds, &mut bytes);
            }
        }
    }
    Ok(bytes)
}

/// A DDATA payload of Sparkplug B (3.0, §6.4): metrics by alias, each with its time.
pub(super) fn sparkplug(window: &Window, profile: &ApplianceProfile) -> Result<Vec<u8>> {
    let mut bytes = vec![0x08];
    varint(window.t0_ms() as u64, &mut bytes);
    for (ms, values) in values(window, profile) {
        for (at, value) in values {
            let mut metric = vec![0x10];
            varint(at as u64 + 1, &mut metric);
            metric.push(0x18);
            varint(ms as u64, &mut metric);
            // Its type is Float, or Double where seven digits do not do.
            let short = value as f32;
            if is_enough(short, value) {
                metric.extend([0x20, 9, 0x65]);
                metric.extend(short.to_le_bytes());
            } else {
                metric.extend([0x20, 10, 0x69]);
                metric.extend(value.to_le_bytes());
            }
            bytes.push(0x12);
            varint(metric.len() as u64, &mut bytes);
            bytes.extend(metric);
        }
    }
    bytes.push(0x18);
    varint(71, &mut bytes);
    Ok(bytes)
}

/// Times, and the values that are there by the positions of their channels.
fn values<'w>(
    window: &'w Window,
    profile: &'w ApplianceProfile,
) -> impl Iterator<Item = (i64, Vec<(usize, f64)>)> + 'w {
    window.times_ms.iter().zip(&window.rows).map(move |(ms, row)| {
        let there = profile.channels.iter().zip(row).enumerate();
        let values = there.filter_map(|(at, (channel, stored))| Some((at, channel.value((*stored)?))));
        (*ms, values.collect())
    })
}

/// Whether the shorter form is the same to seven digits, which is what sensors have.
fn is_enough(short: f32, value: f64) -> bool {
    (f64::from(short) - value).abs() <= value.abs() * 1e-7
}

fn cbor_head(major: u8, number: u64, bytes: &mut Vec<u8>) {
    let major = major << 5;
    if let Ok(small) = u8::try_from(number) {
        if small < 24 {
            bytes.push(major | small);
        } else {
            bytes.extend([major | 24, small]);
        }
    } else if let Ok(number) = u16::try_from(number) {
        bytes.push(major | 25);
        bytes.extend(number.to_be_bytes());
    } else {
        bytes.push(major | 27);
        bytes.extend(number.to_be_bytes());
    }
}

fn cbor_text(text: &str, bytes: &mut Vec<u8>) {
    cbor_head(3, text.len() as u64, bytes);
    bytes.extend(text.as_bytes());
}

/// The shortest of integer, float and double.
fn cbor_number(value: f64, bytes: &mut Vec<u8>) {
    if value.fract() == 0.0 && (0.0..4e15).contains(&value) {
        cbor_head(0, value as u64, bytes);
    } else if is_enough(value as f32, value) {
        bytes.push(0xFA);
        bytes.extend((value as f32).to_be_bytes());
    } else {
        bytes.push(0xFB);
        bytes.extend(value.to_be_bytes());
    }
}

fn varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
