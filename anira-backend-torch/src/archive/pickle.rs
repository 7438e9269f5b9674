//! The pickles of a TorchScript file: read as LibTorch reads them, to see that every tensor lies within its storage.
//!
//! LibTorch believes a file that says where in a storage a tensor lies, and how large the storage is. This reader checks
//! both before LibTorch gets the file, and bounds how deep values nest, since LibTorch frees them recursively.

use std::cell::Cell;
use std::rc::Rc;

use anira_traits::Result;

use super::zip::broken;

/// Containers within containers.
const MAX_DEPTH: u32 = 100;
/// Values on the stack, and values remembered.
const MAX_VALUES: usize = 1 << 20;

#[derive(Clone, Debug)]
enum Value {
    Int(i64),
    Text(Rc<str>),
    Tuple(Rc<[Value]>, u32),
    /// A list, a dictionary, an object: how deep, and whether it lies in another.
    Node(Rc<Node>),
    /// A storage of this many elements.
    Storage(u64),
    Name(Rc<str>),
    Mark,
    Other,
}

#[derive(Debug, Default)]
struct Node {
    depth: Cell<u32>,
    placed: Cell<bool>,
}

/// What a pickle shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The first class named: that of the whole, in a module's pickle.
    pub(crate) class: Option<String>,
    pub(crate) tensors: usize,
}

/// Reads a pickle; `record` gives the length in bytes of a storage's entry.
///
/// # Errors
/// [`ErrorKind::Model`](anira_traits::ErrorKind::Model) for what LibTorch does not write, and for tensors that do not lie
/// within their storage.
pub(crate) fn check(name: &str, bytes: &[u8], record: impl Fn(&str) -> Option<usize>) -> Result<Shown> {
    let shown = Shown { class: None, tensors: 0 };
    let mut reader = Reader { bytes, at: 0, stack: Vec::new(), memo: Vec::new(), record, shown };
    match reader.run() {
        Some(Ok(())) => Ok(reader.shown),
        Some(Err(text)) => Err(broken(format!("`{name}`: {text}"))),
        None => Err(broken(format!("`{name}` is damaged at byte {}", reader.at))),
    }
}

struct Reader<'a, F> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: Vec<Option<Value>>,
    record: F,
    shown: Shown,
}

