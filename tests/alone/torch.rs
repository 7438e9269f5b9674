//! LibTorch through the crate `tch`: inputs made once, no gradients, one thread.

use anira_intercept::Counted;
use tch::{CModule, IValue, Tensor};

use super::{Case, Meter, noise};

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let module = CModule::load(case.file()).unwrap();
    let names: &[&str] = if case.model == "amp-lstm-2k" { &["input", "h_in", "c_in"] } else { &["input"] };
    let tensor = |name: &&str| {
        let shape = case.shape(name, &[None; 3]);
        let extents: Vec<i64> = shape.iter().map(|extent| *extent as i64).collect();
        Tensor::from_slice(&noise(shape.iter().product())).reshape(extents)
    };
    let inputs: Vec<Tensor> = names.iter().map(tensor).collect();
    let several: Vec<IValue> = inputs.iter().map(|tensor| IValue::Tensor(tensor.shallow_clone())).collect();
    let mut outputs: Vec<Tensor> = Vec::new();
    // A result is read by copying it to where it is wanted.
    let mut take = |at: usize, given: &Tensor| match outputs.get_mut(at) {
        Some(output) => output.copy_(given),
        None => outputs.push(given.copy()),
    };
    meter.count(|| {
        let _gradients = tch::no_grad_guard();
        if tch::get_num_threads() != 1 {
            tch::set_num_threads(1);
        }
        if inputs.len() == 1 {
            take(0, &module.forward_ts(&inputs).unwrap());
        } else if let IValue::Tuple(given) = module.forward_is(&several).unwrap() {
            for (at, given) in given.iter().enumerate() {
                if let IValue::Tensor(given) = given {
                    take(at, given);
                }
            }
        }
    })
}
