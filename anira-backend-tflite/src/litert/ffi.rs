//! The C interface of LiteRT, wrapped so that nothing outside of this file is unsafe.
//!
//! Declared and linked by the crate `litert-sys`; why not its wrapper `litert`, see Cargo.toml.
#![allow(unsafe_code, reason = "calls a C library")]

use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, OnceLock};

use litert_sys as sys;

use crate::memory::Aligned;

/// A call failed; the library's words.
#[derive(Clone, Debug)]
pub(crate) struct Failed(pub(crate) String);

fn check(doing: &str, status: sys::LiteRtStatus) -> Result<(), Failed> {
    if status == sys::kLiteRtStatusOk {
        return Ok(());
    }
    let words = words(status);
    Err(Failed(format!("{doing}: {words} (status {status})")))
}

/// What the commoner numbers mean. (The library has a function for it, and does not export it.)
fn words(status: sys::LiteRtStatus) -> &'static str {
    match status {
        sys::kLiteRtStatusErrorInvalidArgument => "an argument is not valid",
        sys::kLiteRtStatusErrorMemoryAllocationFailure => "no memory",
        sys::kLiteRtStatusErrorRuntimeFailure => "it failed",
        sys::kLiteRtStatusErrorUnsupported => "not supported",
        sys::kLiteRtStatusErrorNotFound => "not found",
        sys::kLiteRtStatusErrorWrongVersion => "another version is needed",
        sys::kLiteRtStatusErrorInvalidFlatbuffer => "the file is not well formed",
        _ => "it does not say why",
    }
}

/// # Safety
/// Null, or text that ends with a zero and lives during the call.
unsafe fn text(chars: *const std::ffi::c_char) -> String {
    if chars.is_null() {
        return String::new();
    }
    // SAFETY: not null; the rest is the caller's promise.
    unsafe { CStr::from_ptr(chars) }.to_string_lossy().into_owned()
}

/// The library's surroundings: one for the process, never destroyed.
#[derive(Debug)]
struct Environment(NonNull<sys::LiteRtEnvironmentT>);

// SAFETY: it is only read once it is made: by models that are compiled, and by nothing that this file calls later.
unsafe impl Send for Environment {}
// SAFETY: as above.
unsafe impl Sync for Environment {}

fn environment() -> Result<&'static Environment, Failed> {
    static ENVIRONMENT: OnceLock<Result<Environment, Failed>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let mut raw = null_mut();
        // SAFETY: no options are given; one handle is written.
        check("making an environment", unsafe {
            sys::LiteRtCreateEnvironment(0, std::ptr::null(), &raw mut raw)
        })?;
        NonNull::new(raw).map(Environment).ok_or_else(|| Failed("an environment is null".into()))
    });
    made.as_ref().map_err(Clone::clone)
}

/// The file in memory, as the library has read it: shared by compiled models, never written.
#[derive(Debug)]
pub(crate) struct Flat {
    model: NonNull<sys::LiteRtModelT>,
    /// What the model points into. Never moved or changed.
    _bytes: Aligned,
}

// SAFETY: the library only reads from a model once it is made.
unsafe impl Send for Flat {}
// SAFETY: as above.
unsafe impl Sync for Flat {}

impl Flat {
    /// Takes a file over. It must have been read by [`crate::file`] first.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Failed> {
        let bytes = Aligned::copy(bytes);
        let (start, len, mut raw) = (bytes.bytes().as_ptr().cast(), bytes.bytes().len(), null_mut());
        // SAFETY: the bytes are there, stay where they are and unchanged until the model is destroyed (see `drop`).
        check("reading", unsafe { sys::LiteRtCreateModelFromBuffer(start, len, &raw mut raw) })?;
        let model = NonNull::new(raw).ok_or_else(|| Failed("reading: a model is null".into()))?;
        Ok(Self { model, _bytes: bytes })
    }

    /// Inputs and outputs of a named signature, in its order.
    pub(crate) fn tensors(&self, entry: usize) -> Result<(Vec<Described>, Vec<Described>), Failed> {
        let mut signature = null_mut();
        let (mut inputs, mut outputs) = (0, 0);
        // SAFETY: the model lives; the signature lives as long as it; indices are below the counts that the library
        // gives, and what it writes to lives during each call.
        unsafe {
            let model = self.model.as_ptr();
            check("reading its signature", sys::LiteRtGetModelSignature(model, entry, &raw mut signature))?;
            check("reading its signature", sys::LiteRtGetNumSignatureInputs(signature, &raw mut inputs))?;
            check("reading its signature", sys::LiteRtGetNumSignatureOutputs(signature, &raw mut outputs))?;
            let input = |i| {
                let (mut name, mut tensor) = (std::ptr::null(), null_mut());
                check("reading an input", sys::LiteRtGetSignatureInputName(signature, i, &raw mut name))?;
                let status = sys::LiteRtGetSignatureInputTensorByIndex(signature, i, &raw mut tensor);
                check("reading an input", status)?;
                describe(text(name), tensor)
            };
            let output = |i| {
                let (mut name, mut tensor) = (std::ptr::null(), null_mut());
                check("reading an output", sys::LiteRtGetSignatureOutputName(signature, i, &raw mut name))?;
                let status = sys::LiteRtGetSignatureOutputTensorByIndex(signature, i, &raw mut tensor);
                check("reading an output", status)?;
                describe(text(name), tensor)
            };
            Ok((
                (0..inputs).map(input).collect::<Result<_, _>>()?,
                (0..outputs).map(output).collect::<Result<_, _>>()?,
            ))
        }
    }
}

