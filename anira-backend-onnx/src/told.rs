//! Sizes that are told to a graph while it runs: operators whose output is as large as an input's elements say.
//!
//! Nobody knows them before, and memory that cannot be had ends the process of an engine that asks Rust's allocator for it.

use std::collections::HashSet;

use anira_traits::{Error, ErrorKind, Result};

use crate::node::Node;

/// How often the operators are gone through, where they stand in another order than that of their values.
const MOST_ROUNDS: usize = 16;

/// The inputs of an operator that say how large its output is.
fn sizes(operator: &str) -> &'static [usize] {
    match operator {
        "ConstantOfShape" | "HannWindow" | "HammingWindow" | "BlackmanWindow" => &[0],
        "Expand" | "CenterCropPad" | "Tile" | "Pad" | "OneHot" | "Upsample" | "DFT" => &[1],
        "Range" => &[0, 1, 2],
        "Resize" => &[2, 3],
        "STFT" => &[1, 3],
        // How often its body runs.
        "Loop" => &[0],
        _ => &[],
    }
}

/// Follows what depends on the elements of `inputs` through the operators of one graph.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for the first operator that takes a size from there.
pub(crate) fn check<'a>(nodes: &[Node<'a>], inputs: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut told: HashSet<&str> = inputs.into_iter().collect();
    for _ in 0..MOST_ROUNDS {
        let before = told.len();
        for node in nodes {
            // What these give depends on extents alone, which whoever loads the model asks for.
            if !matches!(node.operator, "Shape" | "Size")
                && node.inputs.iter().any(|name| told.contains(name))
            {
                told.extend(node.outputs.iter().copied());
            }
        }
        if told.len() == before {
            break;
        }
    }
    for node in nodes {
        let mut names = sizes(node.operator).iter().filter_map(|i| node.inputs.get(*i));
        if let Some(name) = names.find(|name| told.contains(**name)) {
            let text = format!(
                "the size of its output, `{name}`, depends on what the elements of an input are, so that no bound holds; it has to \
                 follow from the file and from extents"
            );
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("operator {}", node.operator)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(operator: &'a str, inputs: &[&'a str], output: &'a str) -> Node<'a> {
        Node { operator, inputs: inputs.to_vec(), outputs: vec![output], ..Node::default() }
    }

    #[test]
    fn a_size_that_an_input_says_is_refused_however_it_gets_there() {
        let refused = |nodes: &[Node<'_>], operator: &str| {
            let error = check(nodes, ["x", "size"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(operator), "{error}");
        };
        refused(&[node("ConstantOfShape", &["size"], "y")], "ConstantOfShape");
        let way =
            [node("Cast", &["x"], "a"), node("Concat", &["one", "a"], "b"), node("Expand", &["x", "b"], "y")];
        refused(&way, "Expand");
        refused(&way.into_iter().rev().collect::<Vec<_>>(), "Expand");
        refused(&[node("Range", &["zero", "size", "one"], "y")], "Range");
        refused(&[node("Resize", &["x", "", "", "size"], "y")], "Resize");
        refused(&[node("Loop", &["size", "on", "x"], "y")], "Loop");
    }

    #[test]
    fn a_size_that_follows_from_extents_is_none_and_nor_is_a_value() {
        let nodes = [
            node("Shape", &["x"], "a"),
            node("Mul", &["a", "two"], "b"),
            node("ConstantOfShape", &["b"], "c"),
            node("Pad", &["c", "pads", "x"], "d"),
            node("Resize", &["x", "x", "scales"], "e"),
            node("OneHot", &["size", "depth", "x"], "f"),
            node("Slice", &["x", "size", "size"], "g"),
        ];
        check(&nodes, ["x", "size"]).unwrap();
    }
}
