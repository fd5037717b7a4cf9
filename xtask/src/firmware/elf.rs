//! As much of an ELF file for 32 bits, little-endian, as sizes need: its sections, and the names that it defines.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

const SYMBOLS: u32 = 2;
/// A section without bytes in the file.
const NO_BITS: u32 = 8;
const WRITE: u32 = 1;
const ALLOC: u32 = 2;

/// Tables for unwinding, which a program that ends where it panics leaves out.
const UNWINDING: [&str; 4] = [".ARM.exidx", ".ARM.extab", ".eh_frame", ".eh_frame_hdr"];

/// What was linked.
pub struct Image {
    /// Code, constants, and first values of globals.
    pub flash_bytes: u64,
    /// Globals.
    pub ram_bytes: u64,
    defined: BTreeSet<String>,
}

impl Image {
    /// Reads what a linker wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no such file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(
            bytes.starts_with(b"\x7FELF\x01\x01"),
            "no ELF of 32 bits, little-endian"
        );
        let sections = sections(bytes)?;
        let names = sections
            .get(usize::from(half(bytes, 0x32)?))
            .context("no names of sections")?;
        let mut image = Self {
            flash_bytes: 0,
            ram_bytes: 0,
            defined: BTreeSet::new(),
        };
        for section in &sections {
            if section.kind == SYMBOLS {
                let strings = sections.get(section.link as usize).context("no names of symbols")?;
                image.defined.extend(defined(bytes, section, strings)?);
            }
            let is_counted = section.flags & ALLOC != 0 && !UNWINDING.contains(&&*text(bytes, names, section.name)?);
            if is_counted && section.kind != NO_BITS {
                image.flash_bytes += u64::from(section.size);
            }
            if is_counted && section.flags & WRITE != 0 {
                image.ram_bytes += u64::from(section.size);
            }
        }
        Ok(image)
    }

    /// Whether a symbol of this name is in it.
    pub fn defines(&self, name: &str) -> bool {
        self.defined.contains(name)
    }
}

struct Section {
    name: u32,
    kind: u32,
    flags: u32,
    offset: u32,
    size: u32,
    link: u32,
}

fn sections(bytes: &[u8]) -> Result<Vec<Section>> {
    let (start, step) = (word(bytes, 0x20)?, half(bytes, 0x2E)?);
    let mut found = Vec::new();
    for index in 0..half(bytes, 0x30)? {
        let at = start as usize + usize::from(step) * usize::from(index);
        found.push(Section {
            name: word(bytes, at)?,
            kind: word(bytes, at + 4)?,
            flags: word(bytes, at + 8)?,
            offset: word(bytes, at + 16)?,
            size: word(bytes, at + 20)?,
            link: word(bytes, at + 24)?,
        });
    }
    Ok(found)
}

fn defined(bytes: &[u8], symbols: &Section, strings: &Section) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for at in (symbols.offset..symbols.offset.saturating_add(symbols.size)).step_by(16) {
        let at = at as usize;
        // In section 0 is what is not defined.
        if half(bytes, at + 14)? != 0 {
            found.push(text(bytes, strings, word(bytes, at)?)?);
        }
    }
    Ok(found)
}

/// A text up to its final zero, in a section of texts.
fn text(bytes: &[u8], strings: &Section, at: u32) -> Result<String> {
    let start = strings.offset as usize + at as usize;
    let rest = bytes.get(start..).context("a name behind the end")?;
    let end = rest
        .iter()
        .position(|byte| *byte == 0)
        .context("a name without an end")?;
    Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
}

fn half(bytes: &[u8], at: usize) -> Result<u16> {
    let pair = bytes.get(at..).and_then(<[u8]>::first_chunk);
    pair.map(|pair| u16::from_le_bytes(*pair))
        .context("the file is cut short")
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk);
    four.map(|four| u32::from_le_bytes(*four))
        .context("the file is cut short")
}

#[cfg(test)]
mod tests {
    use super::{ALLOC, Image, NO_BITS, SYMBOLS, WRITE};

    const PROGRAM: u32 = 1;

    /// A file with these sections: name in the texts, kind, flags, size.
    fn file(sections: &[(u32, u32, u32, u32)]) -> Vec<u8> {
        let texts = b"\0.text\0.ARM.exidx\0main\0other\0";
        // Two symbols: the first is defined.
        let symbols = [[18_u32, 0, 0, 1 << 16], [23, 0, 0, 0]].concat();
        let count = sections.len() + 2;
        let texts_at = 52 + 40 * count;
        let mut bytes = vec![0; 52];
        bytes[..6].copy_from_slice(b"\x7FELF\x01\x01");
        bytes[0x20..0x24].copy_from_slice(&52_u32.to_le_bytes());
        bytes[0x2E..0x30].copy_from_slice(&40_u16.to_le_bytes());
        bytes[0x30..0x32].copy_from_slice(&(count as u16).to_le_bytes());
        let mut add = |(name, kind, flags, size): (u32, u32, u32, u32), offset: usize| {
            for word in [name, kind, flags, 0, offset as u32, size, 0, 0, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
        };
        add((0, 3, 0, texts.len() as u32), texts_at);
        add((0, SYMBOLS, 0, 32), texts_at + texts.len());
        for section in sections {
            add(*section, 0);
        }
        bytes.extend(texts);
        bytes.extend(symbols.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    #[test]
    fn sections_are_added_up_where_they_lie() {
        let image = Image::parse(&file(&[
            (1, PROGRAM, ALLOC, 100),
            (0, PROGRAM, ALLOC | WRITE, 20),
            (0, NO_BITS, ALLOC | WRITE, 3),
            (0, PROGRAM, 0, 1_000),
            (7, PROGRAM, ALLOC, 5_000),
        ]));
        let image = image.unwrap();
        assert_eq!((image.flash_bytes, image.ram_bytes), (120, 23));
        assert!(image.defines("main") && !image.defines("other"));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let whole = file(&[(1, PROGRAM, ALLOC, 100)]);
        assert!(Image::parse(&whole).is_ok());
        for len in 0..whole.len() - 32 {
            assert!(Image::parse(&whole[..len]).is_err(), "{len} bytes");
        }
    }
}
