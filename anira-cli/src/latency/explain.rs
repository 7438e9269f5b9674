//! The timeline as text: why a latency is what it is.

use std::io::Write;

use anira::latency::{Blocks, Latency, LatencyQuery, Rational};
use anira::{Error, ErrorKind};

use super::timeline::{Callback, Timeline};
use super::worst;

/// The most callbacks and inferences that are drawn.
const MOST_COLUMNS: usize = 10;
const MOST_ROWS: usize = 24;
/// Characters for all callbacks together.
const WIDTH: usize = 96;
const MARGIN: usize = 14;

/// Writes the timeline of a host up to the callback that decides: of varying blocks, in the worst order; in words alone where none
/// is known, or the numbers have too many digits to be played.
pub(super) fn explain(out: &mut impl Write, query: &LatencyQuery, latency: &Latency) -> Result<(), Error> {
    match query.blocks {
        Blocks::Varying { min } if min != query.host_block => explain_varying(out, query, latency, min),
        _ => explain_blocks(out, query, latency, &[]),
    }
}

/// The timeline of these blocks, and of host blocks from then on.
fn explain_blocks(
    out: &mut impl Write,
    query: &LatencyQuery,
    latency: &Latency,
    blocks: &[Rational],
) -> Result<(), Error> {
    let zero_fill = i128::from(latency.zero_fill() - latency.padding);
    let timeline = match Timeline::play(query, blocks, zero_fill, MOST_COLUMNS) {
        // An exact time that does not fit 128 bits.
        Err(error) if error.kind() == ErrorKind::Config => {
            writeln!(out, "Not drawn: {}.", error.message())?;
            return Ok(());
        }
        timeline => timeline?,
    };
    draw(out, query, &timeline, timeline.window(MOST_COLUMNS))?;
    match timeline.decides {
        Some(_) if zero_fill == 0 => {
            writeln!(out, "No callback comes up short: every result is there when its samples are due.")?;
        }
        Some(decides) => {
            let short = "samples that no collected result covers";
            writeln!(out, "Callback {decides} decides: it has handed out {zero_fill} {short}.")?;
            match latency.padding {
                0 => writeln!(out, "The stream starts with as many zeros; no callback ever needs more.")?,
                more => writeln!(out, "No callback ever needs more; the declared latency adds {more}.")?,
            }
        }
        None => {
            let played = timeline.callbacks.len();
            writeln!(
                out,
                "The callback that decides comes after the first {played}, which are all that were played."
            )?;
        }
    }
    Ok(())
}

