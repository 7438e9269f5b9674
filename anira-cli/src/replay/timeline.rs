//! The time around a late sample, drawn in characters.

use std::io::Write;

use anira::Result;
use anira::trace::{Fate, LateRun, Played, Replayed};

/// Characters of all the time that is drawn, and of the names before it.
const WIDTH: usize = 80;
const MARGIN: usize = 14;
/// Hops that are drawn, the late one last.
const ROWS: usize = 8;

/// A stretch of time and its columns.
#[derive(Clone, Copy)]
struct Window {
    from: u64,
    to: u64,
}

impl Window {
    fn column(self, at: u64) -> usize {
        let span = u128::from(self.to - self.from).max(1);
        let part = u128::from(at.clamp(self.from, self.to) - self.from) * (WIDTH as u128 - 1);
        (part / span) as usize
    }
}

/// Draws the late hop, those in front of it, and the callbacks around them.
pub(super) fn draw(replayed: &Replayed, late: &LateRun, out: &mut impl Write) -> Result<()> {
    let Some(place) = late.place else { return Ok(()) };
    let rows = replayed.hops.get(place.saturating_sub(ROWS - 1)..=place).unwrap_or_default();
    // From the first hop that still has to do with it: those that were over when the one behind was submitted have not.
    let matters = |pair: &[Played]| matches!((&pair[0].fate, &pair[1]), (Fate::Ran { end, .. }, behind) if *end <= behind.submitted);
    let first = rows.windows(2).rposition(matters).map_or(0, |over| over + 1);
    let rows = rows.get(first..).unwrap_or_default();
    let end = |hop: &Played| match hop.fate {
        Fate::Ran { end, .. } => end,
        Fate::Dropped { at } | Fate::Skipped { at } => at,
        Fate::Waits => late.at,
    };
    let from = rows.iter().map(|hop| hop.submitted).min().unwrap_or(late.at).min(late.at);
    let to = rows.iter().map(end).max().unwrap_or(late.at).max(late.at);
    let window = Window { from, to: to.max(from.saturating_add(1)) };
    writeln!(out, "{:<MARGIN$}{}", "  callbacks", callbacks(replayed, window))?;
    for hop in rows {
        writeln!(out, "  {:<12}{}", format!("hop {}", hop.hop), row(hop, window, late))?;
    }
    let mut look = vec![' '; WIDTH];
    mark(&mut look, window.column(late.at), '!');
    let look: String = look.into_iter().collect();
    writeln!(out, "  {:<12}{}", "looked for", look.trim_end())?;
    let ms = |nanos: u64| nanos as f64 / 1e6;
    writeln!(
        out,
        "{:MARGIN$}from {:.3} to {:.3} ms   . waits   # runs   - over   x given up   ! too late",
        "",
        ms(window.from),
        ms(window.to)
    )?;
    Ok(())
}

/// A bar for every callback of the window, with its number where there is room.
fn callbacks(replayed: &Replayed, window: Window) -> String {
    let mut line = vec![' '; WIDTH];
    let first = replayed.callbacks.partition_point(|at| *at < window.from);
    let within = replayed.callbacks.iter().enumerate().skip(first).take_while(|(_, at)| **at <= window.to);
    for (callback, at) in within {
        let column = window.column(*at);
        let next = replayed.callbacks.get(callback + 1).filter(|at| **at <= window.to);
        let room = next.map_or(WIDTH, |at| window.column(*at)).saturating_sub(column);
        let text = format!("|{callback}");
        let text = if text.len() > room { "|" } else { &text };
        line.iter_mut().skip(column).zip(text.chars()).for_each(|(cell, c)| *cell = c);
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn row(hop: &Played, window: Window, late: &LateRun) -> String {
    let mut line = vec![' '; WIDTH];
    let mut fill = |from: u64, to: u64, mark: char| {
        let (from, to) = (window.column(from), window.column(to));
        line.iter_mut().take(to.max(from + 1)).skip(from).for_each(|cell| *cell = mark);
    };
    let mut worker = None;
    match hop.fate {
        Fate::Ran { start, end, worker: by, .. } => {
            if end < late.at {
                fill(end, late.at, '-');
            }
            if start > hop.submitted {
                fill(hop.submitted, start, '.');
            }
            fill(start, end, '#');
            worker = by;
        }
        Fate::Dropped { at } => {
            fill(hop.submitted, at, '.');
            mark(&mut line, window.column(at), 'x');
        }
        Fate::Skipped { at } => fill(at, late.at, '-'),
        Fate::Waits => fill(hop.submitted, window.to, '.'),
    }
    let text = line.into_iter().collect::<String>().trim_end().to_owned();
    worker.map_or(text.clone(), |worker| format!("{text}  worker {worker}"))
}

fn mark(line: &mut [char], column: usize, mark: char) {
    line.iter_mut().skip(column).take(1).for_each(|cell| *cell = mark);
}
