//! The code of a TorchScript file, as far as it tells what LibTorch's Rust interface does not: methods and their arguments.
//!
//! LibTorch writes code in one way, line by line: a class, its attributes (`count : Tensor`), its methods, one statement
//! per line. Only this writing is read here. What it says is believed for names, never for memory.

use anira_traits::{DType, Error, ErrorKind, Result};

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

    /// The element type that stands for a plain number.
    pub(crate) fn number(&self) -> Option<DType> {
        match self.kind.as_str() {
            "int" => Some(DType::I64),
            "float" => Some(DType::F64),
            "bool" => Some(DType::Bool),
            _ => None,
        }
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

pub(super) fn opens_class(line: &str, class: &str) -> bool {
    line.strip_prefix("class ").and_then(|rest| rest.strip_prefix(class)).is_some_and(|r| r.starts_with('('))
}

/// The head of the method that starts on the first of these lines.
fn head(lines: &[&str]) -> Option<Method> {
    let other = |line: &&str| line.starts_with("  def ");
    let own = lines.iter().skip(1).position(other).map_or(lines.len(), |next| next + 1);
    let end = lines[..own].iter().position(|line| line.ends_with(':'))?;
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
    fn a_head_ends_before_the_next_method() {
        let text = "class A(Module):\n  def open(self: A\n  def whole(self: A) -> int:\n    return 1\n";
        assert_eq!(methods(text, "A").iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["whole"]);
        // Hours, if every one were looked for to the end.
        let many =
            format!("class A(Module):\n{}  def last(self: A) -> int:\n", "  def open(\n".repeat(500_000));
        assert_eq!(methods(&many, "A").len(), 1);
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
