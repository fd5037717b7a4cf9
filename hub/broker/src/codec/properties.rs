//! Properties of MQTT 5 (§2.2.2): which may stand where, once each, within their length and range.

use super::malformed;
use super::scan::Scan;
use crate::session::CloseReason;

/// Identifiers of the properties that a packet may have, a bit each.
pub(super) type Allowed = u64;

const fn allowed(identifiers: &[u8]) -> Allowed {
    let mut bits = 0;
    let mut at = 0;
    while at < identifiers.len() {
        bits |= 1 << identifiers[at];
        at += 1;
    }
    bits
}

/// Message expiry interval.
pub(super) const MESSAGE_EXPIRY: u8 = 2;
/// Response topic.
pub(super) const RESPONSE_TOPIC: u8 = 8;
/// Correlation data.
pub(super) const CORRELATION_DATA: u8 = 9;
const USER: u8 = 38;
/// CONNECT.
pub(super) const CONNECT: Allowed = allowed(&[17, 21, 22, 23, 25, 33, 34, USER, 39]);
/// The will in CONNECT.
pub(super) const WILL: Allowed = allowed(&[1, 2, 3, 8, 9, 24, USER]);
/// PUBLISH from a client: a subscription identifier is the server's to send.
pub(super) const PUBLISH: Allowed = allowed(&[1, 2, 3, 8, 9, 35, USER]);
/// SUBSCRIBE.
pub(super) const SUBSCRIBE: Allowed = allowed(&[11, USER]);
/// UNSUBSCRIBE.
pub(super) const PLAIN: Allowed = allowed(&[USER]);
/// Acknowledgements.
pub(super) const ACKNOWLEDGE: Allowed = allowed(&[31, USER]);
/// DISCONNECT from a client.
pub(super) const DISCONNECT: Allowed = allowed(&[17, 31, USER]);

/// What goes on with a message unaltered and in its order: payload format, content type, response topic, correlation data,
/// user properties (MQTT 5 §3.3.2.3).
const PASSED_ON: Allowed = allowed(&[1, 3, RESPONSE_TOPIC, CORRELATION_DATA, USER]);
/// Only a publish and a will have one.
const OF_A_MESSAGE: Allowed = allowed(&[MESSAGE_EXPIRY]);

/// What of the properties is looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of a publish or a will: as `Message::with_properties` takes them.
    pub(super) passed_on: Vec<u8>,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) alias: Option<u16>,
    pub(super) subscription_id: bool,
}

/// Reads and checks a block of properties with its length.
pub(super) fn read(scan: &mut Scan<'_>, allowed: Allowed) -> Result<Found, CloseReason> {
    let length = scan.varint()?;
    let mut block = Scan::new(scan.take(length)?);
    let (mut seen, mut found) = (0u64, Found::default());
    let passed_on = if allowed & OF_A_MESSAGE != 0 { PASSED_ON } else { 0 };
    while !block.is_empty() {
        let whole = block.rest();
        let identifier = block.byte()?;
        let bit = 1u64.checked_shl(identifier.into()).unwrap_or(0);
        if allowed & bit == 0 {
            return Err(CloseReason::Malformed(format!(
                "property {identifier} does not belong here"
            )));
        }
        if seen & bit != 0 && identifier != USER {
            return Err(CloseReason::Unexpected("property given twice"));
        }
        seen |= bit;
        one(identifier, &mut block, &mut found)?;
        let length = whole.len() - block.rest().len();
        let property = whole.get(..length).unwrap_or_default();
        if identifier == MESSAGE_EXPIRY {
            // First, where it is found without looking at the others.
            found.passed_on = [property, found.passed_on.as_slice()].concat();
        } else if passed_on & bit != 0 {
            found.passed_on.extend_from_slice(property);
        }
    }
    // MQTT 5 §3.1.2.11.10.
    if seen & 1 << 22 != 0 && seen & 1 << 21 == 0 {
        return Err(CloseReason::Unexpected("authentication data without method"));
    }
    Ok(found)
}

fn one(identifier: u8, block: &mut Scan<'_>, found: &mut Found) -> Result<(), CloseReason> {
    match identifier {
        // Payload format, request problem information, request response information.
        1 | 23 | 25 => {
            if block.byte()? > 1 {
                return Err(CloseReason::Unexpected("property is neither 0 nor 1"));
            }
        }
        // Message expiry, will delay.
        2 | 24 => drop(block.four()?),
        // Content type, authentication method, reason string.
        3 | 21 | 31 => drop(block.text()?),
        8 => {
            if block.text()?.contains(['+', '#']) {
                return Err(CloseReason::Unexpected("response topic with wildcards"));
            }
        }
        // Correlation data, authentication data.
        9 | 22 => drop(block.binary()?),
        11 => {
            found.subscription_id = true;
            if block.varint()? == 0 {
                return Err(CloseReason::Unexpected("subscription identifier is zero"));
            }
        }
        17 => found.session_expiry_s = Some(block.four()?),
        33 => {
            if block.two()? == 0 {
                return Err(CloseReason::Unexpected("receive maximum is zero"));
            }
        }
        34 => drop(block.two()?),
        35 => found.alias = Some(block.two()?),
        39 => {
            if block.four()? == 0 {
                return Err(CloseReason::Unexpected("maximum packet size is zero"));
            }
        }
        USER => {
            block.text()?;
            block.text()?;
        }
        _ => return Err(malformed("unknown property")),
    }
    Ok(())
}
