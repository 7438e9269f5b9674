//! Small graphs whose last operator gives too much, and the same with numbers that are still right.

use super::*;
use crate::node::in_order;

/// A node with attributes.
fn node<'a>(
    operator: &'a str,
    inputs: &[&'a str],
    output: &'a str,
    attributes: &[(&'a str, &[f64])],
) -> Node<'a> {
    let attributes = attributes.iter().map(|(name, numbers)| (*name, numbers.to_vec())).collect();
    Node { operator, inputs: inputs.to_vec(), outputs: vec![output], attributes, ..Node::default() }
}

fn shape(extents: &[i64]) -> Known {
    Known::shaped(extents.iter().map(|n| (*n >= 0).then_some(*n)).collect())
}

fn numbers(numbers: &[f64]) -> Known {
    Known::row(numbers.to_vec())
}

/// What the last of the nodes gives; or the error.
fn followed<'a>(known: &[(&'a str, Known)], nodes: &[Node<'a>]) -> Result<Option<Extents>> {
    let mut all: HashMap<_, _> = known.iter().cloned().collect();
    check(&in_order(nodes, |name| all.contains_key(name))?, &mut all)?;
    let last = nodes.last().and_then(|node| node.outputs.first()).and_then(|name| all.get(name));
    Ok(last.and_then(|known| known.extents.clone()))
}

#[track_caller]
fn gives<'a>(known: &[(&'a str, Known)], nodes: &[Node<'a>], right: &[i64]) {
    let right: Extents = right.iter().map(|n| (*n >= 0).then_some(*n)).collect();
    assert_eq!(followed(known, nodes).unwrap(), Some(right));
}

#[track_caller]
fn too_much<'a>(known: &[(&'a str, Known)], nodes: &[Node<'a>], operator: &str) {
    let error = followed(known, nodes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.to_string().contains(operator), "`{error}` lacks `{operator}`");
}

#[test]
fn a_column_and_a_row_make_a_square() {
    for operator in ["Add", "Mul", "Where", "Less"] {
        let nodes = [node(operator, &["a", "b"], "y", &[])];
        gives(&[("a", shape(&[300, 1])), ("b", shape(&[200]))], &nodes, &[300, 200]);
        too_much(&[("a", shape(&[65536, 1])), ("b", shape(&[1, 65536]))], &nodes, operator);
    }
    let nodes = [node("MatMul", &["a", "b"], "y", &[])];
    gives(&[("a", shape(&[2, 3, 4])), ("b", shape(&[4, 5]))], &nodes, &[2, 3, 5]);
    too_much(&[("a", shape(&[65536, 1])), ("b", shape(&[1, 65536]))], &nodes, "MatMul");
    let nodes = [node("Gemm", &["a", "b"], "y", &[("transA", &[1.0])])];
    gives(&[("a", shape(&[3, 2])), ("b", shape(&[3, 5]))], &nodes, &[2, 5]);
}

#[test]
fn open_extents_count_once_and_stay_open() {
    let nodes = [node("Add", &["a", "b"], "y", &[])];
    gives(&[("a", shape(&[1, -1])), ("b", shape(&[4, 1]))], &nodes, &[4, -1]);
    gives(&[("a", shape(&[1, -1])), ("b", shape(&[4, 7]))], &nodes, &[4, 7]);
    too_much(&[("a", shape(&[-1, 1 << 15, 1])), ("b", shape(&[1 << 15]))], &nodes, "Add");
}

