//! The timeline as a drawing: callbacks, inferences on their engines, collection, and the callback that decides.

use std::fmt::{Display, Write};

use anira::latency::{Blocks, Latency, LatencyQuery, Rational};
use anira::{Error, ErrorKind};

use super::timeline::Timeline;
use super::worst;

/// The most callbacks and inferences that are drawn.
const MOST_COLUMNS: usize = 8;
const MOST_ROWS: usize = 16;

/// Sizes in pixels.
const WIDTH: f64 = 880.0;
const LEFT: f64 = 108.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 40.0;
const ROW: f64 = 20.0;
/// Callbacks closer than this have no figures of their own.
const NARROW: f64 = 40.0;

const INK: &str = "#222";
const PALE: &str = "#999";
const RUNS: &str = "#4a7ebb";
const WAITS: &str = "#d5dbe3";
const DECIDES: &str = "#c0392b";

/// The drawing of a host with fixed blocks, or of the worst sequence of varying ones, up to the callback that decides.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for varying blocks of which no worst order is known, or only one that is too long.
pub(super) fn svg(query: &LatencyQuery, latency: &Latency) -> Result<String, Error> {
    let zero_fill = i128::from(latency.zero_fill() - latency.padding);
    let blocks: Vec<Rational> = match query.blocks {
        Blocks::Varying { min } if min != query.host_block => {
            worst::sequence(query, zero_fill).map_err(|error| error.at("svg"))?
        }
        _ => Vec::new(),
    };
    let timeline = Timeline::play(query, &blocks, zero_fill, MOST_COLUMNS)?;
    if !blocks.is_empty() && timeline.decides.is_none() {
        return Err(
            Error::new(ErrorKind::Internal, "the worst sequence is not as bad as the latency").at("svg")
        );
    }
    let window = timeline.window(MOST_COLUMNS);
    let shown = timeline.callbacks.get(window.clone()).unwrap_or_default();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Ok(String::new()) };
    let (from, to) = (first.time.to_f64(), last.time.to_f64() + last.block.to_f64());
    let x = |time: f64| LEFT + (WIDTH - LEFT - RIGHT) * ((time - from) / (to - from)).clamp(0.0, 1.0);

    let before = window.start.checked_sub(1).and_then(|index| timeline.callbacks.get(index));
    let collected_before = before.map_or(0, |callback| callback.collected);
    let rows: Vec<usize> = (collected_before..last.submitted).take(MOST_ROWS).collect();
    let left_out = last.submitted - collected_before - rows.len();
    let below = TOP + 28.0 + ROW * (rows.len() as f64 + f64::from(u8::from(left_out > 0)));
    let height = below + 4.0 * ROW + 52.0;
    let mut drawing = Drawing::new(height);
    drawing.text(LEFT, 16.0, INK, "start", &caption(query, latency));

    // The callbacks: a line each, when it comes and what it brings.
    for (index, callback) in window.clone().zip(shown) {
        let (at, end) = (x(callback.time.to_f64()), x((callback.time.to_f64()) + callback.block.to_f64()));
        let decides = timeline.decides == Some(index) && zero_fill > 0;
        if decides {
            drawing.rect(at, TOP - 14.0, end - at, below + 4.0 * ROW - TOP + 14.0, "#fbeae8");
        }
        let wait = query.blocking_ratio.times(callback.block)?.to_f64();
        if wait > 0.0 {
            let until = x(callback.time.to_f64() + wait);
            drawing.rect(at, TOP, until - at, below - TOP - 8.0, "#fdf6d8");
        }
        let color = if decides { DECIDES } else { PALE };
        drawing.line(at, TOP - 14.0, at, below + 4.0 * ROW, color);
        if end - at >= NARROW {
            drawing.text(at + 3.0, TOP - 3.0, color, "start", &format!("{index}: +{}", callback.block));
        }
    }
    drawing.text(LEFT - 8.0, TOP - 3.0, INK, "end", &"callback");

    for (row, &index) in rows.iter().enumerate() {
        let Some(inference) = timeline.inferences.get(index) else { break };
        let y = TOP + 18.0 + ROW * row as f64;
        let time_of =
            |callback: usize| timeline.callbacks.get(callback).map(|callback| callback.time.to_f64());
        let submitted = time_of(inference.submitted_by).unwrap_or(from);
        let (start, finish) = (inference.start.to_f64(), inference.finish.to_f64());
        drawing.text(LEFT - 8.0, y + 4.0, INK, "end", &format!("inference {index}"));
        drawing.rect(x(submitted), y - 5.0, x(start) - x(submitted), 10.0, WAITS);
        drawing.rect(x(start), y - 5.0, (x(finish) - x(start)).max(1.5), 10.0, RUNS);
        if submitted >= from {
            drawing.circle(x(submitted), y);
        }
        // A callback that waits collects after its beginning.
        let collected = inference.collected_by.and_then(time_of).map(|time| time.max(finish));
        let done = collected.unwrap_or(to);
        drawing.line(x(finish), y, x(done), y, PALE);
        if collected.is_some_and(|at| at <= to) {
            drawing.triangle(x(done), y);
        }
    }
    if left_out > 0 {
        let y = TOP + 22.0 + ROW * rows.len() as f64;
        drawing.text(LEFT - 8.0, y, PALE, "end", &format!("and {left_out} more"));
    }

    for (row, name) in ["pushed", "collected", "handed out", "short"].into_iter().enumerate() {
        let y = below + ROW * row as f64 + 12.0;
        drawing.text(LEFT - 8.0, y, INK, "end", &name);
        for (index, callback) in window.clone().zip(shown) {
            let at = x(callback.time.to_f64());
            if x(callback.time.to_f64() + callback.block.to_f64()) - at < NARROW {
                continue;
            }
            let figure = match row {
                0 => callback.pushed,
                1 => {
                    i128::try_from(callback.collected).unwrap_or(i128::MAX) * i128::from(query.output.hop_out)
                }
                2 => callback.handed_out,
                _ => callback.short.max(0),
            };
            let decides = row == 3 && zero_fill > 0 && timeline.decides == Some(index);
            drawing.text(at + 3.0, y, if decides { DECIDES } else { INK }, "start", &figure);
        }
    }
    let legend = [
        "dot: submitted. grey: waits for an engine. blue: runs. triangle: collected. yellow: the callback waits.",
        "red: the callback that decides. Figures are samples since the start; short is handed out less collected.",
    ];
    for (line, y) in legend.iter().zip([height - 26.0, height - 10.0]) {
        drawing.text(LEFT + 3.0, y, PALE, "start", line);
    }
    Ok(drawing.finish())
}

