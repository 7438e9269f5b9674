//! LiteRT by its C interface: a model compiled for the CPU with one thread, tensors in memory of ours.
#![allow(unsafe_code, reason = "calls a C library")]

use std::alloc::{Layout, alloc_zeroed};
use std::ffi::{CString, c_void};
use std::ptr::null_mut;

use anira_intercept::Counted;
use litert_sys as sys;

use super::{Case, Meter, noise};

extern "C" fn keep(_: *mut c_void) {}

pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let path = CString::new(case.file().to_str().unwrap()).unwrap();
    // SAFETY: the functions have these types; each gets what one before it gave, after its status was seen to be good; places that
    // are written to live during each call; all objects and memory stay for good; the texts live for ever and are not written.
    unsafe {
        let mut environment = null_mut();
        good(sys::LiteRtCreateEnvironment(0, std::ptr::null(), &raw mut environment));
        let mut model = null_mut();
        good(sys::LiteRtCreateModelFromFile(path.as_ptr(), &raw mut model));
        let mut options = null_mut();
        good(sys::LiteRtCreateOptions(&raw mut options));
        let cpu = sys::kLiteRtHwAcceleratorCpu as sys::LiteRtHwAcceleratorSet;
        good(sys::LiteRtSetOptionsHardwareAccelerators(options, cpu));
        let mut one_thread = null_mut();
        let payload = c"num_threads = 1\nkernel_mode = \"xnnpack\"\n".as_ptr().cast_mut().cast();
        good(sys::LiteRtCreateOpaqueOptions(c"xnnpack".as_ptr(), payload, Some(keep), &raw mut one_thread));
        good(sys::LiteRtAddOpaqueOptions(options, one_thread));
        let mut compiled = null_mut();
        good(sys::LiteRtCreateCompiledModel(environment, model, options, &raw mut compiled));
        let (mut signature, mut inputs, mut outputs) = (null_mut(), 0, 0);
        good(sys::LiteRtGetModelSignature(model, 0, &raw mut signature));
        good(sys::LiteRtGetNumSignatureInputs(signature, &raw mut inputs));
        good(sys::LiteRtGetNumSignatureOutputs(signature, &raw mut outputs));
        let input = |index| {
            let mut tensor = null_mut();
            good(sys::LiteRtGetSignatureInputTensorByIndex(signature, index, &raw mut tensor));
            buffer(tensor)
        };
        let output = |index| {
            let mut tensor = null_mut();
            good(sys::LiteRtGetSignatureOutputTensorByIndex(signature, index, &raw mut tensor));
            buffer(tensor)
        };
        let mut ins: Vec<_> = (0..inputs).map(input).collect();
        let mut outs: Vec<_> = (0..outputs).map(output).collect();
        let (inputs, outputs) = (ins.as_mut_ptr(), outs.as_mut_ptr());
        meter.count(|| good(sys::LiteRtRunCompiledModel(compiled, 0, ins.len(), inputs, outs.len(), outputs)))
    }
}

fn good(status: sys::LiteRtStatus) {
    assert_eq!(status, sys::kLiteRtStatusOk);
}

/// Memory for a tensor of float32 of a fixed shape, filled with noise.
///
/// # Safety
/// A tensor of a living model.
unsafe fn buffer(tensor: sys::LiteRtTensor) -> sys::LiteRtTensorBuffer {
    let mut ranked = sys::LiteRtRankedTensorType::default();
    // SAFETY: the caller's promise.
    good(unsafe { sys::LiteRtGetRankedTensorType(tensor, &raw mut ranked) });
    let extents = ranked.layout.dimensions.iter().take(ranked.layout.rank() as usize);
    let len = extents.map(|extent| usize::try_from(*extent).unwrap()).product::<usize>();
    let (data, size) = (noise(len), len * size_of::<f32>());
    let mut buffer = null_mut();
    // SAFETY: the memory has a size, is aligned as the library wants it and stays for good; the noise fills it.
    unsafe {
        let memory = alloc_zeroed(Layout::from_size_align(size + 64, 64).unwrap());
        assert!(!memory.is_null());
        memory.cast::<f32>().copy_from_nonoverlapping(data.as_ptr(), len);
        good(sys::LiteRtCreateTensorBufferFromHostMemory(
            &raw const ranked,
            memory.cast(),
            size,
            None,
            &raw mut buffer,
        ));
    }
    buffer
}
