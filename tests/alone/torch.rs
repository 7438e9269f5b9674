//! LibTorch through the crate `tch`: a module, tensors that stay, no gradients, one thread.

use anira_intercept::Counted;
use tch::{CModule, IValue, Tensor};

use super::{BLOCK, Case, Meter, noise};

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    tch::set_num_threads(1);
    if !meter.optimize {
        tch::jit::f_set_graph_executor_optimize(false).unwrap();
    }
    let _gradients = tch::no_grad_guard();
    let mut module = CModule::load(case.file()).unwrap();
    module.set_eval();
    let tensor =
        |shape: &[i64]| Tensor::from_slice(&noise(shape.iter().product::<i64>() as usize)).reshape(shape);
    let block = BLOCK as i64;
    match case.model {
        "amp-lstm-2k" => {
            let state = [1, 1, 20];
            let inputs = [tensor(&[1, block, 1]), tensor(&state), tensor(&state)].map(IValue::Tensor);
            meter.count(|| drop(module.forward_is(&inputs).unwrap()))
        }
        model => {
            let inputs = [match model {
                "amp-hybrid-11k" => tensor(&[256, 1, 150]),
                "amp-tcn-29k" => tensor(&[1, 1, 15_380]),
                "amp-tcn-1k" => tensor(&[1, 1, 2_180]),
                _ => tensor(&[1, 1, block]),
            }];
            meter.count(|| drop(module.forward_ts(&inputs).unwrap()))
        }
    }
}