impl<F: Fn(&str) -> Option<usize>> Reader<'_, F> {
    /// `None` where the bytes make no sense.
    fn run(&mut self) -> Option<Result<(), String>> {
        loop {
            if self.stack.len() > MAX_VALUES {
                return Some(Err(format!("more than {MAX_VALUES} values")));
            }
            match self.take(1)?[0] {
                0x80 => drop(self.take(1)?),
                b'.' => return (self.stack.len() == 1).then_some(Ok(())),
                b'(' => self.stack.push(Value::Mark),
                b'N' | 0x88 | 0x89 => self.stack.push(Value::Other),
                b'K' => self.int(1)?,
                b'M' => self.int(2)?,
                b'J' => {
                    let n = i32::from_le_bytes(self.take(4)?.try_into().ok()?);
                    self.stack.push(Value::Int(n.into()));
                }
                0x8a => {
                    let len = usize::from(self.take(1)?[0]);
                    let bytes = self.take(len)?;
                    let mut wide = [if bytes.last().is_some_and(|b| *b > 127) { 255 } else { 0 }; 8];
                    wide.get_mut(..len)?.copy_from_slice(bytes);
                    self.stack.push(Value::Int(i64::from_le_bytes(wide)));
                }
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Other);
                }
                b'X' => {
                    let len = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
                    let text = std::str::from_utf8(self.take(len as usize)?).ok()?.into();
                    self.stack.push(Value::Text(text));
                }
                b'c' => {
                    let (module, class) = (self.line()?, self.line()?);
                    let name = format!("{module}.{class}");
                    self.shown.class.get_or_insert_with(|| name.clone());
                    self.stack.push(Value::Name(name.into()));
                }
                b'}' | b']' => self.stack.push(Value::Node(Rc::default())),
                b')' => self.stack.push(Value::Tuple(Rc::new([]), 0)),
                b't' => {
                    let items = self.marked()?;
                    self.tuple(items)?;
                }
                count @ 0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(count) - 0x84)?;
                    let items = self.stack.split_off(from);
                    self.tuple(items)?;
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.put(vec![item])?;
                }
                b's' => {
                    let from = self.stack.len().checked_sub(2)?;
                    let items = self.stack.split_off(from);
                    self.put(items)?;
                }
                b'e' | b'u' => {
                    let items = self.marked()?;
                    self.put(items)?;
                }
                0x81 | b'b' => {
                    let state = self.stack.pop()?;
                    let object = self.stack.pop()?;
                    let depth = depth(&state)?.max(depth(&object)?);
                    self.node(depth)?;
                }
                b'R' => match self.call()? {
                    Ok(()) => {}
                    Err(text) => return Some(Err(text)),
                },
                b'Q' => match self.storage()? {
                    Ok(()) => {}
                    Err(text) => return Some(Err(text)),
                },
                b'q' => {
                    let index = usize::from(self.take(1)?[0]);
                    self.remember(index)?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
                    self.remember(index as usize)?;
                }
                b'h' => {
                    let index = usize::from(self.take(1)?[0]);
                    self.recall(index)?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
                    self.recall(index as usize)?;
                }
                _ => return None,
            }
        }
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let part = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(part)
    }

    fn int(&mut self, len: usize) -> Option<()> {
        let n = self.take(len)?.iter().rev().fold(0, |n, b| n << 8 | i64::from(*b));
        self.stack.push(Value::Int(n));
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        let len = self.bytes.get(self.at..)?.iter().position(|b| *b == b'\n')?;
        let line = std::str::from_utf8(self.take(len)?).ok()?.to_owned();
        self.take(1)?;
        Some(line)
    }

    /// What lies above the newest mark, which is taken away.
    fn marked(&mut self) -> Option<Vec<Value>> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(items)
    }

    fn tuple(&mut self, items: Vec<Value>) -> Option<()> {
        let inner = place(&items)?;
        let depth = below(inner)?;
        self.stack.push(Value::Tuple(items.into(), depth));
        Some(())
    }

    fn node(&mut self, inner: u32) -> Option<()> {
        let node = Node { depth: Cell::new(below(inner)?), placed: Cell::new(false) };
        self.stack.push(Value::Node(Rc::new(node)));
        Some(())
    }

    /// Puts items into the container on top. One that lies in another already would make that one deeper, unseen.
    fn put(&mut self, items: Vec<Value>) -> Option<()> {
        let inner = place(&items)?;
        let Some(Value::Node(node)) = self.stack.last() else { return None };
        if node.placed.get() {
            return None;
        }
        node.depth.set(node.depth.get().max(below(inner)?));
        Some(())
    }

    fn remember(&mut self, index: usize) -> Option<()> {
        if index > MAX_VALUES {
            return None;
        }
        if self.memo.len() <= index {
            self.memo.resize(index + 1, None);
        }
        *self.memo.get_mut(index)? = Some(self.stack.last()?.clone());
        Some(())
    }

    fn recall(&mut self, index: usize) -> Option<()> {
        let value = self.memo.get(index)?.clone()?;
        self.stack.push(value);
        Some(())
    }

    /// `('storage', class, entry, device, elements)` on top becomes a storage.
    fn storage(&mut self) -> Option<Result<(), String>> {
        let Value::Tuple(items, _) = self.stack.pop()? else { return None };
        let [Value::Text(_), Value::Name(class), Value::Text(entry), Value::Text(_), Value::Int(elements)] =
            &items[..]
        else {
            return None;
        };
        let Some(size) = element_size(class) else {
            return Some(Err(format!("a tensor's elements are of the type {class}, which is unknown")));
        };
        let bytes = (self.record)(entry).unwrap_or(0) as u64;
        let fits =
            u64::try_from(*elements).ok().and_then(|n| n.checked_mul(size)).is_some_and(|n| n <= bytes);
        if !fits {
            return Some(Err(format!(
                "storage `{entry}` has {bytes} bytes, the file says {elements} elements"
            )));
        }
        self.stack.push(Value::Storage(*elements as u64));
        Some(Ok(()))
    }

    /// A call of a function: those that make tensors are looked at.
    fn call(&mut self) -> Option<Result<(), String>> {
        let Value::Tuple(items, deep) = self.stack.pop()? else { return None };
        let Value::Name(name) = self.stack.pop()? else { return None };
        if !name.starts_with("torch._utils._rebuild") {
            // `restore_type_tag`, `build_tensorlist`, `OrderedDict`, an object's own.
            self.node(deep)?;
            return Some(Ok(()));
        }
        let (
            Some(Value::Storage(room)),
            Some(Value::Int(offset)),
            Some(Value::Tuple(sizes, _)),
            Some(Value::Tuple(strides, _)),
        ) = (items.first(), items.get(1), items.get(2), items.get(3))
        else {
            return Some(Err(format!("a tensor is made by {name} in an unknown way")));
        };
        self.shown.tensors += 1;
        if !lies_within(*room, *offset, &numbers(sizes)?, &numbers(strides)?) {
            return Some(Err("a tensor does not lie within its storage".to_owned()));
        }
        self.stack.push(Value::Other);
        Some(Ok(()))
    }
}

