//! The code of a TorchScript file, as far as it tells what LibTorch's Rust interface does not: the arguments of methods,
//! and whether a run changes what the module holds.
//!
//! LibTorch writes code in one way, line by line: a class, its attributes (`count : Tensor`), its methods, one statement
//! per line. Only this writing is read here. What it says is believed for names and for state, never for memory.

use std::collections::BTreeSet;

use anira_traits::{Error, ErrorKind, Result};

use super::zip::broken;

/// Brackets within brackets: LibTorch's parser calls itself for each.
const MAX_NESTING: usize = 200;
/// Spaces before a statement.
const MAX_INDENT: usize = 400;
/// Elements that a shape written as numbers in the code may have.
pub(crate) const MAX_ELEMENTS: u128 = 1 << 28;

/// An argument of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Whether it may be left out.
    pub(crate) optional: bool,
}

impl Argument {
    pub(crate) fn is_tensor(&self) -> bool {
        matches!(self.kind.as_str(), "Tensor" | "Optional[Tensor]")
    }
}

/// A method without `self`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returns: String,
}

/// The methods of a class, in the file's order.
pub(crate) fn methods(text: &str, class: &str) -> Vec<Method> {
    let mut lines = text.lines().skip_while(|line| !opens_class(line, class));
    lines.next();
    let body: Vec<&str> = lines.take_while(|line| line.starts_with(' ') || line.is_empty()).collect();
    let starts = body.iter().enumerate().filter(|(_, line)| line.starts_with("  def "));
    starts.filter_map(|(i, _)| head(&body[i..])).collect()
}

fn opens_class(line: &str, class: &str) -> bool {
    line.strip_prefix("class ").and_then(|rest| rest.strip_prefix(class)).is_some_and(|r| r.starts_with('('))
}

/// The head of the method that starts on the first of these lines.
fn head(lines: &[&str]) -> Option<Method> {
    let end = lines.iter().position(|line| line.ends_with(':'))?;
    let text = lines[..=end].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let (name, rest) = text.strip_prefix("def ")?.split_once('(')?;
    let (arguments, returns) = match rest.rsplit_once(") -> ") {
        Some((arguments, returns)) => (arguments, returns.trim_end_matches(':')),
        None => (rest.trim_end_matches(':').trim_end_matches(')'), ""),
    };
    let arguments = split(arguments).into_iter().skip(1).map(argument).collect::<Option<Vec<_>>>()?;
    Some(Method { name: name.to_owned(), arguments, returns: returns.to_owned() })
}

fn argument(text: &str) -> Option<Argument> {
    let (name, rest) = text.split_once(": ")?;
    let (kind, default) = rest.split_once('=').map_or((rest, None), |(k, d)| (k, Some(d)));
    Some(Argument { name: name.trim().into(), kind: kind.trim().into(), optional: default.is_some() })
}

/// Parts between commas that stand in no bracket and no text.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0i32, false);
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// What a run may do to the module and to its inputs, over all code of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// A method assigns an attribute, or changes one in place.
    pub(crate) writes: bool,
    /// Something is changed in place: an input's elements may be among it.
    pub(crate) in_place: bool,
    /// A function changes in place what it is given.
    argument: bool,
    /// A module has buffers or other tensors that are not parameters.
    pub(crate) buffers: bool,
    /// Work is handed to other threads.
    pub(crate) forks: bool,
}

