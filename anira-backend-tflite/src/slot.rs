//! One tensor of an engine: the elements as the session sees them, and as the engine stores them.
//!
//! Where both have one type, the session reads and writes the engine's memory. Quantised and boolean tensors are converted:
//! before a run on their way in, after it on their way out.

use anira_traits::{
    EngineRequest, Error, ErrorKind, Result, TensorData, TensorView, TensorViewMut, shape_text,
};

use crate::file::{Contents, MAX_ELEMENTS, Port, Scale, Storage};
use crate::memory::{numbers, numbers_mut};

/// An input or output in a concrete shape.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) port: Port,
    /// Empty for an output whose shape nobody said.
    pub(crate) shape: Vec<usize>,
    /// Whether the shape is the request's.
    pub(crate) fixed: bool,
    /// The session's elements, where they are not the engine's own.
    converted: Option<TensorData>,
    /// What an output is until its first run, where the engine has no memory for it before.
    zeros: Option<TensorData>,
}

/// The inputs and outputs of a request, checked against the file.
pub(crate) fn slots(contents: &Contents, request: &EngineRequest) -> Result<(Vec<Slot>, Vec<Slot>)> {
    check_count("inputs", contents.inputs.len(), request.inputs.len())?;
    check_count("outputs", contents.outputs.len(), request.outputs.len())?;
    let inputs =
        contents.inputs.iter().zip(&request.inputs).map(|(port, shape)| Slot::new(port, Some(shape)));
    let outputs =
        contents.outputs.iter().zip(&request.outputs).map(|(port, shape)| Slot::new(port, shape.as_deref()));
    Ok((inputs.collect::<Result<_>>()?, outputs.collect::<Result<_>>()?))
}

fn check_count(what: &'static str, own: usize, asked: usize) -> Result<()> {
    if own == asked {
        return Ok(());
    }
    let text = format!("the request has {asked} shapes; the model has {own} {what}");
    Err(Error::new(ErrorKind::Shape, text).at(what))
}

impl Slot {
    fn new(port: &Port, shape: Option<&[usize]>) -> Result<Self> {
        let mut slot =
            Self { port: port.clone(), shape: vec![0], fixed: shape.is_some(), converted: None, zeros: None };
        if let Some(shape) = shape {
            slot.check(shape)?;
            slot.take_shape(shape.to_vec());
        } else {
            slot.take_shape(vec![0]);
        }
        Ok(slot)
    }

