//! What `ort` does not offer without allocating, or not for bytes that a file may have made up.
#![allow(
    unsafe_code,
    reason = "calls ONNX Runtime's C interface where its safe one allocates or trusts the model"
)]

use ort::session::{IoBinding, Session};
use ort::value::DynTensor;
use ort::{AsPointer, Error, Result};

/// Runs a session on what is bound to it. Nothing of ours is allocated: `Session::run_binding` does the same, and then
/// makes a list of all outputs.
pub(crate) fn run(session: &mut Session, binding: &IoBinding) -> Result<()> {
    // SAFETY: both pointers are those of living objects, the session is borrowed alone, the binding is not changed by anybody
    // meanwhile (its setters take it alone), and null stands for the default run options.
    let status = unsafe { (ort::api().RunWithBinding)(session.ptr_mut(), std::ptr::null(), binding.ptr()) };
    // SAFETY: the status that the call has just given, used once.
    unsafe { Error::result_from_status(status) }
}

/// The elements of a boolean tensor of the processor's, as bytes: what a model makes of them need not be 0 or 1, and a
/// `bool` of another value is no `bool`.
pub(crate) fn bytes(tensor: &DynTensor, len: usize) -> &[u8] {
    let data = tensor.data_ptr().cast::<u8>();
    if data.is_null() || len > tensor.shape().num_elements() {
        return &[];
    }
    // SAFETY: a tensor of booleans has as many bytes as elements, and those of the processor's memory can be read; any byte is a
    // `u8`. The borrow of the tensor keeps it alive and its elements unchanged.
    unsafe { std::slice::from_raw_parts(data, len) }
}
