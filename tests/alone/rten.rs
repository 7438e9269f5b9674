//! rten by its own interface, inside of a pool of one thread, where it runs on the spot.

use std::sync::Arc;

use anira_intercept::Counted;
use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::{AsView, Tensor};

use super::{Case, Meter, noise};

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let model = Model::load_file(case.file()).unwrap();
    let inputs: Vec<(NodeId, Tensor<f32>)> = model
        .input_ids()
        .iter()
        .map(|id| {
            let info = model.node_info(*id).unwrap();
            let extent = |dimension: &Dimension| match dimension {
                Dimension::Fixed(size) => Some(*size),
                Dimension::Symbolic(_) => None,
            };
            let said: Vec<_> = info.shape().unwrap().iter().map(extent).collect();
            let shape = case.shape(info.name().unwrap_or(""), &said);
            let data = noise(shape.iter().product());
            (*id, Tensor::from_data(&shape[..], data))
        })
        .collect();
    let pool = Arc::new(ThreadPool::with_num_threads(1));
    let lent = Arc::clone(&pool);
    pool.run(move || {
        meter.count(|| {
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&lent)));
            let values = inputs.iter().map(|(id, tensor)| (*id, tensor.view().into())).collect();
            drop(model.run(values, model.output_ids(), Some(options)).unwrap());
        })
    })
}
