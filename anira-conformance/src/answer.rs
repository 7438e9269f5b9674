//! Tensors compared bit for bit, and told where they differ.

use anira_traits::{TensorData, TensorView};

use crate::verdict::{Verdict, fail};

/// The outputs of one run; `None` where the caller ignores one.
pub(crate) type Answer = Vec<Option<TensorData>>;

/// A tensor's elements as bits, so that NaN equals itself and zero has a sign.
pub(crate) fn bits(view: TensorView<'_>) -> Vec<u64> {
    match view {
        TensorView::F32(d) => d.iter().map(|x| u64::from(x.to_bits())).collect(),
        TensorView::F64(d) => d.iter().map(|x| x.to_bits()).collect(),
        // All others are integers whose values a number keeps; of 64 bits the difference may be beyond it.
        TensorView::I64(d) => d.iter().map(|x| x.cast_unsigned()).collect(),
        other => (0..other.len()).map(|i| other.number(i).unwrap_or_default().to_bits()).collect(),
    }
}

/// The first element in which two tensors differ.
pub(crate) fn first_difference(a: TensorView<'_>, b: TensorView<'_>) -> Option<usize> {
    let (left, right) = (bits(a), bits(b));
    if a.dtype() != b.dtype() || left.len() != right.len() {
        return Some(left.len().min(right.len()));
    }
    left.iter().zip(&right).position(|(x, y)| x != y)
}

pub(crate) fn same(a: &Answer, b: &Answer) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|pair| same_tensor(pair.0.as_ref(), pair.1.as_ref()))
}

pub(crate) fn same_tensor(a: Option<&TensorData>, b: Option<&TensorData>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => first_difference(a.view(), b.view()).is_none(),
        _ => true,
    }
}

/// Fails unless the answers are equal bit for bit.
pub(crate) fn expect_same(what: &str, expected: &Answer, got: &Answer) -> Verdict<()> {
    if expected.len() != got.len() {
        return fail(format!("{what}: {} outputs, {} expected", got.len(), expected.len()));
    }
    for (i, pair) in expected.iter().zip(got).enumerate() {
        let (Some(e), Some(g)) = pair else { continue };
        if let Some(at) = first_difference(e.view(), g.view()) {
            let number = |t: &TensorData| t.view().number(at).map_or("nothing".into(), |x| x.to_string());
            return fail(format!(
                "{what}: output {i}, element {at} is {}, {} expected",
                number(g),
                number(e)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_tell_signs_of_zero_and_let_nan_be_equal() {
        let t = |x: f32| vec![Some(TensorData::F32(vec![1.0, x]))];
        assert!(same(&t(f32::NAN), &t(f32::NAN)));
        assert!(!same(&t(0.0), &t(-0.0)));
        let big = |x: i64| vec![Some(TensorData::I64(vec![x]))];
        assert!(!same(&big(i64::MAX), &big(i64::MAX - 1)));
        assert!(!same(&t(1.0), &vec![Some(TensorData::F64(vec![1.0, 1.0]))]));
        assert!(same(&t(1.0), &vec![None]), "an ignored output is not compared");
    }
}
