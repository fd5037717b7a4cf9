//! JSON as CBOR and back, for what people write and read in JSON and devices in CBOR: arguments of commands, and what comes
//! back (RFC 8949, section 6).

use minicbor::Decoder;
use minicbor::data::Type;
use serde_json::{Map, Number, Value};

/// How deep arrays and maps may lie in each other.
const DEPTH_MAX: u8 = 16;

/// Major types of CBOR (RFC 8949, section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Writes a JSON value behind what `out` holds: whole numbers as integers, others in the shortest form of 32 or 64 bits that
/// is exact. Its depth is bounded by the parser.
pub fn to_cbor(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xF6),
        Value::Bool(false) => out.push(0xF4),
        Value::Bool(true) => out.push(0xF5),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            head(ARRAY, items.len() as u64, out);
            for item in items {
                to_cbor(item, out);
            }
        }
        Value::Object(members) => {
            head(MAP, members.len() as u64, out);
            for (name, member) in members {
                write_text(name, out);
                to_cbor(member, out);
            }
        }
    }
}

/// Reads one CBOR item that is all of `bytes` and has a form in JSON. `None` for what has none, or not the same: byte strings,
/// tags, half floats, what is no number, items of indefinite length, maps whose keys are no texts or come twice; for more than
/// 16 levels; and for what is no CBOR.
pub fn from_cbor(bytes: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let value = item(&mut decoder, DEPTH_MAX)?;
    (decoder.position() == bytes.len()).then_some(value)
}

fn item(decoder: &mut Decoder<'_>, levels: u8) -> Option<Value> {
    let inside = levels.checked_sub(1)?;
    Some(match decoder.datatype().ok()? {
        Type::Null => {
            decoder.null().ok()?;
            Value::Null
        }
        Type::Bool => Value::Bool(decoder.bool().ok()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::from(decoder.u64().ok()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => Value::from(decoder.i64().ok()?),
        Type::F32 | Type::F64 => Value::Number(Number::from_f64(decoder.f64().ok()?)?),
        Type::String => Value::String(String::from(decoder.str().ok()?)),
        Type::Array => {
            // Grows with what is there, not with what is announced.
            let mut items = Vec::new();
            for _ in 0..decoder.array().ok()?? {
                items.push(item(decoder, inside)?);
            }
            Value::Array(items)
        }
        Type::Map => {
            let mut members = Map::new();
            for _ in 0..decoder.map().ok()?? {
                let name = String::from(decoder.str().ok()?);
                if members.insert(name, item(decoder, inside)?).is_some() {
                    return None;
                }
            }
            Value::Object(members)
        }
        _ => return None,
    })
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(whole) = number.as_u64() {
        head(UNSIGNED, whole, out);
    } else if let Some(whole) = number.as_i64() {
        // It is negative: -1 - n, which is the complement of its bits.
        head(NEGATIVE, !whole as u64, out);
    } else {
        let exact = number.as_f64().unwrap_or_default();
        let short = exact as f32;
        if f64::from(short) == exact {
            out.push(0xFA);
            out.extend_from_slice(&short.to_be_bytes());
        } else {
            out.push(0xFB);
            out.extend_from_slice(&exact.to_be_bytes());
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    head(TEXT, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// The head of an item, in its shortest form.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    if let Ok(byte) = u8::try_from(argument) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend_from_slice(&[major | 24, byte]);
        }
    } else if let Ok(short) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(long) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&long.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}
