//! Who calls whom in compiled code, as far as a linker would know: every section that a section refers to.
//!
//! Compilers put each function into a section of its own, and a linker needs to be told of every place in it that holds an address:
//! of a function that is called, of a table of functions, of a constant. Following all of these finds whatever a function can
//! reach, also through a table, and some that it cannot. What it does not find is what comes in by a pointer from outside.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use anyhow::{Context, Result};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

/// A section: a function, mostly.
#[derive(Debug, Default)]
struct Node {
    /// The functions in it, as people write them.
    names: Vec<String>,
    next: Vec<Next>,
}

#[derive(Clone, Debug)]
enum Next {
    /// In the same file.
    Here(usize),
    /// By its name, as linkers write it.
    Named(String),
}

/// All sections of a library and of all that it brings along.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// Where a name is defined.
    defined: HashMap<String, usize>,
}

/// What a walk does at a function of some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Goes on.
    On,
    /// What lies behind it is not looked at.
    Stop,
    /// It must not be reached.
    Out,
}

/// What can be reached from some functions.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Each function that is reached.
    pub(crate) functions: Vec<String>,
    /// Each function that must not be, once for every function that leads there: the way from the first on, itself last.
    pub(crate) out: Vec<Vec<String>>,
    /// What the library does not hold, functions of the system's libraries: the name, and the first way to it.
    pub(crate) outside: Vec<(String, Vec<String>)>,
    /// The functions behind which was not looked.
    pub(crate) stopped: HashSet<String>,
}

impl Graph {
    /// Reads a static library.
    pub(crate) fn read(archive: &[u8]) -> Result<Self> {
        let mut graph = Self::default();
        let members = ArchiveFile::parse(archive).context("this is no static library")?;
        for member in members.members() {
            let member = member.context("the static library is cut off")?;
            let data = member.data(archive).context("the static library is cut off")?;
            // What is no object is something of the compiler's own, and no code.
            if let Ok(file) = object::File::parse(data) {
                graph.add(&file);
            }
        }
        Ok(graph)
    }

    fn add(&mut self, file: &object::File<'_>) {
        let first = self.nodes.len();
        let at = |section: SectionIndex| first + section.0;
        let most = file.sections().map(|section| section.index().0).max().unwrap_or(0);
        self.nodes.resize_with(first + most + 1, Node::default);
        for symbol in file.symbols().filter(|symbol| !symbol.is_undefined()) {
            let (Some(section), Ok(name)) = (symbol.section_index(), symbol.name()) else { continue };
            if matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File) || name.is_empty() {
                continue;
            }
            if symbol.kind() == SymbolKind::Text {
                self.nodes[at(section)].names.push(readable(name));
            }
            if !symbol.is_local() {
                self.defined.entry(name.to_owned()).or_insert(at(section));
            }
        }
        for section in file.sections() {
            let next = section.relocations().filter_map(|(_, relocation)| match relocation.target() {
                RelocationTarget::Section(section) => Some(Next::Here(at(section))),
                RelocationTarget::Symbol(symbol) => {
                    let symbol = file.symbol_by_index(symbol).ok()?;
                    match symbol.section_index() {
                        Some(section) if !symbol.is_undefined() => Some(Next::Here(at(section))),
                        _ => {
                            Some(Next::Named(symbol.name().ok().filter(|name| !name.is_empty())?.to_owned()))
                        }
                    }
                }
                _ => None,
            });
            self.nodes[at(section.index())].next = next.collect();
        }
    }

    /// The functions whose readable names begin so.
    pub(crate) fn functions(&self, begins: &str) -> Vec<String> {
        let names = self.nodes.iter().flat_map(|node| &node.names);
        let mut found: Vec<_> = names.filter(|name| name.starts_with(begins)).cloned().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Everything that these functions can reach; `step` says what to do at a name.
    pub(crate) fn reach(&self, from: &[String], step: impl Fn(&str) -> Step) -> Reached {
        let mut reached = Reached::default();
        let mut came: HashMap<usize, Option<usize>> = HashMap::new();
        let mut outside = HashSet::new();
        let mut queue = VecDeque::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.names.iter().any(|name| from.contains(name)) {
                came.insert(index, None);
                queue.push_back(index);
            }
        }
        while let Some(index) = queue.pop_front() {
            reached.functions.extend(self.nodes[index].names.iter().cloned());
            for next in &self.nodes[index].next {
                let to = match next {
                    Next::Here(to) => *to,
                    Next::Named(name) => match self.defined.get(name) {
                        Some(to) => *to,
                        None => {
                            if outside.insert(name) {
                                reached.outside.push((name.clone(), self.way(&came, index)));
                            }
                            continue;
                        }
                    },
                };
                let names = &self.nodes[to].names;
                if let Some(name) = names.iter().find(|name| step(name) == Step::Out) {
                    let mut way = self.way(&came, index);
                    way.push(name.clone());
                    reached.out.push(way);
                } else if let Some(name) = names.iter().find(|name| step(name) == Step::Stop) {
                    reached.stopped.insert(name.clone());
                } else if let Entry::Vacant(place) = came.entry(to) {
                    place.insert(Some(index));
                    queue.push_back(to);
                }
            }
        }
        reached.out.sort();
        reached.out.dedup();
        reached
    }

    /// The functions that led to a section, itself last.
    fn way(&self, came: &HashMap<usize, Option<usize>>, to: usize) -> Vec<String> {
        let mut way = Vec::new();
        let mut at = Some(to);
        while let Some(index) = at {
            way.extend(self.nodes[index].names.first().cloned());
            at = came.get(&index).copied().flatten();
        }
        way.reverse();
        way
    }
}

/// A name as people write it, without the compiler's hash.
fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
