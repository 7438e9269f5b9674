//! TorchScript files for the reader that stands before LibTorch.

use anira_traits::ErrorKind;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;

use crate::archive::{Archive, BRING_BACK, Method, TELL};

/// Bytes that an entry made here has at most.
const LONGEST: usize = 1 << 20;

/// The names that a number stands for. Others are in the input.
const NAMES: [&str; 8] = [
    "data.pkl",
    "constants.pkl",
    "code/__torch__.py",
    "code/__torch__/inner.py",
    "data/0",
    "data/1",
    "constants/0",
    "extra/anira.json",
];

/// Reads `data` as a file if it begins as an archive does, else an archive made from it, and checks what the reader promises.
///
/// # Panics
/// If a promise is broken.
pub fn check(data: &[u8]) {
    let file = file(data);
    match Archive::read(&file) {
        Ok(archive) => accepted(&archive),
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Model | ErrorKind::Unsupported), "{kind}: {error}");
            assert!(!error.message().is_empty(), "no message: {error:?}");
        }
    }
}

/// The file that `data` is, or that is made from it.
pub(crate) fn file(data: &[u8]) -> Vec<u8> {
    if data.starts_with(b"PK") { data.to_vec() } else { pack(&entries(data)) }
}

fn accepted(archive: &Archive) {
    assert!(!archive.methods.is_empty());
    let again = Archive::read(&archive.bytes).expect("what LibTorch gets can be read again");
    assert_eq!((&again.methods, &again.effects), (&archive.methods, &archive.effects));
    assert_eq!(again.bytes, archive.bytes, "what LibTorch gets is written the same again");
    assert_eq!(again.restorable, archive.restorable);
    let Some(restorable) = &archive.restorable else { return };
    let with = Archive::read(restorable).expect("with two methods more it can be read again");
    let (ours, theirs): (Vec<&Method>, Vec<_>) =
        with.methods.iter().partition(|method| [TELL, BRING_BACK].contains(&method.name.as_str()));
    assert_eq!(ours.len(), 2, "{:?}", with.methods);
    assert!(theirs.into_iter().eq(&archive.methods), "{:?} {:?}", with.methods, archive.methods);
}

/// One entry of an archive.
struct Entry<'a> {
    name: String,
    packed: bool,
    data: Vec<u8>,
    /// What is not as it should be.
    fault: Option<&'a u8>,
}

/// Entries in a row: a byte for the name and whether it is packed, two for the length, the contents. A name of 15 has
/// its text in the contents, up to a line feed. A name of 14 is none: that many last bytes of the entry before are
/// repeated as often as the length says.
fn entries(data: &[u8]) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut rest = data;
    while let [head, low, high, more @ ..] = rest {
        let (number, length) = (usize::from(head & 15), usize::from(u16::from_le_bytes([*low, *high])));
        if number == 14 {
            if let Some(Entry { data, .. }) = entries.last_mut() {
                let tail = data[data.len().saturating_sub(1 << (head >> 4))..].to_vec();
                let times = length.min(LONGEST.saturating_sub(data.len()) / tail.len().max(1));
                data.extend(tail.repeat(times));
            }
            rest = more;
            continue;
        }
        let (data, more) = more.split_at(length.min(more.len()));
        let (name, data) = match NAMES.get(number) {
            Some(name) => ((*name).to_owned(), data),
            None => {
                let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
                let name = String::from_utf8_lossy(&data[..end]).into_owned();
                (name, data.get(end + 1..).unwrap_or_default())
            }
        };
        let fault = (head >> 5 == 7).then_some(low);
        entries.push(Entry { name, packed: head & 16 != 0, data: data.to_vec(), fault });
        rest = more;
    }
    entries
}

/// An archive of these entries in one folder.
fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = format!("model/{}", entry.name);
        let packed = if entry.packed { compress_to_vec(&entry.data, 1) } else { entry.data.clone() };
        let mut head = Vec::with_capacity(26);
        let method = if entry.packed { 8u16 } else { 0 };
        [20u16, 0, method, 0, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
        let sizes = [crc32(&entry.data), packed.len() as u32, entry.data.len() as u32];
        sizes.iter().for_each(|n| head.extend(n.to_le_bytes()));
        [name.len() as u16, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
        if let Some(fault) = entry.fault {
            let at = usize::from(*fault) % head.len();
            head[at] = head[at].wrapping_add(1 + (fault >> 5));
        }
        let place = out.len() as u32;
        out.extend(b"PK\x03\x04");
        out.extend(&head);
        out.extend(name.as_bytes());
        out.extend(packed);
        list.extend(b"PK\x01\x02");
        list.extend(20u16.to_le_bytes());
        list.extend(&head);
        list.extend([0; 10]);
        list.extend(place.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let (start, count) = (out.len() as u32, entries.len() as u16);
    out.extend(&list);
    out.extend(b"PK\x05\x06");
    [0, 0, count, count].iter().for_each(|n| out.extend(n.to_le_bytes()));
    [list.len() as u32, start].iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend([0; 2]);
    out
}

/// The entries of an archive as [`entries`] reads them; of entries in the middle of an archive that is damaged, none.
pub(crate) fn unpacked(archive: &[u8]) -> Vec<u8> {
    let number = |at: usize, len: usize| -> usize {
        let bytes = archive.get(at..at + len).unwrap_or_default();
        bytes.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))
    };
    let mut out = Vec::new();
    let lines = archive.windows(4).enumerate().filter(|(_, mark)| *mark == b"PK\x01\x02").map(|(at, _)| at);
    for line in lines {
        let (packed, method, place) = (number(line + 20, 4), number(line + 10, 2), number(line + 42, 4));
        let name = archive.get(line + 46..line + 46 + number(line + 28, 2)).unwrap_or_default();
        let start = place + 30 + number(place + 26, 2) + number(place + 28, 2);
        let data = archive.get(start..start + packed).unwrap_or_default();
        let data = if method == 8 { decompress_to_vec(data).unwrap_or_default() } else { data.to_vec() };
        let name = String::from_utf8_lossy(name);
        let name = name.split_once('/').map_or("", |(_, name)| name);
        if name.ends_with(".debug_pkl") || data.len() > 1 << 13 {
            continue;
        }
        let (number, data) = match NAMES.iter().position(|known| *known == name) {
            Some(number) => (number, data),
            None => (15, [name.as_bytes(), b"\n", &data].concat()),
        };
        let head = number as u8 | if method == 8 { 16 } else { 0 };
        out.push(head);
        out.extend((data.len() as u16).to_le_bytes());
        out.extend(data);
    }
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
