//! Sizes that are told to a graph while it runs: operators whose output is as large as an input's elements say.
//!
//! Nobody knows them before, and memory that cannot be had ends the process of an engine that asks Rust's allocator for it.

use std::collections::{HashMap, HashSet};

use anira_traits::{Error, ErrorKind, Result};

use crate::bound;
use crate::node::{Body, Node};

/// Follows what depends on the elements of a graph's inputs through its operators and the graphs within it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for the first operator that takes a size from there.
pub(crate) fn check(graph: &Body<'_>) -> Result<()> {
    let mut ways = Ways::default();
    ways.through(graph);
    // Each value is followed once, in whatever order the operators stand.
    let mut next = graph.inputs.clone();
    let mut told: HashSet<&str> = next.iter().copied().collect();
    while let Some(name) = next.pop() {
        let reached = ways.from.remove(name).into_iter().flatten().flatten();
        next.extend(reached.copied().filter(|name| told.insert(name)));
    }
    for node in ways.nodes {
        let mut names = bound::sizes(node.operator).1.iter().filter_map(|i| node.inputs.get(*i));
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

/// All operators, and which values depend on the elements of a value.
#[derive(Default)]
struct Ways<'n, 'a> {
    nodes: Vec<&'n Node<'a>>,
    from: HashMap<&'a str, Vec<&'n [&'a str]>>,
}

impl<'n, 'a> Ways<'n, 'a> {
    fn add(&mut self, from: &[&'a str], to: &'n [&'a str]) {
        from.iter()
            .filter(|name| !name.is_empty())
            .for_each(|name| self.from.entry(name).or_default().push(to));
    }

    /// Those of a graph and of all within it. Names are taken for one value wherever they stand.
    fn through(&mut self, graph: &'n Body<'a>) {
        for node in &graph.nodes {
            self.nodes.push(node);
            // What these give depends on extents alone, which whoever loads the model asks for.
            if !matches!(node.operator, "Shape" | "Size") {
                self.add(&node.inputs, &node.outputs);
            }
            for body in &node.bodies {
                self.add(&node.inputs, &body.inputs);
                self.add(&body.outputs, &node.outputs);
                // A loop's next turn takes what the last one gave.
                self.add(&body.outputs, &body.inputs);
                self.through(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(operator: &'a str, inputs: &[&'a str], output: &'a str) -> Node<'a> {
        Node { operator, inputs: inputs.to_vec(), outputs: vec![output], ..Node::default() }
    }

    /// A graph with two inputs.
    fn graph<'a>(nodes: &[Node<'a>]) -> Body<'a> {
        Body { inputs: vec!["x", "size"], outputs: Vec::new(), nodes: nodes.to_vec() }
    }

    #[test]
    fn a_size_that_an_input_says_is_refused_in_and_by_way_of_a_graph_within() {
        let body = |inputs: &[&'static str], nodes: &[Node<'static>], output| Body {
            inputs: inputs.to_vec(),
            outputs: vec![output],
            nodes: nodes.to_vec(),
        };
        let with = |node: Node<'static>, bodies: Vec<Body<'static>>| Node { bodies, ..node };
        let tile = |name| node("Tile", &["x", name], "y");
        let mut branch = body(&[], &[node("Neg", &["size"], "inner")], "inner");
        for _ in 0..3 {
            let by_way = with(node("If", &["on"], "given"), vec![branch]);
            assert!(check(&graph(&[by_way.clone(), tile("given")])).is_err(), "what a branch gives");
            branch = body(&[], &[by_way], "given");
        }
        let within = with(node("If", &["on"], "y"), vec![body(&[], &[tile("size")], "y")]);
        assert!(check(&graph(&[within])).is_err(), "in a branch");
        let turns = [node("Neg", &["a"], "b"), tile("c")];
        let mut turns = with(
            node("Loop", &["times", "on", "size"], "y"),
            vec![body(&["i", "on", "a", "c"], &turns, "b")],
        );
        assert!(check(&graph(&[turns.clone()])).is_err(), "what a body is handed");
        turns.inputs.pop();
        check(&graph(&[turns.clone()])).unwrap();
        turns.bodies[0].nodes[0].inputs[0] = "size";
        assert!(check(&graph(&[turns])).is_err(), "what a turn hands to the next");
        let shape =
            with(node("If", &["on"], "y"), vec![body(&[], &[node("Shape", &["x"], "s"), tile("s")], "y")]);
        check(&graph(&[shape])).unwrap();
    }

    #[test]
    fn a_size_that_an_input_says_is_refused_however_it_gets_there() {
        let refused = |nodes: &[Node<'_>], operator: &str| {
            let error = check(&graph(nodes)).unwrap_err();
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
        check(&graph(&nodes)).unwrap();
    }
}
