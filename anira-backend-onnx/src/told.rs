//! Sizes that are told to a graph while it runs: operators whose output is as large as an input's elements say.
//!
//! Nobody knows them before, and memory that cannot be had ends the process of an engine that asks Rust's allocator for it.

use std::collections::{HashMap, HashSet};

use anira_traits::{Error, ErrorKind, Result};

use crate::node::Node;

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
    let mut readers: HashMap<&str, Vec<&Node<'_>>> = HashMap::new();
    // What these give depends on extents alone, which whoever loads the model asks for.
    for node in nodes.iter().filter(|node| !matches!(node.operator, "Shape" | "Size")) {
        node.inputs.iter().for_each(|name| readers.entry(name).or_default().push(node));
    }
    // Each value is followed once, in whatever order the operators stand.
    let mut next: Vec<&str> = inputs.into_iter().collect();
    let mut told: HashSet<&str> = next.iter().copied().collect();
    while let Some(name) = next.pop() {
        let outputs = readers.remove(name).into_iter().flatten().flat_map(|node| &node.outputs);
        next.extend(outputs.copied().filter(|output| told.insert(output)));
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
        let names: Vec<String> = (0..100).map(|i| format!("v{i}")).collect();
        let mut long: Vec<_> = names.windows(2).map(|two| node("Neg", &[&two[0]], &two[1])).collect();
        long.push(node("Tile", &["x", "v99"], "y"));
        long.insert(0, node("Cast", &["size"], "v0"));
        refused(&long, "Tile");
        long.reverse();
        refused(&long, "Tile");
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
