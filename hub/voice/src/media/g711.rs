//! G.711 (ITU-T G.711): the two 8-bit codings of telephone audio, 8,000 samples a second.

/// A telephone codec with a static RTP payload type (RFC 3551 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static payload type (RFC 3551 table 4).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The codec of a static payload type, if it is one of ours.
    pub fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            _ => None,
        }
    }

    /// The name in an SDP `rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// One linear 16-bit sample as one octet.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Codec::Pcmu => encode_mu(sample),
            Codec::Pcma => encode_a(sample),
        }
    }

    /// One octet as one linear 16-bit sample.
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Codec::Pcmu => decode_mu(octet),
            Codec::Pcma => decode_a(octet),
        }
    }
}

/// Added before the logarithm so that the smallest segment has a set bit to find (G.711 table 2a).
const MU_BIAS: i32 = 0x84;
/// The largest magnitude µ-law can hold.
const MU_CLIP: i32 = 32_635;

/// The position of the highest set bit among bits 7..=14 of `magnitude`, counted from 0.
fn segment(magnitude: i32) -> u8 {
    let high = 31 - (magnitude | 0x80).leading_zeros();
    u8::try_from(high.saturating_sub(7).min(7)).expect("at most 7")
}

fn encode_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(MU_CLIP) + MU_BIAS;
    let exponent = segment(magnitude);
    let mantissa = u8::try_from((magnitude >> (exponent + 3)) & 0x0f).expect("four bits");
    !(sign | (exponent << 4) | mantissa)
}

fn decode_mu(octet: u8) -> i16 {
    let octet = !octet;
    let exponent = (octet >> 4) & 7;
    let magnitude = (((i32::from(octet & 0x0f) << 3) + MU_BIAS) << exponent) - MU_BIAS;
    let signed = if octet & 0x80 != 0 { -magnitude } else { magnitude };
    i16::try_from(signed).expect("µ-law spans 14 bits")
}

fn encode_a(sample: i16) -> u8 {
    // Negative values are taken as one's complement, so that -1 and 0 fall into mirrored steps (G.711 table 1a).
    let (sign, magnitude) = if sample >= 0 {
        (0x80, i32::from(sample))
    } else {
        (0, !i32::from(sample))
    };
    let octet = if magnitude < 256 {
        u8::try_from(magnitude >> 4).expect("four bits")
    } else {
        let exponent = segment(magnitude);
        let mantissa = u8::try_from((magnitude >> (exponent + 3)) & 0x0f).expect("four bits");
        (exponent << 4) | mantissa
    };
    (octet | sign) ^ 0x55
}

fn decode_a(octet: u8) -> i16 {
    let octet = octet ^ 0x55;
    let exponent = (octet >> 4) & 7;
    let step = i32::from(octet & 0x0f) << 4;
    let magnitude = if exponent == 0 {
        step + 8
    } else {
        (step + 0x108) << (exponent - 1)
    };
    let signed = if octet & 0x80 != 0 { magnitude } else { -magnitude };
    i16::try_from(signed).expect("A-law spans 13 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(Codec::Pcmu.encode(0), 0xff);
        assert_eq!(Codec::Pcmu.encode(i16::MAX), 0x80);
        assert_eq!(Codec::Pcmu.encode(i16::MIN), 0x00);
        assert_eq!(Codec::Pcmu.decode(0x80), 32_124);
        assert_eq!(Codec::Pcma.encode(0), 0xd5);
        assert_eq!(Codec::Pcma.encode(i16::MAX), 0xaa);
        assert_eq!(Codec::Pcma.encode(i16::MIN), 0x2a);
        assert_eq!(Codec::Pcma.decode(0xaa), 32_256);
    }

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for octet in 0..=255u8 {
                // µ-law has two zeros; the negative one (0x7f) comes back as the positive one.
                if codec == Codec::Pcmu && octet == 0x7f {
                    continue;
                }
                assert_eq!(codec.encode(codec.decode(octet)), octet, "{codec:?} {octet:#x}");
            }
        }
    }

    #[test]
    fn the_error_of_a_round_trip_is_within_half_a_step() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for sample in (-32_600..=32_600i32).step_by(7) {
                let sample = i16::try_from(sample).unwrap();
                let error = (i32::from(codec.decode(codec.encode(sample))) - i32::from(sample)).abs();
                assert!(error <= 8 + i32::from(sample).abs() / 16, "{codec:?} {sample} {error}");
            }
        }
    }
}