#[test]
fn sizes_are_followed_through_what_computes_them() {
    let of =
        |n: f64| [("a", numbers(&[n, 160.0])), ("b", numbers(&[256.0, 256.0])), ("x", shape(&[1, 1, 8]))];
    for (operator, right) in [("Mul", [512, 40960]), ("Max", [256, 256]), ("Add", [258, 416])] {
        let nodes = [node(operator, &["a", "b"], "size", &[]), node("ConstantOfShape", &["size"], "y", &[])];
        gives(&of(2.0), &nodes, &right);
    }
    let made = |mut nodes: Vec<Node<'static>>| {
        nodes.push(node("ConstantOfShape", &["size"], "y", &[]));
        nodes
    };
    too_much(&of(256.0), &made(vec![node("Mul", &["a", "b"], "size", &[])]), "ConstantOfShape");
    // By way of a shape, a product of all, a constant, a cast, a pick, a row put together.
    let nodes = vec![
        node("Shape", &["x"], "s", &[]),
        node("Constant", &[], "k", &[("value_ints", &[40000.0, 10000.0, 8.0])]),
        node("Mul", &["s", "k"], "m", &[]),
        node("Cast", &["m"], "size", &[]),
    ];
    too_much(&of(1.0), &made(nodes), "ConstantOfShape");
    let nodes = vec![
        node("Constant", &[], "k", &[("value_int", &[70000.0])]),
        node("Constant", &[], "axes", &[("value_ints", &[0.0])]),
        node("Unsqueeze", &["k", "axes"], "row", &[]),
        node("Concat", &["row", "row"], "size", &[("axis", &[0.0])]),
    ];
    too_much(&of(1.0), &made(nodes), "ConstantOfShape");
    let nodes = vec![
        node("Constant", &[], "k", &[("value_ints", &[7.0, 40000.0, 10000.0])]),
        node("Constant", &[], "at", &[("value_ints", &[-1.0, 1.0])]),
        node("Gather", &["k", "at"], "two", &[]),
        node("ReduceProd", &["two"], "all", &[]),
        node("Unsqueeze", &["all"], "size", &[("axes", &[0.0])]),
    ];
    too_much(&of(1.0), &made(nodes), "ConstantOfShape");
}

#[test]
fn operators_that_are_told_how_much_give_it() {
    let x = || ("x", shape(&[1, 2, 8]));
    let with = |operator: &'static str, k: &[f64]| {
        followed(&[x(), ("k", numbers(k))], &[node(operator, &["x", "k"], "y", &[])])
    };
    let right = |n: &[i64]| Some(n.iter().map(|n| Some(*n)).collect::<Extents>());
    assert_eq!(with("Tile", &[1.0, 3.0, 2.0]).unwrap(), right(&[1, 6, 16]));
    assert!(with("Tile", &[1000.0, 1000.0, 1000.0]).is_err(), "each is allowed, all of them not");
    assert_eq!(with("Expand", &[3.0, 1.0, 1.0]).unwrap(), right(&[3, 2, 8]));
    assert!(with("Expand", &[1e8, 1.0, 1.0]).is_err());
    assert_eq!(with("Pad", &[0.0, 0.0, 4.0, 0.0, 1.0, 4.0]).unwrap(), right(&[1, 3, 16]));
    assert!(with("Pad", &[0.0, 9e5, 9e5, 0.0, 0.0, 0.0]).is_err());
    assert_eq!(with("OneHot", &[10.0]).unwrap(), right(&[1, 2, 8, 10]));

    let range = |limit: f64| {
        let known = [("a", numbers(&[0.0])), ("b", numbers(&[limit])), ("c", numbers(&[0.5]))];
        followed(&known, &[node("Range", &["a", "b", "c"], "y", &[])])
    };
    assert_eq!(range(100.0).unwrap(), right(&[200]));
    assert!(range(1e6).is_ok() && range(1e9).is_err());

    let resize = |factor: f64| {
        let known = [x(), ("f", numbers(&[1.0, 1.0, factor]))];
        followed(&known, &[node("Resize", &["x", "", "f"], "y", &[])])
    };
    assert_eq!(resize(2.5).unwrap(), right(&[1, 2, 20]));
    assert!(resize(1e9).is_err());
}

