//! The C interface of TensorFlow Lite, wrapped so that nothing outside of this file is unsafe.
//!
//! The library is found and linked by the crate `tflitec`. Its safe wrapper is not used: it prints errors instead of
//! giving them, cannot turn XNNPACK on for the library in question (whose options have another size), cannot write a
//! tensor in place, and borrows the model. The functions below are those that every version since 2.3 has alike.
#![allow(unsafe_code, reason = "calls a C library")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

// Links the library.
use tflitec as _;

use crate::memory::Aligned;

#[repr(C)]
struct RawModel(c_void);
#[repr(C)]
struct RawOptions(c_void);
#[repr(C)]
struct RawInterpreter(c_void);
#[repr(C)]
struct RawTensor(c_void);
#[repr(C)]
struct RawDelegate(c_void);
#[repr(C)]
struct RawScale {
    scale: f32,
    zero_point: i32,
}

/// A C `va_list` as it is handed to a function: on every platform of Rust's first tier one pointer, or what is passed
/// like one.
type Arguments = *mut c_void;
type Reporter = extern "C" fn(user: *mut c_void, format: *const c_char, arguments: Arguments);

unsafe extern "C" {
    fn TfLiteVersion() -> *const c_char;
    fn TfLiteModelCreate(data: *const c_void, len: usize) -> *mut RawModel;
    fn TfLiteModelDelete(model: *mut RawModel);
    fn TfLiteInterpreterOptionsCreate() -> *mut RawOptions;
    fn TfLiteInterpreterOptionsDelete(options: *mut RawOptions);
    fn TfLiteInterpreterOptionsSetNumThreads(options: *mut RawOptions, threads: i32);
    fn TfLiteInterpreterOptionsSetErrorReporter(
        options: *mut RawOptions,
        reporter: Reporter,
        user: *mut c_void,
    );
    fn TfLiteInterpreterOptionsAddDelegate(options: *mut RawOptions, delegate: *mut RawDelegate);
    fn TfLiteInterpreterCreate(model: *const RawModel, options: *const RawOptions) -> *mut RawInterpreter;
    fn TfLiteInterpreterDelete(interpreter: *mut RawInterpreter);
    fn TfLiteInterpreterGetInputTensorCount(interpreter: *const RawInterpreter) -> i32;
    fn TfLiteInterpreterGetInputTensor(interpreter: *const RawInterpreter, index: i32) -> *mut RawTensor;
    fn TfLiteInterpreterGetOutputTensorCount(interpreter: *const RawInterpreter) -> i32;
    fn TfLiteInterpreterGetOutputTensor(interpreter: *const RawInterpreter, index: i32) -> *const RawTensor;
    fn TfLiteInterpreterResizeInputTensor(
        interpreter: *mut RawInterpreter,
        index: i32,
        extents: *const c_int,
        count: i32,
    ) -> c_int;
    fn TfLiteInterpreterAllocateTensors(interpreter: *mut RawInterpreter) -> c_int;
    fn TfLiteInterpreterInvoke(interpreter: *mut RawInterpreter) -> c_int;
    fn TfLiteTensorType(tensor: *const RawTensor) -> u32;
    fn TfLiteTensorNumDims(tensor: *const RawTensor) -> i32;
    fn TfLiteTensorDim(tensor: *const RawTensor, index: i32) -> i32;
    fn TfLiteTensorByteSize(tensor: *const RawTensor) -> usize;
    fn TfLiteTensorData(tensor: *const RawTensor) -> *mut c_void;
    fn TfLiteTensorName(tensor: *const RawTensor) -> *const c_char;
    fn TfLiteTensorQuantizationParams(tensor: *const RawTensor) -> RawScale;
    fn TfLiteXNNPackDelegateCreate(options: *const c_void) -> *mut RawDelegate;
    fn TfLiteXNNPackDelegateDelete(delegate: *mut RawDelegate);
    fn vsnprintf(to: *mut c_char, len: usize, format: *const c_char, arguments: Arguments) -> c_int;
}

/// The library's version, as it says it.
pub(crate) fn version() -> String {
    // SAFETY: the function takes nothing and gives text that lives as long as the library.
    unsafe { text(TfLiteVersion()) }
}

/// # Safety
/// Null, or text that ends with a zero and lives during the call.
unsafe fn text(chars: *const c_char) -> String {
    if chars.is_null() {
        return String::new();
    }
    // SAFETY: not null; the rest is the caller's promise.
    unsafe { CStr::from_ptr(chars) }.to_string_lossy().into_owned()
}

/// The file in memory, as the library has read it: shared by interpreters, never written.
#[derive(Debug)]
pub(crate) struct Flat {
    model: NonNull<RawModel>,
    /// What the model points into. Never moved or changed.
    _bytes: Aligned,
}

// SAFETY: the library only reads from a model once it is made, and its interpreters count references atomically.
unsafe impl Send for Flat {}
// SAFETY: as above.
unsafe impl Sync for Flat {}