impl Drop for Flat {
    fn drop(&mut self) {
        // SAFETY: made by this file, destroyed once; compiled models hold an `Arc` of this.
        unsafe { sys::LiteRtDestroyModel(self.model.as_ptr()) };
    }
}

/// A tensor of the library's as it describes itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: u32,
    /// −1 where an extent is open.
    pub(crate) shape: Vec<i32>,
}

/// # Safety
/// A tensor of a living model.
unsafe fn describe(name: String, tensor: sys::LiteRtTensor) -> Result<Described, Failed> {
    let mut ranked = sys::LiteRtRankedTensorType::default();
    // SAFETY: the caller's promise.
    check("reading a tensor", unsafe { sys::LiteRtGetRankedTensorType(tensor, &raw mut ranked) })?;
    Ok(Described { name, kind: ranked.element_type, shape: extents(&ranked.layout) })
}

fn extents(layout: &sys::LiteRtLayout) -> Vec<i32> {
    layout.dimensions.iter().copied().take(layout.rank() as usize).collect()
}

/// Memory of ours that the library reads and writes in place.
#[derive(Debug)]
pub(crate) struct Buffer {
    buffer: NonNull<sys::LiteRtTensorBufferT>,
    memory: Aligned,
}

// SAFETY: a handle that nobody else has, to memory that nobody else has.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Zeros in this shape, of an element type by its number and size. At most eight dimensions.
    pub(crate) fn new(kind: u32, size: usize, shape: &[i32]) -> Result<Self, Failed> {
        let mut ranked = sys::LiteRtRankedTensorType { element_type: kind, ..Default::default() };
        ranked.layout.set_rank(shape.len() as u32);
        ranked.layout.dimensions.iter_mut().zip(shape).for_each(|(to, n)| *to = *n);
        let len = shape.iter().map(|n| (*n).max(0) as usize).product::<usize>() * size;
        let (mut memory, mut raw) = (Aligned::zeros(len), null_mut());
        let start = memory.bytes_mut().as_mut_ptr().cast::<c_void>();
        // SAFETY: the memory is so long, begins where the library wants it, and outlives the buffer (see `drop`); the
        // library is told not to free it.
        let status = unsafe {
            sys::LiteRtCreateTensorBufferFromHostMemory(&raw const ranked, start, len, None, &raw mut raw)
        };
        check("making a buffer", status)?;
        let buffer = NonNull::new(raw).ok_or_else(|| Failed("a buffer is null".into()))?;
        Ok(Self { buffer, memory })
    }

    /// The memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// The memory, to be written. Not while a model runs, as that borrows all buffers.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made by this file, destroyed once, before its memory.
        unsafe { sys::LiteRtDestroyTensorBuffer(self.buffer.as_ptr()) };
    }
}

/// A model made ready for the CPU, with one thread: that which calls it.
#[derive(Debug)]
pub(crate) struct Compiled {
    compiled: NonNull<sys::LiteRtCompiledModelT>,
    entry: usize,
    /// What it reads weights from.
    _flat: Arc<Flat>,
    /// What a run is handed: kept, so that it allocates nothing.
    handles: (Vec<sys::LiteRtTensorBuffer>, Vec<sys::LiteRtTensorBuffer>),
}

// SAFETY: bound to no thread; it has only to be used by one at a time: it is not `Sync`. The handles are only read in
// `run`, which has written them just before.
unsafe impl Send for Compiled {}

/// Options, destroyed at the end.
struct Options(NonNull<sys::LiteRtOptionsT>);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: made by this file, destroyed once.
        unsafe { sys::LiteRtDestroyOptions(self.0.as_ptr()) };
    }
}

/// Text that lives for ever needs no deallocator.
extern "C" fn keep(_: *mut c_void) {}

impl Options {
    fn new(xnnpack: bool) -> Result<Self, Failed> {
        let mut raw = null_mut();
        // SAFETY: writes one handle.
        check("making options", unsafe { sys::LiteRtCreateOptions(&raw mut raw) })?;
        let options = Self(NonNull::new(raw).ok_or_else(|| Failed("options are null".into()))?);
        let cpu = sys::kLiteRtHwAcceleratorCpu as sys::LiteRtHwAcceleratorSet;
        // SAFETY: the options were just made.
        check("choosing the CPU", unsafe {
            sys::LiteRtSetOptionsHardwareAccelerators(options.0.as_ptr(), cpu)
        })?;
        let kernels = if xnnpack {
            c"num_threads = 1\nkernel_mode = \"xnnpack\"\n"
        } else {
            c"num_threads = 1\nkernel_mode = \"builtin\"\n"
        };
        options.add(c"xnnpack", kernels)?;
        // Keep errors for whoever asks, instead of printing them.
        options.add(c"runtime_options_string", c"error_reporter_mode = 2\n")?;
        Ok(options)
    }

