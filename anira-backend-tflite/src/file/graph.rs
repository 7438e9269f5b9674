//! How a file's graphs hang together: every index points to something, every value is computed before it is used and
//! only once, no constant is written, no graph calls itself.

use std::collections::HashSet;

use anira_traits::{Error, ErrorKind, Result};

use super::operator::{self, Rule};
use super::schema::{Graph, Model, Operator};

/// Graphs that call graphs.
const MAX_DEPTH: usize = 8;

fn broken(text: String) -> Error {
    Error::new(ErrorKind::Model, text)
}

/// Checks all graphs.
pub(crate) fn check(model: &Model<'_>) -> Result<()> {
    for (i, graph) in model.graphs.iter().enumerate() {
        check_graph(model, graph).map_err(|e| if i == 0 { e } else { e.at(format!("graph {i}")) })?;
    }
    let mut found = vec![None; model.graphs.len()];
    (0..model.graphs.len()).try_for_each(|graph| depth(model, graph, 0, &mut found).map(drop))?;
    for entry in &model.entries {
        let Some(graph) = model.graphs.get(entry.graph) else {
            return Err(broken(format!("a signature is of graph {}, which is not there", entry.graph)));
        };
        let held = |named: &[(&str, usize)], list: &[i32]| {
            let places: HashSet<_> = list.iter().filter_map(|i| usize::try_from(*i).ok()).collect();
            named.iter().all(|(_, place)| places.contains(place))
        };
        if !held(&entry.inputs, &graph.inputs) || !held(&entry.outputs, &graph.outputs) {
            return Err(broken("a signature names a tensor that is no input or output of its graph".into()));
        }
    }
    Ok(())
}

fn check_graph(model: &Model<'_>, graph: &Graph<'_>) -> Result<()> {
    // Which values are there: constants and variables from the start.
    let mut known = Vec::with_capacity(graph.tensors.len());
    let mut written = vec![false; graph.tensors.len()];
    for tensor in &graph.tensors {
        let Some(data) = model.buffers.get(tensor.buffer) else {
            let text = format!("its data is buffer {}, which is not there", tensor.buffer);
            return Err(broken(text).at(format!("tensor `{}`", tensor.name)));
        };
        let constant = !data.is_empty();
        if constant && tensor.variable {
            return Err(broken("is a variable and a constant".into()).at(format!("tensor `{}`", tensor.name)));
        }
        known.push(constant || tensor.variable || empty_constant(&tensor.shape));
        // Nobody may write there.
        written[known.len() - 1] = constant;
    }
    let place = |index: i32| {
        let place = usize::try_from(index).ok().filter(|i| *i < graph.tensors.len());
        place.ok_or_else(|| broken(format!("refers to tensor {index} of {}", graph.tensors.len())))
    };
    for input in &graph.inputs {
        let input = place(*input)?;
        if written[input] || graph.tensors[input].variable {
            return Err(broken("an input is a constant, a variable, or an input twice".into()));
        }
        (known[input], written[input]) = (true, true);
    }
    for (i, step) in graph.operators.iter().enumerate() {
        let Some(rule) = operator::rule(step.code) else {
            let name =
                if step.custom.is_empty() { operator::name(step.code) } else { step.custom.to_owned() };
            let text = format!("operator {i} is {name}, which no engine of this crate has or gets");
            return Err(Error::new(ErrorKind::Unsupported, text));
        };
        check_step(model, step, rule, &mut known, &mut written, place)
            .map_err(|e| e.at(format!("operator {i} ({})", operator::name(step.code))))?;
    }
    for output in &graph.outputs {
        if !known[place(*output)?] {
            return Err(broken(format!("output {output} is computed by no operator")));
        }
    }
    Ok(())
}

/// A constant without elements has no data either.
fn empty_constant(shape: &[i32]) -> bool {
    shape.contains(&0)
}

fn check_step(
    model: &Model<'_>,
    step: &Operator<'_>,
    rule: Rule,
    known: &mut [bool],
    written: &mut [bool],
    place: impl Fn(i32) -> Result<usize>,
) -> Result<()> {
    for (i, input) in step.inputs.iter().enumerate() {
        if *input == -1 {
            if i < rule.required {
                return Err(broken(format!("input {i} is left out; it cannot do without")));
            }
        } else if !known[place(*input)?] {
            return Err(broken(format!("input {i} is used before it is computed")));
        }
    }
    for output in &step.outputs {
        let output = place(*output)?;
        if written[output] {
            return Err(broken("writes what is a constant, an input, or written already".into()));
        }
        (known[output], written[output]) = (true, true);
    }
    rule.check(step)?;
    if let Some((callees, inputs)) = operator::callees(step)? {
        for callee in callees {
            let Some(graph) = model.graphs.get(callee) else {
                return Err(broken(format!("calls graph {callee}, which is not there")));
            };
            if inputs.is_some_and(|inputs| inputs != graph.inputs.len()) {
                return Err(broken(format!("gives graph {callee} another number of inputs than it takes")));
            }
        }
    }
    Ok(())
}

/// Whether some graph computes what nobody uses.
pub(crate) fn has_unused(model: &Model<'_>) -> bool {
    model.graphs.iter().any(|graph| {
        let mut used = vec![false; graph.tensors.len()];
        for index in graph.operators.iter().flat_map(|step| &step.inputs).chain(&graph.outputs) {
            if let Some(used) = usize::try_from(*index).ok().and_then(|i| used.get_mut(i)) {
                *used = true;
            }
        }
        let unused = |index: &i32| usize::try_from(*index).is_ok_and(|i| used.get(i) == Some(&false));
        graph.operators.iter().flat_map(|step| &step.outputs).any(unused)
    })
}

/// How deep a graph's calls go, and that they end. What was found for a graph is kept.
fn depth(model: &Model<'_>, graph: usize, outer: usize, found: &mut [Option<usize>]) -> Result<usize> {
    if let Some(Some(depth)) = found.get(graph) {
        return Ok(*depth);
    }
    let mut deepest = 0;
    for step in model.graphs.get(graph).into_iter().flat_map(|g| &g.operators) {
        for callee in operator::callees(step)?.map(|(callees, _)| callees).into_iter().flatten() {
            let inner = if outer < MAX_DEPTH { depth(model, callee, outer + 1, found)? } else { MAX_DEPTH };
            deepest = deepest.max(1 + inner);
        }
    }
    if outer + deepest > MAX_DEPTH {
        return Err(broken(format!("graphs call graphs deeper than {MAX_DEPTH}, or themselves")));
    }
    if let Some(found) = found.get_mut(graph) {
        *found = Some(deepest);
    }
    Ok(deepest)
}