impl Flat {
    /// Takes a file over; `None` if the library refuses it. The file must have been read by [`crate::file`] first: the
    /// library trusts it.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = Aligned::copy(bytes);
        // SAFETY: the bytes are there, stay where they are and unchanged until the model is deleted (see `drop`).
        let model = unsafe { TfLiteModelCreate(bytes.bytes().as_ptr().cast(), bytes.bytes().len()) };
        Some(Self { model: NonNull::new(model)?, _bytes: bytes })
    }
}

impl Drop for Flat {
    fn drop(&mut self) {
        // SAFETY: made by `TfLiteModelCreate`, deleted once; interpreters hold an `Arc` of this.
        unsafe { TfLiteModelDelete(self.model.as_ptr()) };
    }
}

/// What the library has said of its errors since it was last asked.
type Said = Mutex<String>;

/// Keeps the library's message.
extern "C" fn report(user: *mut c_void, format: *const c_char, arguments: Arguments) {
    let mut line = [0u8; 512];
    // SAFETY: the library gives a format and what belongs to it; the length is that of the buffer, and `vsnprintf`
    // ends it with a zero. `user` is the `Said` that the interpreter owns until after it is deleted.
    let said = unsafe {
        vsnprintf(line.as_mut_ptr().cast(), line.len(), format, arguments);
        &*user.cast::<Said>()
    };
    let line = String::from_utf8_lossy(line.split(|b| *b == 0).next().unwrap_or_default()).into_owned();
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < 2048 {
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(line.trim());
    }
}

/// A tensor of the library's as it describes itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) shape: Vec<i32>,
    pub(crate) scale: (f32, i32),
    pub(crate) bytes: usize,
}

/// # Safety
/// A tensor of a living interpreter.
unsafe fn describe(tensor: *const RawTensor) -> Described {
    // SAFETY: the caller's promise; dimensions are asked for within their count.
    unsafe {
        let scale = TfLiteTensorQuantizationParams(tensor);
        Described {
            name: text(TfLiteTensorName(tensor)),
            kind: TfLiteTensorType(tensor),
            shape: (0..TfLiteTensorNumDims(tensor)).map(|i| TfLiteTensorDim(tensor, i)).collect(),
            scale: (scale.scale, scale.zero_point),
            bytes: TfLiteTensorByteSize(tensor),
        }
    }
}

/// One interpreter of a model, with one thread: that which calls it.
#[derive(Debug)]
pub(crate) struct Interpreter {
    interpreter: NonNull<RawInterpreter>,
    delegate: Option<NonNull<RawDelegate>>,
    said: Box<Said>,
    /// What the interpreter reads weights from.
    _flat: Arc<Flat>,
    inputs: usize,
    outputs: usize,
}

// SAFETY: an interpreter is bound to no thread, it has only to be used by one at a time: it is not `Sync`.
unsafe impl Send for Interpreter {}