fn draw(
    out: &mut impl Write,
    query: &LatencyQuery,
    timeline: &Timeline,
    window: std::ops::Range<usize>,
) -> Result<(), Error> {
    let columns = Columns::of(timeline.callbacks.get(window.clone()).unwrap_or_default())?;
    let total = columns.total();
    let column = |time: Rational| columns.at(time);
    let per_callback = |label: &str, text: &dyn Fn(usize) -> String| {
        let cell = |(index, place): (usize, &Place)| format!("{:<1$}", text(index), place.cells);
        let row: String = window.clone().zip(&columns.places).map(cell).collect();
        format!("{label:<MARGIN$}{}", row.trim_end())
    };
    let milliseconds = 1000.0 / query.sample_rate.to_f64();
    let shown = |index: usize| timeline.callbacks.get(index);
    let total_of = |index: usize, of: &dyn Fn(usize) -> i128| of(index).to_string();
    writeln!(out, "{}", per_callback("callback", &|index| format!("|{index}")))?;
    let time = |index: usize| shown(index).map_or(0.0, |callback| callback.time.to_f64() * milliseconds);
    writeln!(out, "{}", per_callback("ms", &|index| trimmed(time(index))))?;
    if matches!(query.blocks, Blocks::Varying { .. }) {
        let block =
            |index: usize| shown(index).map_or_else(String::new, |callback| callback.block.to_string());
        writeln!(out, "{}", per_callback("brings", &block))?;
    }
    let pushed = |index: usize| shown(index).map_or(0, |callback| callback.pushed);
    writeln!(out, "{}", per_callback("pushed", &|index| total_of(index, &pushed)))?;

    let collected_before =
        window.start.checked_sub(1).and_then(shown).map_or(0, |callback| callback.collected);
    let submitted = shown(window.end - 1).map_or(0, |callback| callback.submitted);
    for index in collected_before..submitted.min(collected_before + MOST_ROWS) {
        let Some(inference) = timeline.inferences.get(index) else { break };
        let time_of = |callback: usize| shown(callback).map_or(inference.finish, |callback| callback.time);
        let (enter, start) = (column(time_of(inference.submitted_by))?, column(inference.start)?);
        let finish = column(inference.finish)?;
        let mut row = vec![' '; total + 1];
        let mut fill = |from: usize, to: usize, mark: char| {
            row.iter_mut().take(to.min(total)).skip(from).for_each(|cell| *cell = mark);
        };
        fill(enter, start, '.');
        fill(start, finish.max(start + 1), '#');
        if let Some(collector) = inference.collected_by {
            // A callback that waits collects after its beginning.
            let at = column(time_of(collector))?.max(finish);
            fill(finish.max(start + 1), at, '-');
            if let Some(cell) = row.get_mut(at).filter(|_| at < total) {
                *cell = 'v';
            }
        } else {
            fill(finish.max(start + 1), total, '-');
        }
        let row: String = row.into_iter().collect();
        writeln!(out, "{:<MARGIN$}{}", format!("inference {index}"), row.trim_end())?;
    }
    if submitted > collected_before + MOST_ROWS {
        writeln!(out, "… and {} more", submitted - collected_before - MOST_ROWS)?;
    }

    let collected = |index: usize| shown(index).map_or(0, |callback| callback.collected);
    writeln!(out, "{}", per_callback("collected", &|index| collected(index).to_string()))?;
    let handed_out = |index: usize| shown(index).map_or(0, |callback| callback.handed_out);
    writeln!(out, "{}", per_callback("handed out", &|index| total_of(index, &handed_out)))?;
    let short = |index: usize| {
        let mark = if timeline.decides == Some(index) { " <<" } else { "" };
        format!("{}{mark}", shown(index).map_or(0, |callback| callback.short.max(0)))
    };
    writeln!(out, "{}", per_callback("short", &short))?;
    let hop_out = query.output.hop_out;
    writeln!(out)?;
    writeln!(
        out,
        "pushed and handed out count samples, collected counts hops of {hop_out}, all from the start."
    )?;
    writeln!(
        out,
        "short = handed out - {hop_out} x collected.  . waits for an engine   # runs   - done   v collected"
    )?;
    Ok(())
}

/// Where the callbacks of a drawing stand: each as wide as it is long, but wide enough for its figures.
struct Columns {
    places: Vec<Place>,
}

/// One callback: when it begins, how long it lasts, where it begins and how many characters it has.
struct Place {
    time: Rational,
    block: Rational,
    start: usize,
    cells: usize,
}

impl Columns {
    fn of(callbacks: &[Callback]) -> Result<Self, Error> {
        let mut all = Rational::ZERO;
        for callback in callbacks {
            all = all.plus(callback.block)?;
        }
        // Room for the longest figure and its mark; what is left is shared out by length.
        let digits =
            callbacks.iter().map(|c| c.pushed.max(c.handed_out).to_string().len()).max().unwrap_or(0);
        let least = (digits + 5).clamp(8, 11);
        let spare = (WIDTH / callbacks.len().max(1)).min(24).saturating_sub(least) * callbacks.len();
        let spare = Rational::from(u64::try_from(spare).unwrap_or(0));
        let (mut places, mut start) = (Vec::new(), 0);
        for &Callback { time, block, .. } in callbacks {
            let share = block.times(spare)?.over(all)?.floor();
            let cells = least + usize::try_from(share).unwrap_or(0);
            places.push(Place { time, block, start, cells });
            start += cells;
        }
        Ok(Self { places })
    }

    fn total(&self) -> usize {
        self.places.last().map_or(0, |place| place.start + place.cells)
    }

    /// The column of a time: 0 for times before the drawing, its width for those behind it.
    fn at(&self, time: Rational) -> Result<usize, Error> {
        let Some(place) = self.places.iter().rev().find(|place| place.time <= time) else { return Ok(0) };
        let cells = Rational::from(u64::try_from(place.cells).unwrap_or(0));
        let offset = time.minus(place.time)?.times(cells)?.over(place.block)?.floor();
        let column = usize::try_from(offset).map_or(usize::MAX, |offset| place.start.saturating_add(offset));
        Ok(column.min(self.total()))
    }
}