    /// Whether the request's shape fits what the file says.
    fn check(&self, shape: &[usize]) -> Result<()> {
        let own = &self.port.info.shape;
        let fits =
            own.len() == shape.len() && own.iter().zip(shape).all(|(own, n)| own.is_none_or(|own| own == *n));
        if !fits {
            return Err(self.shape_error(format!("shape is {shape:?}; the model's is {}", shape_text(own))));
        }
        match shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
            Some(1..=MAX_ELEMENTS) => Ok(()),
            _ => Err(self.shape_error(format!("shape is {shape:?}; from 1 to {MAX_ELEMENTS} elements"))),
        }
    }

    fn shape_error(&self, text: String) -> Error {
        Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", self.port.info.name))
    }

    fn take_shape(&mut self, shape: Vec<usize>) {
        let len = shape.iter().product();
        let converts = self.port.scale.is_some() || self.port.storage == Storage::Bool;
        self.converted = converts.then(|| TensorData::zeros(self.port.info.dtype, len));
        self.shape = shape;
    }

    /// The shape that the engine has come to.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the request said another.
    pub(crate) fn meet(&mut self, engine: &str, seen: &[i32]) -> Result<()> {
        let shape: Vec<_> = seen.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
        if shape == self.shape {
            return Ok(());
        }
        let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        // A convolution that is given too little comes to less than nothing.
        if self.fixed || !matches!(len, Some(1..=MAX_ELEMENTS)) {
            let right = if self.fixed { format!("{:?}", self.shape) } else { "at least 1 each".to_owned() };
            return Err(self.shape_error(format!("{engine} gave the shape {seen:?}; expected {right}")));
        }
        self.take_shape(shape);
        Ok(())
    }

    /// Before the first run: sees to it that there are zeros to show, if this is not the memory of an output of this shape.
    #[cfg(feature = "tflite")]
    pub(crate) fn await_run(&mut self, raw: &[u8]) {
        if self.converted.is_none() && self.zeros.is_none() && raw.len() != self.bytes() {
            self.zeros = Some(TensorData::zeros(self.port.info.dtype, self.shape.iter().product()));
        }
    }

    /// Bytes in the engine's memory.
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.port.storage.size()
    }

    /// The shape as the engines' interfaces take it. At most 2²⁸ elements: every extent fits.
    pub(crate) fn extents(&self) -> Vec<i32> {
        self.shape.iter().map(|n| *n as i32).collect()
    }

    /// The session's view of an input, given the engine's memory.
    pub(crate) fn view_mut<'a>(&'a mut self, raw: &'a mut [u8]) -> Option<TensorViewMut<'a>> {
        Some(match (&mut self.converted, self.port.storage) {
            (Some(converted), _) => converted.view_mut(),
            (None, Storage::F32) => TensorViewMut::F32(numbers_mut(raw)),
            (None, Storage::F64) => TensorViewMut::F64(numbers_mut(raw)),
            (None, Storage::F16) => TensorViewMut::F16(numbers_mut(raw)),
            (None, Storage::I64) => TensorViewMut::I64(numbers_mut(raw)),
            (None, Storage::I32) => TensorViewMut::I32(numbers_mut(raw)),
            (None, Storage::I8) => TensorViewMut::I8(numbers_mut(raw)),
            (None, Storage::U8) => TensorViewMut::U8(raw),
            (None, Storage::I16 | Storage::Bool) => return None,
        })
    }

    /// The session's view of an output, given the engine's memory.
    pub(crate) fn view<'a>(&'a self, raw: &'a [u8]) -> Option<TensorView<'a>> {
        if let Some(zeros) = &self.zeros
            && raw.len() != self.bytes()
        {
            return Some(zeros.view());
        }
        Some(match (&self.converted, self.port.storage) {
            (Some(converted), _) => converted.view(),
            (None, Storage::F32) => TensorView::F32(numbers(raw)),
            (None, Storage::F64) => TensorView::F64(numbers(raw)),
            (None, Storage::F16) => TensorView::F16(numbers(raw)),
            (None, Storage::I64) => TensorView::I64(numbers(raw)),
            (None, Storage::I32) => TensorView::I32(numbers(raw)),
            (None, Storage::I8) => TensorView::I8(numbers(raw)),
            (None, Storage::U8) => TensorView::U8(raw),
            (None, Storage::I16 | Storage::Bool) => return None,
        })
    }

    /// Before a run: the session's elements into the engine's memory.
    pub(crate) fn store(&self, raw: &mut [u8]) {
        match (&self.converted, self.port.scale, self.port.storage) {
            (Some(TensorData::F32(from)), Some(scale), Storage::I8) => {
                numbers_mut(raw)
                    .iter_mut()
                    .zip(from)
                    .for_each(|(to, x)| *to = scale.quantise(*x, -128, 127) as i8);
            }
            (Some(TensorData::F32(from)), Some(scale), Storage::U8) => {
                raw.iter_mut().zip(from).for_each(|(to, x)| *to = scale.quantise(*x, 0, 255) as u8);
            }
            (Some(TensorData::F32(from)), Some(scale), Storage::I16) => {
                let to = numbers_mut(raw).iter_mut();
                to.zip(from).for_each(|(to, x)| *to = scale.quantise(*x, -32768, 32767) as i16);
            }
            (Some(TensorData::Bool(from)), _, _) => {
                raw.iter_mut().zip(from).for_each(|(to, x)| *to = u8::from(*x));
            }
            _ => {}
        }
    }

    /// After a run: the engine's memory into the session's elements.
    pub(crate) fn fetch(&mut self, raw: &[u8]) {
        match (&mut self.converted, self.port.scale, self.port.storage) {
            (Some(TensorData::F32(to)), Some(scale), Storage::I8) => {
                to.iter_mut().zip(numbers::<i8>(raw)).for_each(|(to, q)| *to = scale.real(i32::from(*q)));
            }
            (Some(TensorData::F32(to)), Some(scale), Storage::U8) => {
                to.iter_mut().zip(raw).for_each(|(to, q)| *to = scale.real(i32::from(*q)));
            }
            (Some(TensorData::F32(to)), Some(scale), Storage::I16) => {
                to.iter_mut().zip(numbers::<i16>(raw)).for_each(|(to, q)| *to = scale.real(i32::from(*q)));
            }
            (Some(TensorData::Bool(to)), _, _) => to.iter_mut().zip(raw).for_each(|(to, x)| *to = *x != 0),
            _ => {}
        }
    }

    /// The session's own elements back to zeros.
    pub(crate) fn clear(&mut self) {
        if let Some(data) = &mut self.converted {
            *data = TensorData::zeros(data.view().dtype(), data.view().len());
        }
    }
}