    /// Adds settings of one part of the library, in its own language.
    fn add(&self, part: &'static CStr, settings: &'static CStr) -> Result<(), Failed> {
        let mut raw = null_mut();
        let payload = settings.as_ptr().cast_mut().cast();
        // SAFETY: both texts live for ever; the library does not write the payload, and "frees" it by `keep`. The
        // options take the opaque ones over.
        unsafe {
            let status = sys::LiteRtCreateOpaqueOptions(part.as_ptr(), payload, Some(keep), &raw mut raw);
            check("making options", status)?;
            check("making options", sys::LiteRtAddOpaqueOptions(self.0.as_ptr(), raw))
        }
    }
}

impl Compiled {
    /// Compiles the model for the CPU, to run this signature.
    pub(crate) fn new(flat: Arc<Flat>, entry: usize, xnnpack: bool) -> Result<Self, Failed> {
        let environment = environment()?;
        let options = Options::new(xnnpack)?;
        let mut raw = null_mut();
        // SAFETY: environment, model and options live; the first for ever, the model as long as this (`_flat`), the
        // options are read during the call.
        let status = unsafe {
            let (model, options) = (flat.model.as_ptr(), options.0.as_ptr());
            sys::LiteRtCreateCompiledModel(environment.0.as_ptr(), model, options, &raw mut raw)
        };
        check("compiling", status)?;
        let compiled = NonNull::new(raw).ok_or_else(|| Failed("compiling: a model is null".into()))?;
        Ok(Self { compiled, entry, _flat: flat, handles: Default::default() })
    }

    /// Gives an input this shape.
    pub(crate) fn resize(&mut self, input: usize, shape: &[i32]) -> Result<(), Failed> {
        let compiled = self.compiled.as_ptr();
        // SAFETY: the extents are as many as said; the library checks the indices.
        let status = unsafe {
            sys::LiteRtCompiledModelResizeInputTensor(
                compiled,
                self.entry,
                input,
                shape.as_ptr(),
                shape.len(),
            )
        };
        self.done("resizing", status)
    }

    /// The shapes of the outputs that follow from those of the inputs.
    pub(crate) fn outputs(&mut self, count: usize) -> Result<Vec<Vec<i32>>, Failed> {
        let mut layouts = vec![sys::LiteRtLayout::default(); count];
        let (compiled, start) = (self.compiled.as_ptr(), layouts.as_mut_ptr());
        // SAFETY: there is room for so many layouts.
        let status = unsafe {
            sys::LiteRtGetCompiledModelOutputTensorLayouts(compiled, self.entry, count, start, true)
        };
        self.done("reading the outputs' shapes", status)?;
        Ok(layouts.iter().map(extents).collect())
    }

    /// Runs the model on these buffers, which are in the order of the signature.
    pub(crate) fn run(&mut self, inputs: &mut [Buffer], outputs: &mut [Buffer]) -> Result<(), Failed> {
        let (ins, outs) = &mut self.handles;
        ins.clear();
        ins.extend(inputs.iter().map(|b| b.buffer.as_ptr()));
        outs.clear();
        outs.extend(outputs.iter().map(|b| b.buffer.as_ptr()));
        // SAFETY: as many handles as said, of buffers that are borrowed mutably during the call.
        let status = unsafe {
            let (ins_start, outs_start) = (ins.as_mut_ptr(), outs.as_mut_ptr());
            let compiled = self.compiled.as_ptr();
            sys::LiteRtRunCompiledModel(compiled, self.entry, ins.len(), ins_start, outs.len(), outs_start)
        };
        self.done("running", status)
    }

    /// What the library has said of its errors is added to the status.
    fn done(&self, doing: &str, status: sys::LiteRtStatus) -> Result<(), Failed> {
        let Err(Failed(mut words)) = check(doing, status) else { return Ok(()) };
        let mut said = null_mut();
        // SAFETY: the library gives text that it has allocated for the caller with `malloc`, or nothing.
        unsafe {
            let status = sys::LiteRtCompiledModelGetErrorMessages(self.compiled.as_ptr(), &raw mut said);
            if status == sys::kLiteRtStatusOk && !said.is_null() {
                words = format!("{words}: {}", text(said).trim());
                free(said.cast());
            }
            sys::LiteRtCompiledModelClearErrors(self.compiled.as_ptr());
        }
        Err(Failed(words))
    }
}

unsafe extern "C" {
    fn free(memory: *mut c_void);
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: made by this file, destroyed once, before its model.
        unsafe { sys::LiteRtDestroyCompiledModel(self.compiled.as_ptr()) };
    }
}