fn numbers(items: &[Value]) -> Option<Vec<u64>> {
    let number = |value: &Value| match value {
        Value::Int(n) => u64::try_from(*n).ok(),
        _ => None,
    };
    items.iter().map(number).collect()
}

/// Whether the last element lies in a storage of `room` elements. Zero steps may not make elements out of nothing.
fn lies_within(room: u64, offset: i64, sizes: &[u64], strides: &[u64]) -> bool {
    let Ok(offset) = u64::try_from(offset) else { return false };
    if sizes.len() != strides.len() || sizes.len() > 32 {
        return false;
    }
    if sizes.contains(&0) {
        return offset <= room;
    }
    let reach = |last: u64, (size, stride): (&u64, &u64)| (size - 1).checked_mul(*stride)?.checked_add(last);
    let last = sizes.iter().zip(strides).try_fold(offset, reach);
    let elements = sizes.iter().try_fold(1u64, |n, d| n.checked_mul(*d));
    last.is_some_and(|n| n < room) && elements.is_some_and(|n| n <= super::code::MAX_ELEMENTS as u64)
}

/// Bytes per element of a storage's class, as LibTorch names it.
fn element_size(class: &str) -> Option<u64> {
    Some(match class.strip_prefix("torch.")?.strip_suffix("Storage")? {
        "Double" | "Long" | "ComplexFloat" => 8,
        "Float" | "Int" | "QInt32" => 4,
        "Half" | "BFloat16" | "Short" => 2,
        "Byte" | "Char" | "Bool" | "QInt8" | "QUInt8" => 1,
        "ComplexDouble" => 16,
        _ => return None,
    })
}

fn depth(value: &Value) -> Option<u32> {
    match value {
        Value::Tuple(_, depth) => Some(*depth),
        Value::Node(node) => Some(node.depth.get()),
        Value::Mark => None,
        _ => Some(0),
    }
}

/// How deep the deepest of these is; from now on they lie in something.
fn place(items: &[Value]) -> Option<u32> {
    let mut deepest = 0;
    for item in items {
        deepest = deepest.max(depth(item)?);
        if let Value::Node(node) = item {
            node.placed.set(true);
        }
    }
    Some(deepest)
}

fn below(inner: u32) -> Option<u32> {
    (inner < MAX_DEPTH).then_some(inner + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_has_to_lie_within_its_storage() {
        assert!(lies_within(16, 0, &[16, 1], &[1, 1]));
        assert!(lies_within(16, 12, &[2, 2], &[2, 1]));
        assert!(!lies_within(16, 13, &[2, 2], &[2, 1]));
        assert!(!lies_within(16, -1, &[1], &[1]));
        assert!(!lies_within(16, 0, &[17], &[1]));
        assert!(!lies_within(16, 0, &[u64::MAX, u64::MAX], &[u64::MAX, 1]));
        assert!(!lies_within(16, 0, &[1 << 40], &[0]), "a step of zero makes no elements");
        assert!(!lies_within(16, 0, &[4], &[]));
        assert!(lies_within(0, 0, &[0, 4], &[4, 1]));
        assert!(lies_within(1, 0, &[], &[]));
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let none = |_: &str| None;
        let nested = |n: usize| [&b"\x80\x02)"[..], &vec![0x85; n], b"."].concat();
        assert!(check("p", &nested(99), none).is_ok());
        assert!(check("p", &nested(101), none).is_err());
        // A list that holds itself, and one that grows inside another.
        assert!(check("p", b"\x80\x02]q\x00h\x00a.", none).is_err());
        assert!(check("p", b"\x80\x02]]q\x00ah\x00]a.", none).is_err());
        let lists = |n: usize| [&b"\x80\x02"[..], &vec![b']'; n], &vec![b'a'; n - 1], b"."].concat();
        assert!(check("p", &lists(99), none).is_ok());
        assert!(check("p", &lists(150), none).is_err());
    }

    #[test]
    fn random_bytes_are_refused_and_never_panic() {
        let mut state = 5u64;
        for len in 0..2_000 {
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            };
            let bytes: Vec<u8> = b"\x80\x02".iter().copied().chain((0..len % 60).map(|_| next())).collect();
            let _ = check("p", &bytes, |_| Some(4));
        }
    }
}
