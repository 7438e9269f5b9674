//! What a run may do to a module and to its inputs, as the code shows.
//!
//! The answer errs on the side of caution: state is suspected where there may be none (the session then runs on one
//! engine), not the other way round. Two things are not seen: a parameter that a function changes for its caller, and
//! random numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::code::split;

/// Operators whose result shares memory with what they are given.
const VIEWS: &[&str] = &[
    "alias",
    "annotate",
    "as_strided",
    "chunk",
    "contiguous",
    "data",
    "detach",
    "diagonal",
    "double",
    "expand",
    "expand_as",
    "flatten",
    "float",
    "movedim",
    "narrow",
    "permute",
    "ravel",
    "reshape",
    "select",
    "slice",
    "split",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "to",
    "transpose",
    "type_as",
    "unbind",
    "unchecked_cast",
    "unflatten",
    "unfold",
    "unsqueeze",
    "view",
    "view_as",
];

/// Operators that change a list or a dictionary.
const LISTS: &[&str] = &["append", "extend", "insert", "pop", "clear", "remove", "_set_item", "Delete"];

/// Characters of a statement that is looked into; a longer one is taken to change everything.
const MAX_STATEMENT: usize = 20_000;
/// Characters of arguments that are looked into in all of a file; beyond, everything is taken to change.
const MAX_LOOKED: usize = 1 << 23;
/// Views of views.
const MAX_VIEWS: usize = 16;

/// What all code of a file may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// The module may be another after a run.
    pub(crate) writes: bool,
    /// Something is changed in place: an input's elements may be among it.
    pub(crate) in_place: bool,
    /// Work is handed to other threads.
    pub(crate) forks: bool,
    /// Attributes that get a new value, by name.
    pub(crate) assigned: BTreeSet<String>,
    /// Attributes that are changed in place, by name.
    pub(crate) changed: BTreeSet<String>,
    /// A function changes in place what it is given.
    argument: bool,
    /// A module has tensors that are not parameters.
    buffers: bool,
    /// Characters that were looked into.
    looked: usize,
}

/// Names of a function's values that are an attribute or a view of one, and which.
type Held<'a> = BTreeMap<&'a str, &'a str>;

impl Effects {
    /// Adds what one file of code shows.
    pub(crate) fn see(&mut self, text: &str) {
        let (mut parameters, mut held) = (Vec::new(), Held::new());
        for line in text.lines() {
            let code = line.trim();
            if code.starts_with("def ") || line.starts_with("class ") {
                held.clear();
            }
            if let Some(list) = code.strip_prefix("__parameters__ = ") {
                parameters =
                    split(list.trim_matches(['[', ']'])).into_iter().map(|p| p.trim_matches('"')).collect();
            } else if let Some((name, kind)) = code.split_once(" : ") {
                let tensor = matches!(kind, "Tensor" | "Optional[Tensor]");
                self.buffers |= tensor && line.starts_with("  ") && !parameters.contains(&name);
            } else if !code.starts_with("__annotations__") {
                self.statement(code, &mut held);
            }
        }
        self.writes |= self.argument && self.buffers;
    }

