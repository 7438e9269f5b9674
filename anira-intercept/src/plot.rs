//! Series of counts as a drawing: an engine a row, a model a column, a bar per kind for the first run, the second, and later ones.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Counts, Kind, Series};

/// Sizes in pixels.
const LABELS: i32 = 104;
const CELL: i32 = 330;
const BAR: i32 = 6;
const GAP: i32 = 8;
const TITLE: i32 = 22;
const TOP: i32 = 46;
const MARGIN: i32 = 14;
/// Room at the right of a cell for the number behind its longest bar.
const NUMBER: i32 = 46;
/// How long the bar of a single one is: zero has none, and the scale is logarithmic.
const ONE: f64 = 6.0;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const PALE: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);
const PASSES: [(&str, RGBColor); 3] = [
    ("first inference", RGBColor(0xc0, 0x39, 0x2b)),
    ("second", RGBColor(0xe0, 0x9f, 0x3e)),
    ("steady state", RGBColor(0x4a, 0x7e, 0xbb)),
];

/// The drawing, as the text of an SVG file. Kinds that nobody did are left out.
///
/// # Errors
/// What the drawing library says.
pub fn svg(series: &[Series]) -> Result<String, String> {
    let (mut engines, mut models): (Vec<&str>, Vec<&str>) = Default::default();
    for one in series {
        if !engines.contains(&one.engine.as_str()) {
            engines.push(&one.engine);
        }
        if !models.contains(&one.model.as_str()) {
            models.push(&one.model);
        }
    }
    let passes = |one: &Series| [one.first(), one.second(), one.steady()];
    let all = || series.iter().flat_map(passes).flatten();
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| all().any(|c| c[*kind] > 0)).collect();
    let most = all().flat_map(|c| c.iter().map(|(_, n)| n).collect::<Vec<_>>()).max().unwrap_or(0);
    let row = TITLE + (kinds.len().max(1) as i32) * (3 * BAR + GAP) + GAP;
    let width = MARGIN + LABELS + CELL * (models.len().max(1) as i32);
    let height = TOP + row * (engines.len().max(1) as i32) + MARGIN;

    let mut text = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let canvas = Canvas { area, most };
        canvas.area.fill(&WHITE).map_err(told)?;
        canvas.legend()?;
        for (i, engine) in engines.iter().enumerate() {
            let top = TOP + row * i as i32;
            for (k, kind) in kinds.iter().enumerate() {
                let y = top + TITLE + k as i32 * (3 * BAR + GAP) + 3 * BAR / 2;
                canvas.text(kind.name(), (MARGIN + LABELS - 8, y), 11, INK, HPos::Right)?;
            }
            for (j, model) in models.iter().enumerate() {
                let left = MARGIN + LABELS + CELL * j as i32;
                let title = format!("{engine}: {model}");
                canvas.text(&title, (left, top + TITLE / 2), 12, INK, HPos::Left)?;
                let bottom = top + row - GAP;
                canvas.line((left, top + TITLE - 2), (left, bottom))?;
                if let Some(one) = series.iter().find(|s| s.engine == *engine && s.model == *model) {
                    canvas.bars(&passes(one), &kinds, left, top + TITLE)?;
                } else {
                    canvas.text("not counted", (left + 8, top + TITLE + 8), 11, PALE, HPos::Left)?;
                }
            }
        }
        canvas.area.present().map_err(told)?;
    }
    Ok(text)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    /// The largest number of all.
    most: u64,
}

impl Canvas<'_> {
    fn legend(&self) -> Result<(), String> {
        let mut x = MARGIN + LABELS;
        for (name, colour) in PASSES {
            self.rectangle((x, 14), (x + 14, 24), colour)?;
            self.text(name, (x + 20, 19), 12, INK, HPos::Left)?;
            x += 130;
        }
        self.text("calls per inference, logarithmic; no bar: none", (x, 19), 12, INK, HPos::Left)
    }

    fn bars(&self, passes: &[Option<Counts>; 3], kinds: &[Kind], left: i32, top: i32) -> Result<(), String> {
        for (k, kind) in kinds.iter().enumerate() {
            for (p, (counts, (_, colour))) in passes.iter().zip(PASSES).enumerate() {
                let count = counts.as_ref().map_or(0, |counts| counts[*kind]);
                if count == 0 {
                    continue;
                }
                let y = top + k as i32 * (3 * BAR + GAP) + p as i32 * BAR;
                let end = left + self.length(count);
                self.rectangle((left, y), (end, y + BAR - 1), colour)?;
                self.text(&count.to_string(), (end + 3, y + BAR / 2), 7, INK, HPos::Left)?;
            }
        }
        Ok(())
    }

    /// The length of a bar: that of a single one, and more by the logarithm.
    fn length(&self, count: u64) -> i32 {
        let full = f64::from(CELL - NUMBER) - ONE;
        let part = (count as f64).ln() / (self.most.max(2) as f64).ln();
        (ONE + full * part).round() as i32
    }

    fn rectangle(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), String> {
        self.area.draw(&Rectangle::new([from, to], colour.filled())).map_err(told)
    }

    fn line(&self, from: (i32, i32), to: (i32, i32)) -> Result<(), String> {
        self.area.draw(&PathElement::new(vec![from, to], PALE)).map_err(told)
    }

    fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        colour: RGBColor,
        side: HPos,
    ) -> Result<(), String> {
        let style = TextStyle::from(("sans-serif", size).into_font()).color(&colour);
        self.area.draw_text(text, &style.pos(Pos::new(side, VPos::Center)), at).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counted;

    fn one(engine: &str, model: &str, mallocs: &[u64]) -> Series {
        let run = |n: &u64| {
            let mut numbers = [0; Kind::COUNT];
            numbers[Kind::Malloc as usize] = *n;
            Counted { mine: Counts::new(numbers), ..Counted::default() }
        };
        Series { engine: engine.into(), model: model.into(), runs: mallocs.iter().map(run).collect() }
    }

    #[test]
    fn every_number_of_every_series_is_drawn() {
        let all = [one("rten", "tcn", &[1234, 77, 5]), one("torch", "lstm", &[98_765, 43, 21])];
        let drawing = svg(&all).unwrap();
        assert!(drawing.starts_with("<svg "), "{drawing}");
        for number in ["1234", "77", "5", "98765", "43", "21"] {
            assert!(drawing.contains(&format!(">\n{number}\n<")), "{number}: {drawing}");
        }
        assert!(drawing.contains("rten: tcn") && drawing.contains("torch: lstm"));
        assert!(drawing.contains("malloc") && !drawing.contains("rwlock"), "kinds that nobody did");
        assert_eq!(drawing.matches("not counted").count(), 2);
    }

    #[test]
    fn longer_bars_are_of_larger_numbers() {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (10, 10)).into_drawing_area();
        let canvas = Canvas { area, most: 1000 };
        let lengths = [1, 2, 10, 100, 900, 1000].map(|n| canvas.length(n));
        assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
        assert_eq!(lengths[5], CELL - NUMBER);
    }

    #[test]
    fn nothing_is_a_drawing_too() {
        assert!(svg(&[]).unwrap().starts_with("<svg "));
        assert!(svg(&[one("bypass", "gain", &[0, 0, 0])]).unwrap().contains("bypass: gain"));
    }
}
