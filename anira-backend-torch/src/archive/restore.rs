//! Two methods more for a module with state: one that tells what it remembers, one that brings it back.
//!
//! LibTorch's Rust interface reaches parameters but not what else a module holds, and to load a module anew takes
//! milliseconds and makes the next run slow. So the code that LibTorch gets has the two methods written into it, in
//! TorchScript's own words.

use std::collections::BTreeSet;

use super::code::{methods, opens_class};
use super::effects::{Effects, is_name};
use super::split;
use super::zip::Zip;

/// The names of the methods.
pub(crate) const TELL: &str = "anira_tell";
pub(crate) const BRING_BACK: &str = "anira_bring_back";

/// Modules within modules, all together.
const MAX_MODULES: usize = 1_000;
/// Bytes of code that are searched for the classes of all of them.
const MAX_SEARCHED: usize = 1 << 28;

/// One attribute that a run may change.
struct Remembered {
    /// The names on the way to its module.
    path: Vec<String>,
    name: String,
    kind: String,
}

/// What the search for what a module remembers has cost.
#[derive(Default)]
struct Spent {
    modules: usize,
    bytes: usize,
}

/// Writes both methods into the archive's code. `false` if the module remembers what they cannot carry: a list, a
/// dictionary, an object.
pub(crate) fn write(zip: &mut Zip, class: &str, effects: &Effects) -> Option<()> {
    let mut found = Vec::new();
    walk(zip, class, &mut Vec::new(), &mut found, effects, &mut Spent::default())?;
    if found.is_empty() {
        return None;
    }
    let (file, name) = place(class);
    let text = zip.text(&file).ok()??;
    if methods(text, name).iter().any(|method| [TELL, BRING_BACK].contains(&method.name.as_str())) {
        return None;
    }
    let start = text.lines().position(|line| opens_class(line, name))?;
    let body =
        text.lines().skip(start + 1).take_while(|line| line.starts_with(' ') || line.is_empty()).count();
    let mut lines: Vec<&str> = text.lines().collect();
    let ours = code(class, &found, effects);
    lines.insert(start + 1 + body, ours.trim_end());
    let text = lines.join("\n") + "\n";
    zip.set(&file, text.into_bytes());
    Some(())
}

/// The file and the bare name of a class.
pub(super) fn place(class: &str) -> (String, &str) {
    let (folder, name) = class.rsplit_once('.').unwrap_or(("", class));
    (format!("code/{}.py", folder.replace('.', "/")), name)
}

/// Collects what a module of this class and all modules in it remember.
fn walk(
    zip: &Zip,
    class: &str,
    path: &mut Vec<String>,
    found: &mut Vec<Remembered>,
    effects: &Effects,
    spent: &mut Spent,
) -> Option<()> {
    let (file, name) = place(class);
    let text = zip.text(&file).ok()??;
    spent.modules += 1;
    spent.bytes = spent.bytes.saturating_add(text.len());
    if spent.modules > MAX_MODULES || spent.bytes > MAX_SEARCHED || path.len() > 50 {
        return None;
    }
    let mut lines = text.lines().skip_while(|line| !opens_class(line, name));
    if !lines.next()?.starts_with(&format!("class {name}(Module)")) {
        // An object of another kind may hold anything.
        return None;
    }
    let mut parameters = BTreeSet::new();
    for line in lines.take_while(|line| line.starts_with(' ') && !line.starts_with("  def ")) {
        let line = line.trim();
        if let Some(list) = line.strip_prefix("__parameters__ = ") {
            parameters =
                split(list.trim_matches(['[', ']'])).into_iter().map(|p| p.trim_matches('"')).collect();
        }
        let annotated = line.strip_prefix("__annotations__[\"").and_then(|rest| rest.split_once("\"] = "));
        let Some((attribute, kind)) = annotated.or_else(|| line.split_once(" : ")) else { continue };
        let written = effects.assigned.contains(attribute) || effects.changed.contains(attribute);
        if kind.starts_with("__torch__.") && !kind.starts_with("__torch__.torch.classes.") {
            path.push(attribute.to_owned());
            walk(zip, kind, path, found, effects, spent)?;
            path.pop();
            continue;
        }
        let tensor = kind == "Tensor" && !parameters.contains(attribute);
        if !written && !tensor {
            continue;
        }
        // A tensor that may be missing is kept as it is, not as a copy.
        let plain = matches!(kind, "Tensor" | "int" | "float" | "bool")
            || kind == "Optional[Tensor]" && !effects.in_place;
        // An attribute with a name that is none is reached by `getattr` alone, which cannot write.
        if !plain || !is_name(attribute) {
            return None;
        }
        found.push(Remembered { path: path.clone(), name: attribute.to_owned(), kind: kind.to_owned() });
    }
    Some(())
}

fn code(class: &str, found: &[Remembered], effects: &Effects) -> String {
    let object = |item: &Remembered| {
        item.path.iter().fold("self".to_owned(), |object, name| {
            if is_name(name) && !name.starts_with(|c: char| c.is_ascii_digit()) {
                format!("({object}).{name}")
            } else {
                format!("getattr({object}, \"{name}\")")
            }
        })
    };
    let kinds: Vec<_> = found.iter().map(|item| item.kind.as_str()).collect();
    let mut tell = format!("  def {TELL}(self: {class}) -> Tuple[{}]:\n", kinds.join(", "));
    let mut back = format!("  def {BRING_BACK}(self: {class}");
    for (i, item) in found.iter().enumerate() {
        back += &format!(",\n    v{i}: {}", item.kind);
        let (object, name) = (object(item), &item.name);
        let value = if item.kind == "Tensor" {
            format!("torch.clone(({object}).{name})")
        } else {
            format!("({object}).{name}")
        };
        tell += &format!("    v{i} = {value}\n");
    }
    back += ") -> NoneType:\n";
    for (i, item) in found.iter().enumerate() {
        let (object, name) = (object(item), &item.name);
        if item.kind == "Tensor" && !effects.assigned.contains(name) {
            // Others may share this memory: it stays where it is.
            back += &format!("    c{i} = torch.copy_(({object}).{name}, v{i})\n");
            continue;
        }
        let value = if item.kind == "Tensor" { format!("torch.clone(v{i})") } else { format!("v{i}") };
        back += &format!("    o{i} = {object}\n    o{i}.{name} = {value}\n");
    }
    let values: Vec<_> = (0..found.len()).map(|i| format!("v{i}, ")).collect();
    format!("{tell}    return ({})\n{back}    return None\n", values.concat().trim_end())
}
