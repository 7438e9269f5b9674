//! An operator of a graph: what it is called, what it is between, which numbers it was given; and in which order operators run.

use std::collections::HashMap;
use std::mem;

use anira_traits::{Error, ErrorKind, Result};

use crate::known::MOST_NUMBERS;

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) operator: &'a str,
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    /// The tensor of a `Constant`.
    pub(crate) constant: Option<&'a [u8]>,
    /// The attributes that are numbers, by name; of more than a few, not all.
    pub(crate) attributes: Vec<(&'a str, Vec<f64>)>,
    /// The graphs that it runs, such as the branches of an `If`.
    pub(crate) bodies: Vec<Body<'a>>,
}

/// A graph: the names of what it takes and gives, and its operators, which see the values of the graphs around it, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body<'a> {
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    pub(crate) nodes: Vec<Node<'a>>,
}

impl Node<'_> {
    /// The numbers of an attribute, if it has any and not more than a few.
    pub(crate) fn numbers(&self, name: &str) -> Option<&[f64]> {
        let named = self.attributes.iter().find(|(own, _)| *own == name);
        named.map(|(_, numbers)| &numbers[..]).filter(|numbers| (1..=MOST_NUMBERS).contains(&numbers.len()))
    }

    /// The same as whole numbers.
    pub(crate) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.numbers(name).map(|numbers| numbers.iter().map(|x| *x as i64).collect())
    }
}

/// The operators of a graph, each behind those whose values it takes, however the file has them. `is_given`: the weights and the inputs.
///
/// # Errors
/// [`ErrorKind::Model`] for a value that is given twice, and for operators that wait for one another.
pub(crate) fn in_order<'n, 'a>(
    nodes: &'n [Node<'a>],
    is_given: impl Fn(&str) -> bool,
) -> Result<Vec<&'n Node<'a>>> {
    let refused = |i: usize, text: String| {
        Err(Error::new(ErrorKind::Model, text).at(format!("operator {} (number {i})", nodes[i].operator)))
    };
    let mut makers = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if is_given(name) || makers.insert(*name, i).is_some() {
                return refused(
                    i,
                    format!("gives `{name}`, which is there already; each value has a name of its own"),
                );
            }
        }
    }
    let mut readers = vec![Vec::new(); nodes.len()];
    let mut waits = vec![0usize; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for maker in node.inputs.iter().filter_map(|name| makers.get(name)) {
            readers[*maker].push(i);
            waits[i] += 1;
        }
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|i| waits[*i] == 0).collect();
    let mut next = 0;
    while let Some(done) = order.get(next).copied() {
        next += 1;
        for reader in mem::take(&mut readers[done]) {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                order.push(reader);
            }
        }
    }
    match waits.iter().position(|count| *count > 0) {
        Some(i) => refused(i, "waits for its own output, or for an operator that does".to_owned()),
        None => Ok(order.into_iter().map(|i| &nodes[i]).collect()),
    }
}
