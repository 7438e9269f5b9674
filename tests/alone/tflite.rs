//! TensorFlow Lite by its C interface: an interpreter with XNNPACK and one thread, its tensors written in place.
#![allow(unsafe_code, reason = "calls a C library")]

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::null;

use anira_intercept::Counted;
// Links the library.
use tflitec as _;

use super::{Case, Meter, noise};

unsafe extern "C" {
    fn TfLiteModelCreateFromFile(path: *const c_char) -> *mut c_void;
    fn TfLiteInterpreterOptionsCreate() -> *mut c_void;
    fn TfLiteInterpreterOptionsSetNumThreads(options: *mut c_void, threads: i32);
    fn TfLiteInterpreterOptionsAddDelegate(options: *mut c_void, delegate: *mut c_void);
    fn TfLiteXNNPackDelegateCreate(options: *const c_void) -> *mut c_void;
    fn TfLiteInterpreterCreate(model: *const c_void, options: *const c_void) -> *mut c_void;
    fn TfLiteInterpreterAllocateTensors(interpreter: *mut c_void) -> c_int;
    fn TfLiteInterpreterInvoke(interpreter: *mut c_void) -> c_int;
    fn TfLiteInterpreterGetInputTensorCount(interpreter: *const c_void) -> i32;
    fn TfLiteInterpreterGetInputTensor(interpreter: *const c_void, index: i32) -> *mut c_void;
    fn TfLiteTensorByteSize(tensor: *const c_void) -> usize;
    fn TfLiteTensorData(tensor: *const c_void) -> *mut f32;
}

/// What is made lives as long as the process, which counts and ends.
pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let path = CString::new(case.file().to_str().unwrap()).unwrap();
    // SAFETY: handles go only where the library's interface says, and none is deleted; the path ends with a zero.
    let interpreter = unsafe {
        let model = TfLiteModelCreateFromFile(path.as_ptr());
        let options = TfLiteInterpreterOptionsCreate();
        TfLiteInterpreterOptionsSetNumThreads(options, 1);
        TfLiteInterpreterOptionsAddDelegate(options, TfLiteXNNPackDelegateCreate(null()));
        assert!(!model.is_null() && !options.is_null());
        let interpreter = TfLiteInterpreterCreate(model, options);
        assert!(!interpreter.is_null() && TfLiteInterpreterAllocateTensors(interpreter) == 0);
        interpreter
    };
    // SAFETY: the interpreter lives.
    let inputs = unsafe { TfLiteInterpreterGetInputTensorCount(interpreter) };
    for index in 0..inputs {
        // SAFETY: there is an input of this index; these models' are f32, and have memory of the size that they say.
        let to = unsafe {
            let tensor = TfLiteInterpreterGetInputTensor(interpreter, index);
            std::slice::from_raw_parts_mut(TfLiteTensorData(tensor), TfLiteTensorByteSize(tensor) / 4)
        };
        to.copy_from_slice(&noise(to.len()));
    }
    // SAFETY: the interpreter lives, and nobody else has it.
    meter.count(|| assert!(unsafe { TfLiteInterpreterInvoke(interpreter) } == 0))
}
