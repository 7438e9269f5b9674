//! ONNX Runtime through the crate `ort`: a session with everything bound once.

use anira_intercept::Counted;
use ort::memory::Allocator;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, Tensor, ValueType};

use super::{Case, Meter, noise};

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let library = std::env::var_os("ORT_DYLIB_PATH").unwrap();
    let environment = ort::init_from(std::path::Path::new(&library)).unwrap().build().unwrap();
    let mut session = Session::builder(&environment)
        .and_then(|builder| Ok(builder.with_intra_threads(1)?.with_inter_threads(1)?))
        .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
        .unwrap()
        .commit_from_file(case.file())
        .unwrap();
    let mut binding = session.create_binding().unwrap();
    for outlet in session.inputs() {
        let mut tensor = zeros(case, outlet);
        let to = tensor.try_extract_tensor_mut::<f32>().unwrap().1;
        to.copy_from_slice(&noise(to.len()));
        binding.bind_input(outlet.name(), &tensor).unwrap();
    }
    let mut outputs: Vec<_> = session.outputs().iter().map(|outlet| zeros(case, outlet)).collect();
    for (outlet, tensor) in session.outputs().iter().zip(&mut outputs) {
        binding.bind_output(outlet.name(), tensor).unwrap();
    }
    meter.count(|| drop(session.run_binding(&binding).unwrap()))
}

fn zeros(case: &Case, outlet: &Outlet) -> Tensor<f32> {
    let ValueType::Tensor { shape, .. } = outlet.dtype() else { panic!("{} is no tensor", outlet.name()) };
    let said: Vec<_> = shape.iter().map(|extent| usize::try_from(*extent).ok()).collect();
    let shape = case.shape(outlet.name(), &said);
    Tensor::new(&Allocator::default(), shape).unwrap()
}