#[test]
fn windows_give_what_their_strides_and_paddings_make_of_an_input() {
    let known = [("x", shape(&[1, 2, 100])), ("w", shape(&[4, 2, 5]))];
    let conv = |operator: &'static str, attributes: &[(&'static str, &[f64])]| {
        followed(&known, &[node(operator, &["x", "w"], "y", attributes)])
    };
    let right = |n: [i64; 3]| Some(n.iter().map(|n| Some(*n)).collect::<Extents>());
    assert_eq!(conv("Conv", &[]).unwrap(), right([1, 4, 96]));
    let attributes: [(&str, &[f64]); 3] = [("pads", &[2.0, 2.0]), ("strides", &[3.0]), ("dilations", &[2.0])];
    assert_eq!(conv("Conv", &attributes).unwrap(), right([1, 4, 32]));
    assert!(conv("Conv", &[("pads", &[1e8, 0.0])]).is_err());
    let known = [("x", shape(&[1, 4, 100])), ("w", shape(&[4, 3, 5]))];
    let transposed = |stride: f64| {
        followed(
            &known,
            &[node("ConvTranspose", &["x", "w"], "y", &[("strides", &[stride]), ("group", &[2.0])])],
        )
    };
    assert_eq!(transposed(2.0).unwrap(), right([1, 6, 203]));
    assert!(transposed(1e6).is_err());
}

#[test]
fn the_order_of_the_operators_hides_nothing() {
    let nodes = [
        node("ConstantOfShape", &["size"], "y", &[]),
        node("Mul", &["a", "b"], "size", &[]),
        node("Cast", &["c"], "b", &[]),
    ];
    let known = [("a", numbers(&[65536.0, 1.0])), ("c", numbers(&[1.0, 65536.0]))];
    too_much(&known, &nodes, "ConstantOfShape");

    // Far from each other, in every order.
    let names: Vec<String> = (0..100).map(|i| format!("v{i}")).collect();
    let mut nodes: Vec<_> = names.windows(2).map(|two| node("Neg", &[&two[0]], &two[1], &[])).collect();
    nodes.push(node("Tile", &["v99", "times"], "y", &[]));
    let known = [("v0", shape(&[1 << 20])), ("times", numbers(&[65536.0]))];
    for _ in 0..5 {
        too_much(&known, &nodes, "Tile");
        nodes.rotate_left(31);
        too_much(&known, &nodes, "Tile");
        nodes.reverse();
    }
}

#[test]
fn a_value_has_one_operator_which_does_not_wait_for_itself() {
    let refused = |nodes: &[Node<'static>], words: &str| {
        let error = followed(&[("x", shape(&[4]))], nodes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    };
    let neg = |from, to| node("Neg", &[from], to, &[]);
    refused(&[neg("x", "y"), neg("x", "y")], "operator Neg (number 1): gives `y`");
    refused(&[neg("x", "x")], "gives `x`");
    refused(&[neg("y", "y")], "waits for its own output");
    refused(&[neg("x", "a"), node("Add", &["a", "c"], "b", &[]), neg("b", "c")], "operator Add (number 1)");
    // Outputs that are left out have no name.
    followed(&[("x", shape(&[4]))], &[node("LSTM", &["x", ""], "", &[]), node("LSTM", &["x", ""], "", &[])])
        .unwrap();
}

#[test]
fn what_is_not_known_is_not_refused() {
    let nodes = [
        node("NonZero", &["x"], "places", &[]),
        node("Tile", &["places", "k"], "more", &[]),
        node("Add", &["more", "x"], "y", &[]),
    ];
    assert_eq!(followed(&[("x", shape(&[1 << 20])), ("k", numbers(&[1e5]))], &nodes).unwrap(), None);
    let nodes = [node("Reshape", &["x", "k"], "y", &[])];
    gives(&[("x", shape(&[6])), ("k", numbers(&[0.0, -1.0, 3.0]))], &nodes, &[-1, -1, 3]);
}
