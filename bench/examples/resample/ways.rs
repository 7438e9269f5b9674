//! The resamplers that are compared, each as something that takes a block and gives what it can.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, Resampler, SincInterpolationParameters, WindowFunction,
    calculate_cutoff,
};

use crate::BLOCK;
use crate::ratio::Ratio;
use crate::stage::{Stage, half};

/// Takes a block of [`BLOCK`] samples, and writes what can be made now to `output`; how many those are.
pub(crate) trait Way {
    fn process(&mut self, block: &[f32], output: &mut [f32]) -> usize;
}

type Make = Box<dyn Fn() -> Box<dyn Way>>;

/// All of them, by name.
pub(crate) fn all(from: u32, to: u32) -> Vec<(&'static str, Make)> {
    let ratio = f64::from(to) / f64::from(from);
    let sinc = move |len: usize, window, cutoff| {
        let mut parameters = SincInterpolationParameters::new(len, window);
        parameters.f_cutoff = cutoff;
        chunks(Async::<f32>::new_sinc(ratio, 1.0, &parameters, BLOCK, 1, FixedAsync::Input).unwrap())
    };
    // Of a longer filter's taps as many lie in a sample of the lower rate as in one of the higher: its edge is that of 96.
    let same = 2 * half(Ratio::of(f64::from(to), f64::from(from)).unwrap()) as usize;
    let blackman = WindowFunction::Blackman2;
    let edge = Some(calculate_cutoff::<f32>(96, blackman));
    let fft = move || {
        let (from, to) = (from as usize, to as usize);
        chunks(Fft::<f32>::new(from, to, BLOCK, 1, FixedSync::Input).unwrap())
    };
    let fft_long = move || {
        let (from, to) = (from as usize, to as usize);
        let window = WindowFunction::BlackmanHarris2;
        chunks(Fft::<f32>::new_custom(from, to, 512, 1, 1, window, FixedSync::Input).unwrap())
    };
    vec![
        ("anira", Box::new(move || Box::new(Ours::new(from, to)) as Box<dyn Way>) as Make),
        ("rubato sinc, as long", Box::new(move || sinc(same, blackman, edge))),
        ("rubato sinc, its default", Box::new(move || sinc(256, WindowFunction::BlackmanHarris2, None))),
        ("rubato FFT, chunk 64", Box::new(fft)),
        ("rubato FFT, chunk 512", Box::new(fft_long)),
    ]
}

struct Ours(Stage);

impl Ours {
    fn new(from: u32, to: u32) -> Self {
        let ratio = Ratio::of(f64::from(to), f64::from(from)).unwrap();
        let begin = -(i128::from(half(ratio)) * i128::from(ratio.num));
        Self(Stage::new(ratio, begin, 1, BLOCK))
    }
}

impl Way for Ours {
    fn process(&mut self, block: &[f32], output: &mut [f32]) -> usize {
        self.0.take(block.len(), |_, target| target.copy_from_slice(block));
        let count = self.0.ready();
        self.0.make(0, &mut output[..count]);
        self.0.pass(count);
        count
    }
}

/// One of rubato's, fed by blocks: in chunks of its own, where it asks for other ones.
struct Chunks<R> {
    inner: R,
    waiting: Vec<f32>,
}

fn chunks(inner: impl Resampler<f32> + 'static) -> Box<dyn Way> {
    Box::new(Chunks { inner, waiting: Vec::with_capacity(1 << 14) })
}

impl<R: Resampler<f32>> Way for Chunks<R> {
    fn process(&mut self, block: &[f32], output: &mut [f32]) -> usize {
        self.waiting.extend_from_slice(block);
        let mut made = 0;
        loop {
            let (needs, room) = (self.inner.input_frames_next(), output.len() - made);
            if self.waiting.len() < needs {
                return made;
            }
            let input = SequentialSlice::new(&self.waiting[..needs], 1, needs).unwrap();
            let mut target = SequentialSlice::new_mut(&mut output[made..], 1, room).unwrap();
            made += self.inner.process_into_buffer(&input, &mut target, None).unwrap().1;
            self.waiting.drain(..needs);
        }
    }
}
