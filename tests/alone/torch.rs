//! LibTorch through the crate `tch`: inputs made once, no gradients, one thread.

use anira_intercept::Counted;
use tch::{CModule, IValue, Tensor};

use super::{BLOCK, Case, Meter, noise};

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let module = CModule::load(case.file()).unwrap();
    let shapes: &[&[i64]] = match case.model {
        "amp-hybrid-11k" => &[&[256, 1, 150]],
        // What a network of this reach takes for so many samples.
        "amp-tcn-29k" => &[&[1, 1, 13_332 + BLOCK as i64]],
        "amp-tcn-1k" => &[&[1, 1, 132 + BLOCK as i64]],
        "amp-lstm-2k" => &[&[1, BLOCK as i64, 1], &[1, 1, 20], &[1, 1, 20]],
        _ => &[&[1, 1, BLOCK as i64]],
    };
    let inputs: Vec<Tensor> = shapes
        .iter()
        .map(|shape| Tensor::from_slice(&noise(shape.iter().product::<i64>() as usize)).reshape(*shape))
        .collect();
    let several: Vec<IValue> = inputs.iter().map(|tensor| IValue::Tensor(tensor.shallow_clone())).collect();
    meter.count(|| {
        let _gradients = tch::no_grad_guard();
        if tch::get_num_threads() != 1 {
            tch::set_num_threads(1);
        }
        if inputs.len() == 1 {
            drop(module.forward_ts(&inputs).unwrap());
        } else {
            drop(module.forward_is(&several).unwrap());
        }
    })
}
