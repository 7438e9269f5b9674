//! TensorFlow Lite by its C interface: an interpreter with XNNPACK's kernels and one thread, as the backend makes one.
#![allow(unsafe_code, reason = "calls a C library")]

use std::ffi::{c_int, c_void};

use anira_intercept::Counted;
// Links the library.
use tflitec as _;

use super::{Case, Meter, noise};

unsafe extern "C" {
    fn TfLiteModelCreate(data: *const c_void, len: usize) -> *mut c_void;
    fn TfLiteInterpreterOptionsCreate() -> *mut c_void;
    fn TfLiteInterpreterOptionsSetNumThreads(options: *mut c_void, threads: i32);
    fn TfLiteInterpreterOptionsAddDelegate(options: *mut c_void, delegate: *mut c_void);
    fn TfLiteInterpreterCreate(model: *const c_void, options: *const c_void) -> *mut c_void;
    fn TfLiteInterpreterAllocateTensors(interpreter: *mut c_void) -> c_int;
    fn TfLiteInterpreterGetInputTensorCount(interpreter: *const c_void) -> i32;
    fn TfLiteInterpreterGetInputTensor(interpreter: *const c_void, index: i32) -> *mut c_void;
    fn TfLiteInterpreterInvoke(interpreter: *mut c_void) -> c_int;
    fn TfLiteTensorByteSize(tensor: *const c_void) -> usize;
    fn TfLiteTensorCopyFromBuffer(tensor: *mut c_void, data: *const c_void, len: usize) -> c_int;
    fn TfLiteXNNPackDelegateCreate(options: *const c_void) -> *mut c_void;
}

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    // As long as the process: nothing here is ever freed.
    let bytes: &'static [u8] = Box::leak(std::fs::read(case.file()).unwrap().into_boxed_slice());
    // SAFETY: the functions have these types in every version since 2.3; each gets what one before it gave, checked where it may be
    // null; the model's bytes and all objects stay for good; null options of the delegate mean its defaults.
    unsafe {
        let options = TfLiteInterpreterOptionsCreate();
        TfLiteInterpreterOptionsSetNumThreads(options, 1);
        TfLiteInterpreterOptionsAddDelegate(options, TfLiteXNNPackDelegateCreate(std::ptr::null()));
        let model = TfLiteModelCreate(bytes.as_ptr().cast(), bytes.len());
        assert!(!model.is_null());
        let interpreter = TfLiteInterpreterCreate(model, options);
        assert!(!interpreter.is_null());
        assert_eq!(TfLiteInterpreterAllocateTensors(interpreter), 0);
        for index in 0..TfLiteInterpreterGetInputTensorCount(interpreter) {
            let tensor = TfLiteInterpreterGetInputTensor(interpreter, index);
            let size = TfLiteTensorByteSize(tensor);
            let data = noise(size / size_of::<f32>());
            assert_eq!(TfLiteTensorCopyFromBuffer(tensor, data.as_ptr().cast(), size), 0);
        }
        meter.count(|| assert_eq!(TfLiteInterpreterInvoke(interpreter), 0))
    }
}