/// A call failed; the library's words.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl Interpreter {
    /// An interpreter of this model, with XNNPACK's kernels or without.
    pub(crate) fn new(flat: Arc<Flat>, xnnpack: bool) -> Result<Self, Failed> {
        let said = Box::new(Said::default());
        // SAFETY: options are made, used and deleted here. The reporter's `said` is on the heap and outlives the
        // interpreter, as `drop` deletes that first. The delegate is deleted after the interpreter, or here if there is
        // none. Null options of the delegate mean its defaults in every version: one thread.
        let (interpreter, delegate) = unsafe {
            let options = TfLiteInterpreterOptionsCreate();
            if options.is_null() {
                return Err(Failed("no memory for options".into()));
            }
            TfLiteInterpreterOptionsSetNumThreads(options, 1);
            TfLiteInterpreterOptionsSetErrorReporter(options, report, (&raw const *said).cast_mut().cast());
            let delegate =
                if xnnpack { NonNull::new(TfLiteXNNPackDelegateCreate(std::ptr::null())) } else { None };
            if let Some(delegate) = delegate {
                TfLiteInterpreterOptionsAddDelegate(options, delegate.as_ptr());
            }
            let interpreter = TfLiteInterpreterCreate(flat.model.as_ptr(), options);
            TfLiteInterpreterOptionsDelete(options);
            (NonNull::new(interpreter), delegate)
        };
        let Some(interpreter) = interpreter else {
            if let Some(delegate) = delegate {
                // SAFETY: made above, and nobody holds it.
                unsafe { TfLiteXNNPackDelegateDelete(delegate.as_ptr()) };
            }
            return Err(failed(&said));
        };
        // SAFETY: the interpreter was just made.
        let (inputs, outputs) = unsafe {
            let interpreter = interpreter.as_ptr();
            (
                TfLiteInterpreterGetInputTensorCount(interpreter),
                TfLiteInterpreterGetOutputTensorCount(interpreter),
            )
        };
        let (inputs, outputs) = (inputs.max(0) as usize, outputs.max(0) as usize);
        Ok(Self { interpreter, delegate, said, _flat: flat, inputs, outputs })
    }

    /// Gives an input this shape. All tensors are without memory until [`allocate`](Self::allocate).
    pub(crate) fn resize(&mut self, input: usize, shape: &[i32]) -> Result<(), Failed> {
        let interpreter = self.interpreter.as_ptr();
        // SAFETY: the extents are as many as said, and the library checks the index.
        let status = unsafe {
            TfLiteInterpreterResizeInputTensor(interpreter, input as i32, shape.as_ptr(), shape.len() as i32)
        };
        self.done(status)
    }

    /// Gives every tensor memory.
    pub(crate) fn allocate(&mut self) -> Result<(), Failed> {
        // SAFETY: the interpreter lives, and this is the only reference to it.
        let status = unsafe { TfLiteInterpreterAllocateTensors(self.interpreter.as_ptr()) };
        self.done(status)
    }

    /// Runs the model.
    pub(crate) fn invoke(&mut self) -> Result<(), Failed> {
        // SAFETY: as above.
        let status = unsafe { TfLiteInterpreterInvoke(self.interpreter.as_ptr()) };
        self.done(status)
    }

    fn done(&self, status: c_int) -> Result<(), Failed> {
        if status == 0 { Ok(()) } else { Err(failed(&self.said)) }
    }

    fn input(&self, index: usize) -> Option<NonNull<RawTensor>> {
        if index >= self.inputs {
            return None;
        }
        // SAFETY: there is an input of this index.
        NonNull::new(unsafe { TfLiteInterpreterGetInputTensor(self.interpreter.as_ptr(), index as i32) })
    }

    fn output(&self, index: usize) -> Option<NonNull<RawTensor>> {
        if index >= self.outputs {
            return None;
        }
        // SAFETY: there is an output of this index.
        let tensor = unsafe { TfLiteInterpreterGetOutputTensor(self.interpreter.as_ptr(), index as i32) };
        NonNull::new(tensor.cast_mut())
    }

    /// All inputs as the library describes them.
    pub(crate) fn inputs(&self) -> Vec<Described> {
        // SAFETY: tensors of this living interpreter.
        (0..self.inputs).filter_map(|i| self.input(i)).map(|t| unsafe { describe(t.as_ptr()) }).collect()
    }

    /// All outputs as the library describes them.
    pub(crate) fn outputs(&self) -> Vec<Described> {
        // SAFETY: tensors of this living interpreter.
        (0..self.outputs).filter_map(|i| self.output(i)).map(|t| unsafe { describe(t.as_ptr()) }).collect()
    }

    /// An input's memory; empty if it has none.
    pub(crate) fn input_mut(&mut self, index: usize) -> &mut [u8] {
        let Some(tensor) = self.input(index) else { return &mut [] };
        // SAFETY: the tensor is this interpreter's, borrowed mutably as the memory is.
        unsafe { memory(tensor) }
    }

    /// An output's memory, to be cleared. Not for constants: theirs is the model's.
    pub(crate) fn output_mut(&mut self, index: usize) -> &mut [u8] {
        let Some(tensor) = self.output(index) else { return &mut [] };
        // SAFETY: as for inputs.
        unsafe { memory(tensor) }
    }

    /// An output's memory; empty if it has none.
    pub(crate) fn output_ref(&self, index: usize) -> &[u8] {
        let Some(tensor) = self.output(index) else { return &[] };
        // SAFETY: as for inputs; the memory may be that of the model's bytes, which live, too.
        unsafe {
            let data = TfLiteTensorData(tensor.as_ptr());
            if data.is_null() {
                return &[];
            }
            std::slice::from_raw_parts(data.cast_const().cast(), TfLiteTensorByteSize(tensor.as_ptr()))
        }
    }
}

/// A tensor's memory; empty if it has none.
///
/// # Safety
/// A tensor of an interpreter that lives and is not used in any other way during `'a`.
unsafe fn memory<'a>(tensor: NonNull<RawTensor>) -> &'a mut [u8] {
    // SAFETY: the memory is as large as the tensor says and stays until the next call that changes the interpreter.
    unsafe {
        let data = TfLiteTensorData(tensor.as_ptr());
        if data.is_null() {
            return &mut [];
        }
        std::slice::from_raw_parts_mut(data.cast(), TfLiteTensorByteSize(tensor.as_ptr()))
    }
}

fn failed(said: &Said) -> Failed {
    Failed(std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner)))
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        // SAFETY: made by this file, deleted once, the interpreter before what it uses.
        unsafe {
            TfLiteInterpreterDelete(self.interpreter.as_ptr());
            if let Some(delegate) = self.delegate {
                TfLiteXNNPackDelegateDelete(delegate.as_ptr());
            }
        }
    }
}
