//! Draws what is heard around a stall, for each policy: a sine through a model that distorts it, driven by hand.

use std::fmt::Write;
use std::time::Duration;

use anira::backends::FnBackend;
use anira::prelude::*;
use anira::traits::{DType, Signature, TensorInfo};

const HOP: usize = 64;
const BLOCKS: usize = 14;
/// Blocks after which nobody runs what was submitted.
const STALL: std::ops::Range<usize> = 5..8;

/// What comes out, and which samples were late.
type Heard = (Vec<f32>, Vec<bool>);

fn signature() -> Signature {
    let tensor = |name: &str| TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), Some(HOP)]);
    Signature { inputs: vec![tensor("input")], outputs: vec![tensor("output")] }
}

/// Two cycles in three hops, so that no seam falls where nobody would hear it.
fn sine(n: usize) -> f32 {
    (n as f32 * std::f32::consts::TAU / (1.5 * HOP as f32)).sin()
}

fn play(policy: LatePolicy, stall: std::ops::Range<usize>) -> anira::Result<Heard> {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(600))
        .late_policy(policy)
        .late_fade(48)
        .build()?;
    let model = FnBackend::new("overdrive", signature(), || {
        |x: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
            let x = x.f32(0)?;
            // Soft on one side, hard on the other; silence stays silence.
            let bend = |x: f32| if x > 0.0 { 4.0 * x / (1.0 + 4.0 * x) } else { x / (1.0 - 3.0 * x) };
            y.f32(0)?.iter_mut().zip(x).for_each(|(y, x)| *y = bend(*x));
            Ok(())
        }
    });
    let scheduler = Driven::new(1)?;
    let mut driver = scheduler.driver();
    let mut handler = InferenceHandler::builder(config).backend(model).scheduler(scheduler).build()?;
    let mut audio = handler.prepare(&HostConfig::fixed(48_000.0, HOP))?.audio;
    let (mut heard, mut late) = (Vec::new(), Vec::new());
    for n in 0..BLOCKS {
        let mut block: Vec<f32> = (n * HOP..(n + 1) * HOP).map(sine).collect();
        let missing = audio.process(&mut [&mut block[..]]).late_samples as usize;
        heard.extend(block);
        late.extend((0..HOP).map(|_| missing == HOP));
        while !stall.contains(&n) && driver.run_one() {}
    }
    Ok((heard, late))
}

/// The figure, as SVG.
pub(crate) fn draw() -> anira::Result<String> {
    const WIDTH: f32 = 900.0;
    const LEFT: f32 = 80.0;
    const PANEL: f32 = 96.0;
    let (right, _) = play(LatePolicy::Silence, 0..0)?;
    let x = |n: usize| LEFT + n as f32 * (WIDTH - LEFT - 10.0) / (BLOCKS * HOP) as f32;
    let height = 30.0 + PANEL * LatePolicy::ALL.len() as f32;
    let mut svg = String::new();
    let mut line = |text: String| svg.push_str(&(text + "\n"));
    line(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">"
    ));
    line("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>".into());
    line(format!(
        "<text x=\"{LEFT}\" y=\"16\" fill=\"#222\">Three hops of {HOP} come late (red). Grey: the model's output, had it been in time. \
         Blue: what is heard, fades of 48 samples.</text>"
    ));
    for (panel, (name, policy)) in LatePolicy::ALL.into_iter().enumerate() {
        let (heard, late) = play(policy, STALL)?;
        let top = 26.0 + panel as f32 * PANEL;
        let y = |sample: f32| top + PANEL / 2.0 - sample * PANEL * 0.42;
        let path = |samples: &[f32]| {
            samples.iter().enumerate().fold(String::new(), |mut path, (n, sample)| {
                let _ = write!(path, "{:.1},{:.1} ", x(n), y(*sample));
                path
            })
        };
        if let (Some(first), Some(last)) = (late.iter().position(|l| *l), late.iter().rposition(|l| *l)) {
            let (first, last) = (x(first), x(last + 1));
            let (width, panel) = (last - first, PANEL - 6.0);
            line(format!(
                "<rect x=\"{first:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{panel}\" fill=\"#fbeae8\"/>"
            ));
        }
        line(format!(
            "<text x=\"{}\" y=\"{}\" fill=\"#222\" text-anchor=\"end\">{name}</text>",
            LEFT - 8.0,
            y(-0.05)
        ));
        line(format!(
            "<line x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1}\" y2=\"{0:.1}\" stroke=\"#ddd\"/>",
            y(0.0),
            WIDTH - 10.0
        ));
        for (samples, colour) in [(&right, "#bbb"), (&heard, "#4a7ebb")] {
            line(format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>",
                path(samples).trim_end()
            ));
        }
    }
    line("</svg>".into());
    Ok(svg)
}