impl Effects {
    /// Adds what one file of code shows.
    pub(crate) fn see(&mut self, text: &str) {
        let mut parameters = Vec::new();
        // Names of this function that are an attribute, or a view of one.
        let mut held = BTreeSet::new();
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
            } else {
                self.statement(code, &mut held);
            }
        }
        self.writes |= self.argument && self.buffers;
    }

    fn statement<'a>(&mut self, code: &'a str, held: &mut BTreeSet<&'a str>) {
        self.forks |= code.contains("fork(") || code.contains("__fork") || code.contains("awaitable(");
        let (target, value) = match code.split_once(" = ") {
            Some((target, value))
                if !target.contains(['(', '"'])
                    || target.ends_with(|c: char| c.is_alphanumeric() || c == '_') =>
            {
                (Some(target), value)
            }
            _ => (None, code),
        };
        if let Some(target) = target {
            let attribute = target.rsplit_once('.').is_some_and(|(_, name)| is_name(name));
            self.writes |= attribute && !code.starts_with("__annotations__");
            if target.split(',').all(|t| is_name(t.trim()) || t.trim().is_empty()) && is_view(value, held) {
                held.extend(target.split(',').map(str::trim));
            }
        }
        for (at, name) in calls(code) {
            let first = split(inside(&code[at..])).first().copied().unwrap_or("");
            let changes = name.ends_with('_') && !name.ends_with("__");
            let list = ["append", "extend", "insert", "pop", "clear", "remove", "_set_item", "Delete"];
            if changes || list.contains(&name) {
                self.in_place |= changes;
                self.writes |= is_view(first, held);
                self.argument |= changes;
            }
        }
        if code.contains(" out=") {
            self.in_place = true;
            self.argument = true;
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Whether the value is an attribute, something that holds one, or part of it.
fn is_view(value: &str, held: &BTreeSet<&str>) -> bool {
    const VIEWS: &[&str] = &[
        "slice",
        "select",
        "view",
        "reshape",
        "transpose",
        "unsqueeze",
        "squeeze",
        "narrow",
        "expand",
        "permute",
        "t",
        "detach",
        "contiguous",
        "to",
        "flatten",
        "unflatten",
        "chunk",
        "split",
        "unbind",
        "diagonal",
        "alias",
        "view_as",
        "expand_as",
        "movedim",
        "swapaxes",
        "swapdims",
        "as_strided",
        "unfold",
        "ravel",
        "type_as",
        "float",
        "double",
        "annotate",
        "unchecked_cast",
        "data",
    ];
    let value = value.trim();
    if value.starts_with('(') && !value.starts_with("(self)") {
        let whole = inside(value);
        let rest = &value[(whole.len() + 2).min(value.len())..];
        // `(a)[0]` and `(a).b` are parts of it, `(a).b(…)` is what a call gives.
        return !rest.contains('(') && is_view(whole, held);
    }
    if !value.contains('(') {
        let name = value.split(['[', '.']).next().unwrap_or("");
        return held.contains(name) || name == "self" && value != "self";
    }
    if value.starts_with("getattr(") {
        return true;
    }
    match calls(value).first() {
        Some((at, name)) if VIEWS.contains(name) => {
            split(inside(&value[*at..])).iter().any(|argument| is_view(argument, held))
        }
        _ => false,
    }
}

/// The calls in a line: where the bracket opens, and the last part of the name before it.
fn calls(code: &str) -> Vec<(usize, &str)> {
    let open = code.match_indices('(').filter_map(|(at, _)| {
        let before = &code[..at];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        (start < at).then_some((at, &before[start..]))
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
            return &text[1..i];
        }
    }
    text.get(1..).unwrap_or("")
}

/// Refuses code that would break LibTorch's parser, or that asks for absurd memory in plain numbers.
///
/// # Errors
/// [`ErrorKind::Model`], naming the file.
pub(crate) fn check(name: &str, text: &str) -> Result<()> {
    let (mut depth, mut list) = (0usize, None);
    let (mut unary, mut longest) = (0usize, 0usize);
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => {
                depth += 1;
                list = (c == '[').then_some(i + 1);
            }
            ')' | '}' => depth = depth.saturating_sub(1),
            ']' => {
                depth = depth.saturating_sub(1);
                if let Some(start) = list.take() {
                    check_shape(name, &text[start..i])?;
                }
            }
            _ => {}
        }
        // `not not not …` and `- - - …` nest without brackets.
        unary =
            if c.is_alphanumeric() && c != 'n' && c != 'o' && c != 't' || c == '\n' { 0 } else { unary + 1 };
        longest = longest.max(unary);
        if depth > MAX_NESTING || longest > 4 * MAX_NESTING {
            return Err(broken(format!("`{name}` nests deeper than {MAX_NESTING}")));
        }
    }
    let indent = text.lines().map(|line| line.len() - line.trim_start().len()).max().unwrap_or(0);
    if indent > MAX_INDENT {
        return Err(broken(format!("`{name}` is indented by {indent}; at most {MAX_INDENT}")));
    }
    Ok(())
}

fn check_shape(name: &str, list: &str) -> Result<()> {
    let numbers: Option<Vec<u128>> = list.split(',').map(|n| n.trim().parse().ok()).collect();
    // Ends of slices are written as the largest number of all.
    let Some(numbers) = numbers.filter(|n| n.iter().all(|n| *n < 1 << 62)) else { return Ok(()) };
    if numbers.iter().try_fold(1u128, |n, d| n.checked_mul((*d).max(1))).is_none_or(|n| n > MAX_ELEMENTS) {
        let text = format!("the code asks for the shape [{list}]; at most {MAX_ELEMENTS} elements");
        return Err(Error::new(ErrorKind::Model, text).at(format!("`{name}`")));
    }
    Ok(())
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
    fn heads_of_methods_are_read() {
        let text = "class A(Module):\n  __parameters__ = []\n  def forward(self: __torch__.A,\n    x: Tensor,\n    \
                    h: Optional[Tuple[Tensor, Tensor]]=None) -> Tuple[Tensor, Tensor]:\n    return (x, x)\n  \
                    def size(self: __torch__.A) -> int:\n    return 1\nclass B(Module):\n  def other(self: B) -> int:\n";
        let methods = methods(text, "A");
        assert_eq!(methods.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["forward", "size"]);
        assert_eq!(methods[0].returns, "Tuple[Tensor, Tensor]");
        let names: Vec<_> = methods[0].arguments.iter().map(|a| (a.name.as_str(), a.optional)).collect();
        assert_eq!(names, [("x", false), ("h", true)]);
        assert!(methods[0].arguments[0].is_tensor() && !methods[0].arguments[1].is_tensor());
        assert!(methods[1].arguments.is_empty());
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
    fn deep_and_huge_code_is_refused() {
        assert!(check("a.py", &"(".repeat(199)).is_ok());
        assert!(check("a.py", &"(".repeat(201)).is_err());
        assert!(check("a.py", &"-".repeat(2000)).is_err());
        assert!(check("a.py", &"not ".repeat(2000)).is_err());
        assert!(check("a.py", "torch.zeros([10, 1024, 1024, 256])").is_err());
        assert!(check("a.py", "torch.zeros([1, 1024, 1024, 256])").is_ok());
        assert!(check("a.py", "torch.slice(x, [0, 9223372036854775807])").is_ok());
    }
}
