//! Every call that an audio thread can make, with blocks of all kinds: what is watched for real time.

use anira::prelude::*;

use crate::Random;

/// Who watches an audio thread: is given each of its calls with a name, and has to make it.
pub type Watch<'a> = dyn FnMut(&str, &mut dyn FnMut()) + 'a;

/// Samples of the longest block; longer than any that was prepared here.
const LONGEST: usize = 1000;

/// Makes every call of the audio thread's, in `rounds` rounds, with blocks of `usual` samples, none, random ones, far too many;
/// and calls that are mistakes. `between` is what others do meanwhile; nobody watches it.
pub fn everything<B, P, S>(
    audio: &mut Audio<B, P, S>,
    (channels, usual, rounds): (usize, usize, usize),
    watch: &mut Watch<'_>,
    mut between: impl FnMut(),
) where
    B: Backend,
    P: PrePostProcessor,
    S: Scheduler<anira::EngineOf<B>>,
{
    let mut random = Random(5);
    let mut planar = vec![vec![0.25f32; LONGEST]; channels];
    let mut double = vec![vec![0.25f64; LONGEST]; channels];
    let mut frames = vec![0.5f32; LONGEST * channels];
    for round in 0..rounds {
        let n = match round % 5 {
            0 => usual,
            1 => 0,
            2 => LONGEST,
            _ => random.below(2 * usual).min(LONGEST),
        };
        // What came out last is not to go in again, louder and louder.
        planar.iter_mut().for_each(|channel| channel.fill(0.25));
        double.iter_mut().for_each(|channel| channel.fill(0.25));
        frames.fill(0.5);
        let mut f32s: Vec<&mut [f32]> = planar.iter_mut().map(|c| &mut c[..n]).collect();
        let mut f64s: Vec<&mut [f64]> = double.iter_mut().map(|c| &mut c[..n]).collect();
        let interleaved = &mut frames[..n * channels];
        watch("process", &mut || _ = audio.process(&mut f32s[..]));
        watch("process of f64", &mut || _ = audio.process(&mut f64s[..]));
        watch("process of frames", &mut || {
            let _ = audio.process(&mut StridedMut::interleaved(interleaved, channels));
        });
        watch("process_into", &mut || _ = audio.process_into(&f64s[..], &mut f32s[..]));
        watch("push", &mut || _ = audio.push(0, &f32s[..]));
        watch("pop", &mut || _ = audio.pop(0, &mut f64s[..]));
        watch("push_silence", &mut || _ = audio.push_silence(0, n));
        watch("pop of frames", &mut || {
            let _ = audio.pop(0, &mut StridedMut::interleaved(interleaved, channels));
        });
        watch("misuse", &mut || {
            let _ = audio.process(&mut [&mut [0.0f32; 8][..]; 0]);
            let _ = audio.process_into(&[&[0.0f32; 8][..]], &mut [&mut [0.0f32; 0][..]]);
            let _ = audio.push(7, &[&[0.0f32; 8][..]]);
            let _ = audio.pop(7, &mut [&mut [0.0f32; 8][..]]);
            let _ = audio.set_parameter(9, &[1.0]);
            let _ = audio.set_parameter(0, &[f64::NAN]);
        });
        watch("set_parameter", &mut || _ = audio.set_parameter(0, &[round as f64]));
        watch("questions", &mut || {
            let _ = std::hint::black_box((audio.latency(0), audio.tail(9), audio.parameter_index("gain")));
        });
        if round % 7 == 0 {
            watch("set_bypass", &mut || audio.set_bypass(round % 2 == 0));
        }
        if round % 31 == 30 {
            watch("flush", &mut || _ = audio.flush(&mut f32s[..]));
            watch("reset", &mut || audio.reset());
        }
        between();
    }
}
