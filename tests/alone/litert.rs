//! LiteRT by its C interface: a model compiled for the CPU with one thread, its buffers made once from memory of ours.
#![allow(unsafe_code, reason = "calls a C library")]

use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

use anira_intercept::Counted;
use litert_sys as sys;

use super::{Case, Meter, noise};

fn check(status: sys::LiteRtStatus) {
    assert_eq!(status, sys::kLiteRtStatusOk);
}

/// Memory as the library wants it: at a multiple of 64 bytes.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

extern "C" fn keep(_: *mut c_void) {}

/// What is made lives as long as the process, which counts and ends.
pub(super) fn count(case: &Case, meter: Meter) -> Vec<Counted> {
    let path = CString::new(case.file().to_str().unwrap()).unwrap();
    let (mut environment, mut model, mut options, mut compiled) =
        (null_mut(), null_mut(), null_mut(), null_mut());
    let mut signature = null_mut();
    let (mut inputs, mut outputs) = (0, 0);
    // SAFETY: handles go only where the library's interface says, and none is destroyed; texts end with a zero and live for ever,
    // or, the path, during the call.
    unsafe {
        check(sys::LiteRtCreateEnvironment(0, null(), &raw mut environment));
        check(sys::LiteRtCreateModelFromFile(path.as_ptr(), &raw mut model));
        check(sys::LiteRtCreateOptions(&raw mut options));
        let cpu = sys::kLiteRtHwAcceleratorCpu as sys::LiteRtHwAcceleratorSet;
        check(sys::LiteRtSetOptionsHardwareAccelerators(options, cpu));
        let one: &'static CStr = c"num_threads = 1\nkernel_mode = \"xnnpack\"\n";
        let mut opaque = null_mut();
        let payload = one.as_ptr().cast_mut().cast();
        check(sys::LiteRtCreateOpaqueOptions(c"xnnpack".as_ptr(), payload, Some(keep), &raw mut opaque));
        check(sys::LiteRtAddOpaqueOptions(options, opaque));
        check(sys::LiteRtCreateCompiledModel(environment, model, options, &raw mut compiled));
        check(sys::LiteRtGetModelSignature(model, 0, &raw mut signature));
        check(sys::LiteRtGetNumSignatureInputs(signature, &raw mut inputs));
        check(sys::LiteRtGetNumSignatureOutputs(signature, &raw mut outputs));
    }
    let buffer = |tensor: sys::LiteRtTensor| {
        let mut ranked = sys::LiteRtRankedTensorType::default();
        // SAFETY: a tensor of the model, which lives.
        check(unsafe { sys::LiteRtGetRankedTensorType(tensor, &raw mut ranked) });
        let extents = ranked.layout.dimensions.iter().take(ranked.layout.rank() as usize);
        let len: usize = extents.map(|extent| usize::try_from(*extent).unwrap()).product();
        let mut lines = vec![Line([0.0; 16]); len.div_ceil(16) + 1];
        for (line, numbers) in lines.iter_mut().zip(noise(len).chunks(16)) {
            line.0[..numbers.len()].copy_from_slice(numbers);
        }
        let memory = Vec::leak(lines).as_mut_ptr().cast();
        let mut made = null_mut();
        // SAFETY: the memory is at least so long, begins where it has to, and is never freed.
        check(unsafe {
            sys::LiteRtCreateTensorBufferFromHostMemory(
                &raw const ranked,
                memory,
                4 * len,
                None,
                &raw mut made,
            )
        });
        made
    };
    let input = |index| {
        let mut tensor = null_mut();
        // SAFETY: there is an input of this index.
        check(unsafe { sys::LiteRtGetSignatureInputTensorByIndex(signature, index, &raw mut tensor) });
        buffer(tensor)
    };
    let output = |index| {
        let mut tensor = null_mut();
        // SAFETY: there is an output of this index.
        check(unsafe { sys::LiteRtGetSignatureOutputTensorByIndex(signature, index, &raw mut tensor) });
        buffer(tensor)
    };
    let mut ins: Vec<_> = (0..inputs).map(input).collect();
    let mut outs: Vec<_> = (0..outputs).map(output).collect();
    meter.count(|| {
        // SAFETY: as many buffers as said, which nobody else has.
        check(unsafe {
            sys::LiteRtRunCompiledModel(
                compiled,
                0,
                ins.len(),
                ins.as_mut_ptr(),
                outs.len(),
                outs.as_mut_ptr(),
            )
        });
    })
}