fn explain_varying(
    out: &mut impl Write,
    query: &LatencyQuery,
    latency: &Latency,
    min: Rational,
) -> Result<(), Error> {
    let (block, hop) = (query.host_block, query.hop_in);
    writeln!(
        out,
        "Blocks from {min} to {block} samples: the host may bring them in the worst order there is. Some block ends"
    )?;
    writeln!(
        out,
        "one sample before a hop of {hop} is complete; the next one completes it. Blocks go on until just before the"
    )?;
    writeln!(out, "inference is done, and then comes the largest block, which needs what is not there yet.")?;
    let inference = query.max_inference.plus(query.scheduling_allowance)?.times(query.sample_rate)?.ceil();
    let simple =
        min == Rational::ONE && query.blocking_ratio.is_zero() && block.is_integer() && inference > 0;
    if simple {
        let (waits, runs) = (hop - 1, inference - 1);
        let sum = i128::from(waits) + runs + block.num();
        write!(
            out,
            "{waits} wait for their hop, {runs} more pass while it runs, {block} in the last block: {sum} samples"
        )?;
        match query.output.hop_out {
            hop_out if hop_out == hop => writeln!(out, ".")?,
            hop_out => {
                writeln!(out, " in, {} out (times {hop_out}/{hop}).", latency.zero_fill() - latency.padding)?
            }
        }
    }
    match worst::sequence(query, i128::from(latency.zero_fill() - latency.padding)) {
        Ok(blocks) => {
            writeln!(out)?;
            explain_blocks(out, query, latency, &blocks)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Config) => {
            writeln!(out, "Not drawn: {}.", error.message())?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira::latency::latency;

    fn text(query: &LatencyQuery) -> String {
        let mut out = Vec::new();
        explain(&mut out, query, &latency(query).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_timeline_shows_the_callback_that_decides() {
        let ms = |ms: i128| Rational::new(ms, 1000).unwrap();
        let drawn = text(&LatencyQuery::new(480u32, 48_000u32, 512, 512, ms(5)));
        assert!(drawn.contains("960 <<"), "{drawn}");
        assert!(drawn.contains("Callback 1 decides: it has handed out 960 samples"), "{drawn}");
        let none = text(&LatencyQuery::new(512u32, 48_000u32, 512, 512, ms(0)));
        assert!(none.contains("No callback comes up short"), "{none}");
        let varying = LatencyQuery::new(512u32, 48_000u32, 512, 512, ms(3));
        let varying = text(&varying.blocks(Blocks::Varying { min: Rational::ONE }));
        for words in ["1166 <<", "Callback 2 decides: it has handed out 1166 samples", "brings"] {
            assert!(varying.contains(words), "{words}: {varying}");
        }
        let row =
            |name: &str| varying.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace();
        assert!(row("brings").eq(["brings", "511", "143", "512", "512"]), "{varying}");
        assert!(row("inference 0").nth(2).is_some_and(|bar| bar.contains('#')), "{varying}");
    }

    #[test]
    fn every_drawing_is_bounded() {
        for (block, hop, share) in
            [(8192u32, 1, 100), (1, 8192, 100), (480, 512, 99), (12, 7, 100), (8191, 8192, 100)]
        {
            for engines in [1, 8] {
                let seconds =
                    Rational::new(i128::from(hop) * i128::from(engines) * share, 4_800_000).unwrap();
                let drawn = text(&LatencyQuery::new(block, 48_000u32, hop, hop, seconds).engines(engines));
                assert!(drawn.lines().count() < 45, "{drawn}");
                assert!(drawn.lines().all(|line| line.chars().count() <= 130), "{drawn}");
                for min in [1u32, 3, block.div_ceil(2), block] {
                    let query = LatencyQuery::new(block, 48_000u32, hop, hop, seconds).engines(engines);
                    let drawn = text(&query.blocks(Blocks::Varying { min: min.min(block).into() }));
                    assert!(drawn.lines().count() < 45, "{drawn}");
                    assert!(drawn.lines().all(|line| line.chars().count() <= 130), "{drawn}");
                }
            }
        }
    }
}