impl Scale {
    /// The nearest number, half away from zero, within the type; NaN is the zero point.
    fn quantise(self, x: f32, least: i32, most: i32) -> i32 {
        let steps = (x / self.scale).round() as i32;
        steps.saturating_add(self.zero_point).clamp(least, most)
    }

    /// What the number stands for.
    fn real(self, number: i32) -> f32 {
        self.scale * (number - self.zero_point) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::{DType, TensorInfo};

    fn slot(storage: Storage, dtype: DType, scale: Option<Scale>, shape: &[usize]) -> Slot {
        let info = TensorInfo::new("x", dtype, shape.iter().map(|_| None).collect::<Vec<_>>());
        let port = Port {
            info,
            storage,
            scale,
            inner: "inner".into(),
            given: vec![1; shape.len()],
            constant: false,
        };
        Slot::new(&port, Some(shape)).unwrap()
    }

    #[test]
    fn every_quantised_number_comes_back_as_itself() {
        for (storage, least, most, scale, zero_point) in [
            (Storage::I8, -128, 127, 0.0078, -1),
            (Storage::U8, 0, 255, 0.031, 131),
            (Storage::I16, -32768, 32767, 3.0517578e-5, 0),
            (Storage::I16, -32768, 32767, 1e-3, 77),
        ] {
            let scale = Scale { scale, zero_point };
            for q in least..=most {
                assert_eq!(scale.quantise(scale.real(q), least, most), q, "{storage:?}");
            }
        }
    }

    #[test]
    fn quantising_rounds_and_stays_within_the_type() {
        let scale = Scale { scale: 0.5, zero_point: 10 };
        let quantise = |x| scale.quantise(x, -128, 127);
        assert_eq!([0.0, 0.24, 0.25, -0.25, 1.0].map(quantise), [10, 10, 11, 9, 12]);
        assert_eq!([1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY].map(quantise), [127, -128, 127, -128]);
        assert_eq!(quantise(f32::NAN), 10);
    }

    #[test]
    fn quantised_and_boolean_tensors_are_converted_both_ways() {
        let mut quantised = slot(Storage::I8, DType::F32, Some(Scale { scale: 0.5, zero_point: 3 }), &[3]);
        let mut raw = [0u8; 3];
        let values = [-1.0, 0.0, 2.0];
        quantised.view_mut(&mut raw).and_then(TensorViewMut::f32_mut).unwrap().copy_from_slice(&values);
        quantised.store(&mut raw);
        assert_eq!(raw, [1, 3, 7]);
        quantised.clear();
        assert_eq!(quantised.view(&raw).unwrap().f32().unwrap(), [0.0; 3]);
        quantised.fetch(&raw);
        assert_eq!(quantised.view(&raw).unwrap().f32().unwrap(), values);

        let mut flags = slot(Storage::Bool, DType::Bool, None, &[2]);
        flags.fetch(&[7, 0]);
        assert_eq!(
            flags.view(&[0, 0]).unwrap().bools().unwrap(),
            [true, false],
            "whatever an engine calls true"
        );
        let mut raw = [9, 9];
        flags.store(&mut raw);
        assert_eq!(raw, [1, 0]);
    }

    #[test]
    fn plain_tensors_are_the_engines_own_memory() {
        let mut plain = slot(Storage::F32, DType::F32, None, &[2]);
        let mut memory = crate::memory::Aligned::zeros(8);
        plain.view_mut(memory.bytes_mut()).and_then(TensorViewMut::f32_mut).unwrap()[1] = 2.0;
        assert_eq!(plain.bytes(), 8);
        assert_eq!(memory.bytes()[4..], 2.0f32.to_le_bytes());
    }
}