fn caption(query: &LatencyQuery, latency: &Latency) -> String {
    let blocks = match query.blocks {
        Blocks::Varying { min } if min != query.host_block => format!("{min} to {}", query.host_block),
        _ => query.host_block.to_string(),
    };
    let mut text = format!("Blocks of {blocks}, hops of {}", query.hop_in);
    let output = query.output.hop_out;
    if output != query.hop_in {
        let _ = write!(text, " to {output}");
    }
    let inference =
        query.max_inference.plus(query.scheduling_allowance).unwrap_or(query.max_inference).to_f64();
    let _ = write!(text, ", {} ms at {} Hz", (inference * 1e6).round() / 1e3, query.sample_rate);
    if query.engines > 1 {
        let _ = write!(text, ", {} engines", query.engines);
    }
    if !query.blocking_ratio.is_zero() {
        let _ = write!(text, ", blocking ratio {}", query.blocking_ratio);
    }
    let zero_fill = latency.zero_fill() - latency.padding;
    let _ =
        write!(text, ": {zero_fill} = {} adaptation + {} inference", latency.adaptation, latency.inference);
    text
}

/// The elements of an SVG document, in the order they are painted.
#[derive(Debug)]
struct Drawing {
    text: String,
}

impl Drawing {
    fn new(height: f64) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        Self { text }
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{element}");
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        if width > 0.0 {
            self.put(format_args!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
            ));
        }
    }

    fn line(&mut self, x: f64, y: f64, to_x: f64, to_y: f64, stroke: &str) {
        self.put(format_args!(
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"{stroke}\"/>"
        ));
    }

    fn circle(&mut self, x: f64, y: f64) {
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{INK}\"/>"));
    }

    fn triangle(&mut self, x: f64, y: f64) {
        let (left, right, top, bottom) = (x - 4.0, x + 4.0, y - 4.0, y + 4.0);
        self.put(format_args!(
            "<path d=\"M{left:.1} {top:.1}H{right:.1}L{x:.1} {bottom:.1}Z\" fill=\"{INK}\"/>"
        ));
    }

    fn text(&mut self, x: f64, y: f64, fill: &str, anchor: &str, text: &dyn Display) {
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}
