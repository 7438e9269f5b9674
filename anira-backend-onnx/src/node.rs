//! An operator of a graph: what it is called, what it is between, which numbers it was given.

use crate::known::MOST_NUMBERS;

/// One node.
#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) operator: &'a str,
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    /// The tensor of a `Constant`.
    pub(crate) constant: Option<&'a [u8]>,
    /// The attributes that are numbers, by name; of more than a few, not all.
    pub(crate) attributes: Vec<(&'a str, Vec<f64>)>,
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
