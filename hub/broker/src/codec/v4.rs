//! What only MQTT 3.1.1 has.

use super::malformed;
use super::scan::Scan;
use crate::session::CloseReason;

pub(super) use rumqttd::protocol::v4::V4;

/// Bytes of a CONNECT up to its payload.
const HEADER: usize = 10;

/// Checks a CONNECT: reserved bit, password without user name (§3.1.2.3, §3.1.2.9), will flags, and that all of it is
/// read.
pub(super) fn check_connect(body: &[u8]) -> Result<(), CloseReason> {
    let mut scan = Scan::new(body);
    let flags = scan.take(HEADER)?.get(7).copied().unwrap_or_default();
    check_flags(flags)?;
    if flags & 0b1100_0000 == 0b0100_0000 {
        return Err(malformed("password without user name"));
    }
    scan.text()?;
    if flags & 0b0000_0100 != 0 {
        scan.text()?;
        scan.binary()?;
    }
    check_login(flags, scan)
}

/// Connect flags of both versions.
pub(super) fn check_flags(flags: u8) -> Result<(), CloseReason> {
    if flags & 0b0000_0001 != 0 {
        return Err(malformed("reserved CONNECT flag is set"));
    }
    let (will, rest) = (flags & 0b0000_0100 != 0, flags & 0b0011_1000);
    if (!will && rest != 0) || rest & 0b0001_1000 == 0b0001_1000 {
        return Err(malformed("flags of the will"));
    }
    Ok(())
}

/// User name and password, and nothing after them.
pub(super) fn check_login(flags: u8, mut scan: Scan<'_>) -> Result<(), CloseReason> {
    if flags & 0b1000_0000 != 0 {
        scan.text()?;
    }
    if flags & 0b0100_0000 != 0 {
        // Binary by the standard; ours are text, which the decoder insists on.
        scan.text()?;
    }
    if scan.is_empty() {
        Ok(())
    } else {
        Err(malformed("CONNECT is longer than its parts"))
    }
}
