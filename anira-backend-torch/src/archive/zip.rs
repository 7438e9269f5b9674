//! The container of a TorchScript file: a ZIP archive, read with bounds and written anew.
//!
//! LibTorch never sees the bytes that came from outside. It gets an archive that is made from the entries found here, so
//! that its reader and this one cannot differ about what a file holds.

use std::collections::BTreeMap;

use anira_traits::{Error, ErrorKind, Result};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Entries that an archive may have.
const MAX_ENTRIES: usize = 10_000;
/// Bytes that all compressed entries together may grow to. (LibTorch compresses code, not weights.)
const MAX_INFLATED: usize = 16 << 20;
/// Bytes of an entry's name.
const MAX_NAME: usize = 1_000;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// The folder that all entries lie in, in an archive that is written here.
const FOLDER: &str = "model";

/// The entries by name, without the folder that all of them lie in.
#[derive(Debug)]
pub(crate) struct Zip {
    entries: BTreeMap<String, Vec<u8>>,
}

pub(crate) fn broken(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Model, format!("not a TorchScript file: {}", text.into()))
}

impl Zip {
    /// Reads all entries and compares each with its checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for anything that is not whole, plain and of sane size.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(broken("it is empty"));
        }
        let end = find_end(bytes)?;
        let count = usize::from(u16_at(bytes, end + 10)?);
        let size = u32_at(bytes, end + 12)? as usize;
        let start = u32_at(bytes, end + 16)? as usize;
        if u16_at(bytes, end + 4)? != 0 || start.checked_add(size).is_none_or(|n| n > end) {
            return Err(broken("its list of entries lies outside (or it is larger than 4 GiB)"));
        }
        if count > MAX_ENTRIES {
            return Err(broken(format!("it has {count} entries; at most {MAX_ENTRIES}")));
        }
        let (mut at, mut held, mut inflated, mut folder) = (start, 0usize, 0usize, None::<String>);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let entry = Entry::read(bytes, at)?;
            at = entry.next;
            let Some((own, name)) = entry.name.split_once('/') else {
                return Err(broken(format!("its entry `{}` lies in no folder", entry.name)));
            };
            if folder.get_or_insert_with(|| own.to_owned()) != own {
                return Err(broken(format!("its entry `{}` lies in another folder", entry.name)));
            }
            // Entries may not share bytes: work would grow with the square of the file, also where nothing comes of it.
            held = held.saturating_add(if entry.compressed {
                entry.packed
            } else {
                entry.size.max(entry.packed)
            });
            inflated = inflated.saturating_add(if entry.compressed { entry.size } else { 0 });
            if held > bytes.len() || inflated > MAX_INFLATED {
                return Err(broken(format!("its entries would grow to {} bytes", held.max(inflated))));
            }
            let data = entry.data(bytes)?;
            if !name.ends_with('/') && entries.insert(name.to_owned(), data).is_some() {
                return Err(broken(format!("its entry `{name}` is there twice")));
            }
        }
        Ok(Self { entries })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.entries.get(name).map(Vec::as_slice)
    }

    /// The text of an entry.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if it is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| broken(format!("`{name}` is not text")));
        self.get(name).map(text).transpose()
    }

    /// The names of all entries that begin and end so.
    pub(crate) fn names<'a>(&'a self, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries.keys().map(String::as_str).filter(move |n| n.starts_with(start) && n.ends_with(end))
    }

    /// Replaces an entry.
    pub(crate) fn set(&mut self, name: &str, data: Vec<u8>) {
        self.entries.insert(name.to_owned(), data);
    }

    /// A plain archive of these entries, nothing compressed, without what `keep` refuses.
    pub(crate) fn write(&self, keep: impl Fn(&str) -> bool) -> Vec<u8> {
        let kept = || self.entries.iter().filter(|(name, _)| keep(name));
        let room = kept().map(|(name, data)| data.len() + 2 * name.len() + 128).sum();
        let (mut out, mut list, mut count) = (Vec::with_capacity(room), Vec::new(), 0u16);
        for (name, data) in kept() {
            let name = format!("{FOLDER}/{name}");
            let place = out.len() as u32;
            // Version, flags, method, time, date; checksum, both sizes; lengths of name and extra field.
            let mut head = Vec::with_capacity(26);
            [20u16, 0, 0, 0, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
            let size = data.len() as u32;
            [crc32(data), size, size].iter().for_each(|n| head.extend(n.to_le_bytes()));
            [name.len() as u16, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
            out.extend(LOCAL);
            out.extend(&head);
            out.extend(name.as_bytes());
            out.extend(data);
            list.extend(CENTRAL);
            list.extend(20u16.to_le_bytes());
            list.extend(&head);
            // Comment, disk, attributes: nothing.
            list.extend([0; 10]);
            list.extend(place.to_le_bytes());
            list.extend(name.as_bytes());
            count += 1;
        }
        let start = out.len() as u32;
        out.extend(&list);
        out.extend(END);
        [0u16, 0, count, count].iter().for_each(|n| out.extend(n.to_le_bytes()));
        [list.len() as u32, start].iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.extend(0u16.to_le_bytes());
        out
    }
}

/// One line of the archive's list.
struct Entry {
    name: String,
    compressed: bool,
    crc: u32,
    packed: usize,
    size: usize,
    place: usize,
    /// Where the next line starts.
    next: usize,
}

impl Entry {
    fn read(bytes: &[u8], at: usize) -> Result<Self> {
        if slice(bytes, at, 4)? != CENTRAL {
            return Err(broken("its list of entries is damaged"));
        }
        let length = |n: usize| u16_at(bytes, at + n).map(usize::from);
        let name = slice(bytes, at + 46, length(28)?)?;
        let name = std::str::from_utf8(name).map_err(|_| broken("an entry's name is not text"))?;
        if name.len() > MAX_NAME {
            return Err(broken(format!("an entry's name has {} bytes; at most {MAX_NAME}", name.len())));
        }
        let compressed = match u16_at(bytes, at + 10)? {
            0 => false,
            8 => true,
            other => return Err(broken(format!("`{name}` is packed by method {other}; 0 or 8"))),
        };
        if u16_at(bytes, at + 8)? & 1 != 0 {
            return Err(broken(format!("`{name}` is encrypted")));
        }
        Ok(Self {
            name: name.to_owned(),
            compressed,
            crc: u32_at(bytes, at + 16)?,
            packed: u32_at(bytes, at + 20)? as usize,
            size: u32_at(bytes, at + 24)? as usize,
            place: u32_at(bytes, at + 42)? as usize,
            next: at + 46 + length(28)? + length(30)? + length(32)?,
        })
    }

    fn data(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let name = &self.name;
        if slice(bytes, self.place, 4)? != LOCAL {
            return Err(broken(format!("`{name}` does not start where the list says")));
        }
        let skip =
            usize::from(u16_at(bytes, self.place + 26)?) + usize::from(u16_at(bytes, self.place + 28)?);
        let packed = slice(bytes, self.place + 30 + skip, self.packed)?;
        let data = if self.compressed {
            decompress_to_vec_with_limit(packed, self.size)
                .map_err(|_| broken(format!("`{name}` cannot be unpacked")))?
        } else {
            packed.to_vec()
        };
        if data.len() != self.size || crc32(&data) != self.crc {
            let text = format!("`{name}` is damaged: its checksum is not the one in the list");
            return Err(broken(text));
        }
        Ok(data)
    }
}

/// Where the archive's end record starts: the last one, behind which stands nothing but its own comment.
fn find_end(bytes: &[u8]) -> Result<usize> {
    let from = bytes.len().saturating_sub(22 + usize::from(u16::MAX));
    let ends = |at: &usize| {
        bytes[*at..].starts_with(END)
            && u16_at(bytes, at + 20).is_ok_and(|comment| at + 22 + usize::from(comment) == bytes.len())
    };
    (from..bytes.len()).rev().find(ends).ok_or_else(|| {
        broken("no archive ends here; it is cut off, or of another format (torch.jit.save writes one)")
    })
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8]> {
    let part = at.checked_add(len).and_then(|end| bytes.get(at..end));
    part.ok_or_else(|| broken("it is cut off"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    Ok(slice(bytes, at, 2)?.iter().rev().fold(0, |n, b| n << 8 | u16::from(*b)))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    Ok(slice(bytes, at, 4)?.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, b| crc >> 8 ^ CRC_TABLE[usize::from(crc as u8 ^ b)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> Zip {
        Zip { entries: entries.iter().map(|(n, d)| ((*n).to_owned(), d.to_vec())).collect() }
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes =
            zip(&[("code/a.py", b"text"), ("data/0", &[7; 300]), ("junk", b"")]).write(|n| n != "junk");
        let again = Zip::read(&bytes).unwrap();
        assert_eq!(again.get("code/a.py"), Some(&b"text"[..]));
        assert_eq!(again.get("data/0"), Some(&[7; 300][..]));
        assert_eq!(again.get("junk"), None);
        assert_eq!(again.names("code/", ".py").collect::<Vec<_>>(), ["code/a.py"]);
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_the_data_is_noticed() {
        let bytes = zip(&[("data/0", &[7; 30])]).write(|_| true);
        for n in 0..bytes.len() {
            assert!(Zip::read(&bytes[..n]).is_err(), "cut to {n}");
        }
        let first = bytes.iter().position(|b| *b == 7).unwrap();
        for at in first..first + 30 {
            let mut hurt = bytes.clone();
            hurt[at] ^= 1;
            let error = Zip::read(&hurt).unwrap_err();
            assert!(error.to_string().contains("checksum"), "{error}");
        }
    }

    #[test]
    fn many_entries_made_of_the_same_bytes_are_refused() {
        let one = zip(&[("a", &[7; 3000])]).write(|_| true);
        let list = one.windows(4).position(|w| w == CENTRAL).unwrap();
        let end = one.len() - 22;
        let bomb = |count: u8| {
            let mut bytes = one[..list].to_vec();
            for i in 0..count {
                let mut line = one[list..end].to_vec();
                *line.last_mut().unwrap() = b'a' + i;
                bytes.extend(line);
            }
            let mut last = one[end..].to_vec();
            let size = (usize::from(count) * (end - list)) as u32;
            last[8] = count;
            last[10] = count;
            last[12..16].copy_from_slice(&size.to_le_bytes());
            [bytes, last].concat()
        };
        assert!(Zip::read(&bomb(1)).is_ok());
        let error = Zip::read(&bomb(20)).unwrap_err();
        assert!(error.to_string().contains("would grow to"), "{error}");
    }

    #[test]
    fn entries_that_share_packed_bytes_are_refused_though_they_hold_nothing() {
        // Blocks of no bytes, then the end: read for every entry, they would take time and give nothing.
        let mut packed = [0, 0, 0, 0xff, 0xff].repeat(1000);
        packed.extend([1, 0, 0, 0xff, 0xff]);
        let (mut bytes, mut list) = (LOCAL.to_vec(), Vec::new());
        bytes.extend([0; 22]);
        bytes.extend([3, 0, 0, 0]);
        bytes.extend(b"m/a");
        bytes.extend(&packed);
        for i in 0..9 {
            list.extend(CENTRAL);
            list.extend([20, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            list.extend((packed.len() as u32).to_le_bytes());
            list.extend([0; 4]);
            list.extend([3, 0]);
            list.extend([0; 16]);
            list.extend([b'm', b'/', b'a' + i]);
        }
        let start = bytes.len() as u32;
        bytes.extend(&list);
        bytes.extend(END);
        [0u16, 0, 9, 9].iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        [list.len() as u32, start].iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend([0; 2]);
        let error = Zip::read(&bytes).unwrap_err();
        assert!(error.to_string().contains("would grow to"), "{error}");
    }
}