    fn statement<'a>(&mut self, code: &'a str, held: &mut Held<'a>) {
        self.forks |= code.contains("fork(") || code.contains("awaitable(");
        let long = code.len() > MAX_STATEMENT || self.looked > MAX_LOOKED;
        if long && code.contains(['_', '.']) && code.contains('(') {
            (self.writes, self.in_place, self.argument) = (true, true, true);
            return;
        }
        if let Some((target, value)) = code.split_once(" = ") {
            if let Some((_, name)) = target.rsplit_once('.').filter(|(_, name)| is_name(name)) {
                self.writes = true;
                self.assigned.insert(name.to_owned());
            }
            let names = || target.split(',').map(str::trim).filter(|name| !name.is_empty());
            if names().all(is_name)
                && let Some(attribute) = origin(value, held, 0)
            {
                held.extend(names().map(|name| (name, attribute)));
            }
        }
        for (at, name) in calls(code) {
            let changes = name.ends_with('_') && !name.ends_with("__");
            if !changes && !LISTS.contains(&name) {
                continue;
            }
            self.in_place |= changes;
            self.argument |= changes;
            let arguments = inside(&code[at..]);
            self.looked = self.looked.saturating_add(arguments.len());
            let first = split(arguments).first().copied().unwrap_or("");
            if let Some(attribute) = origin(first, held, 0) {
                self.writes = true;
                self.changed.insert(attribute.to_owned());
            }
        }
        if code.contains(" out=") {
            self.in_place = true;
            self.argument = true;
        }
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The attribute that a value is, or is a part or a view of.
fn origin<'a>(value: &'a str, held: &Held<'a>, depth: usize) -> Option<&'a str> {
    let value = value.trim();
    if depth > MAX_VIEWS {
        return Some(value);
    }
    if value.starts_with('(') && !value.starts_with("(self)") {
        let whole = inside(value);
        let rest = &value[(whole.len() + 2).min(value.len())..];
        // `(a)[0]` and `(a).b` are parts of it, `(a).b(…)` is what a call gives.
        return if rest.contains('(') { None } else { origin(whole, held, depth + 1) };
    }
    if !value.contains('(') {
        let bare = value.split('[').next().unwrap_or("");
        return match bare.rsplit_once('.') {
            None => held.get(bare).copied(),
            Some(("self", name)) => Some(name),
            Some((object, name)) => held.contains_key(object.split('.').next().unwrap_or("")).then_some(name),
        };
    }
    if value.starts_with("getattr(") {
        return split(inside(&value["getattr".len()..])).get(1).map(|name| name.trim_matches('"'));
    }
    let (at, name) = calls(value).first().copied()?;
    if !VIEWS.contains(&name) {
        return None;
    }
    split(inside(&value[at..])).into_iter().find_map(|argument| origin(argument, held, depth + 1))
}

/// The calls in a line: where the bracket opens, and the last part of the name before it.
fn calls(code: &str) -> Vec<(usize, &str)> {
    let open = code.match_indices('(').filter_map(|(at, _)| {
        let before = &code[..at];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        // The character before the name may have any length, the name's own start is a boundary.
        let name = before.get(start..).unwrap_or("");
        (!name.is_empty()).then_some((at, name))
    });
    open.collect()
}

/// What stands in the bracket that opens at the start.
fn inside(text: &str) -> &str {
    let mut depth = 0i32;
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..i).unwrap_or("");
        }
    }
    text.get(1..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(body: &str) -> Effects {
        let mut effects = Effects::default();
        effects.see(body);
        effects
    }

    #[test]
    fn writing_to_an_attribute_is_state() {
        assert!(effects("    self.last = x").writes);
        assert!(effects("    _0 = self.inner\n    _0.last = x").writes);
        assert!(effects("    count = self.count\n    _0 = torch.add_(count, 1.)").writes);
        assert!(
            effects("    b = self.b\n    c = torch.slice(b, 0, 1, 2)\n    _0 = torch.copy_(c, x)").writes
        );
        assert!(effects("    b = self.b\n    _0 = torch.copy_(torch.select(b, 0, 1), x)").writes);
        assert!(effects("    past = self.past\n    _0 = torch.append(past, x)").writes);
    }

    #[test]
    fn reading_attributes_and_working_on_copies_is_no_state() {
        for code in [
            "    w = self.w\n    y = torch.conv1d(x, w)\n    z = torch.relu_(y)",
            "    _0 = (self).forward(x, )\n    _1 = torch.add_(_0, 1)",
            "    a = annotate(List[Tensor], [])\n    _0 = torch.append(a, x)",
            "  __annotations__[\"0\"] = __torch__.torch.nn.Conv1d",
            "  stride : Final[Tuple[int]] = (1,)",
        ] {
            assert!(!effects(code).writes, "{code}");
        }
        assert!(effects("    z = torch.relu_(y)").in_place);
        assert!(!effects("    z = torch.relu(y)").in_place);
    }

    #[test]
    fn a_function_that_changes_its_argument_is_state_where_there_are_buffers() {
        let function = "def relu(x: Tensor) -> Tensor:\n  y = torch.relu_(x)\n";
        assert!(!effects(function).writes);
        let class = "class A(Module):\n  __parameters__ = [\"w\", ]\n  w : Tensor\n";
        assert!(!effects(&format!("{class}{function}")).writes);
        assert!(effects(&format!("{class}  past : Tensor\n{function}")).writes);
    }

    #[test]
    fn what_is_written_to_is_known_by_name() {
        let code = "    self.last = x\n    a = self.inner\n    b = a.past\n    c = torch.select(b, 0, 1)\n    _0 = torch.copy_(c, x)";
        let seen = effects(code);
        assert_eq!(seen.assigned.into_iter().collect::<Vec<_>>(), ["last"]);
        assert_eq!(seen.changed.into_iter().collect::<Vec<_>>(), ["past"]);
    }

    #[test]
    fn what_would_take_long_to_look_into_is_taken_to_change_everything() {
        let nested = format!("    y = {}x{}\n", "relu_(".repeat(150), ")".repeat(150));
        assert!(!effects(&nested).writes);
        // Minutes, if all of it were looked into.
        let seen = effects(&nested.repeat(3_000));
        assert!(seen.writes && seen.in_place);
    }

    #[test]
    fn letters_of_any_length_are_no_trouble() {
        effects("    ä = ß.ö(ü(é_(");
        effects("€(€_(x, €)");
        effects("    €.x = (");
    }
}
