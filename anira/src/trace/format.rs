//! Traces as text: JSON Lines, the header first, an end last.

use std::io::{BufRead, Write};

use anira_traits::{Error, Result};
use serde_json::{Map, Value};

use super::{Event, Header, Trace, VERSION};

/// No line of a trace is longer.
const LONGEST: u64 = 4096;

impl Trace {
    /// Writes it, line by line.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), the writer's own.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let h = &self.header;
        writeln!(
            out,
            "{{\"anira_trace\":{VERSION},\"sample_rate\":{},\"block\":{},\"varying\":{},\"hop_in\":{},\"hop_out\":{},\
             \"engines\":{},\"latency\":{},\"zero_fill\":{},\"max_inference_ns\":{},\"scheduling_allowance_ns\":{},\
             \"blocking_ppm\":{},\"max_catch_up\":{}}}",
            h.sample_rate,
            h.block,
            h.varying,
            h.hop_in,
            h.hop_out,
            h.engines,
            h.latency,
            h.zero_fill,
            h.max_inference,
            h.scheduling_allowance,
            h.blocking_ppm,
            h.max_catch_up,
        )?;
        for event in &self.events {
            match event {
                Event::Block { at, samples } => {
                    writeln!(out, r#"{{"event":"block","at":{at},"samples":{samples}}}"#)
                }
                Event::Hop { at, stream, hop, deadline } => writeln!(
                    out,
                    r#"{{"event":"hop","at":{at},"stream":{stream},"hop":{hop},"deadline":{deadline}}}"#
                ),
                Event::Drop { at, stream, hop } => {
                    writeln!(out, r#"{{"event":"drop","at":{at},"stream":{stream},"hop":{hop}}}"#)
                }
                Event::Skip { at, stream, hop } => {
                    writeln!(out, r#"{{"event":"skip","at":{at},"stream":{stream},"hop":{hop}}}"#)
                }
                Event::Run { stream, hop, worker, start, end, ok } => writeln!(
                    out,
                    r#"{{"event":"run","stream":{stream},"hop":{hop},"worker":{worker},"start":{start},"end":{end},"ok":{ok}}}"#
                ),
                Event::Out { at, samples, late } => {
                    writeln!(out, r#"{{"event":"out","at":{at},"samples":{samples},"late":{late}}}"#)
                }
                Event::Reset { at } => writeln!(out, r#"{{"event":"reset","at":{at}}}"#),
            }?;
        }
        writeln!(out, r#"{{"event":"end","events":{},"lost":{}}}"#, self.events.len(), self.lost)?;
        Ok(())
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config): what is wrong, with the line, the field and its value: another version, a field that is missing, a
    /// time before that of the line before, a trace that was cut short. [`Io`](crate::ErrorKind::Io), the reader's own.
    pub fn read(input: &mut impl BufRead) -> Result<Self> {
        let mut lines = Lines { input, number: 0 };
        let Some(first) = lines.next()? else {
            return Err(Error::config("header", "missing", "a first line {\"anira_trace\":1,…}").at("line 1"));
        };
        let header = header(&first).map_err(|error| error.at("line 1"))?;
        let (mut events, mut last) = (Vec::new(), 0);
        loop {
            let Some(line) = lines.next()? else {
                let right = "a last line {\"event\":\"end\",…}: the trace was cut short";
                return Err(Error::config("end", "missing", right).at(format!("line {}", lines.number + 1)));
            };
            let at = |error: Error| error.at(format!("line {}", lines.number));
            let event = match line.event(&header).map_err(at)? {
                Ok(event) => event,
                Err(lost) => {
                    let counted = line.count("events").map_err(at)?;
                    if counted != events.len() as u64 {
                        let right = format!("{}, the lines before it: some were taken out", events.len());
                        return Err(at(Error::config("events", counted, right)));
                    }
                    if lines.next()?.is_some() {
                        let error = Error::config("event", "a line more", "nothing after the line `end`");
                        return Err(error.at(format!("line {}", lines.number)));
                    }
                    return Ok(Self { header, events, lost });
                }
            };
            let (time, field) = (event.time(), if matches!(event, Event::Run { .. }) { "end" } else { "at" });
            if time < last {
                let right =
                    format!("at least {last}, the time of the line before: time does not go backwards");
                return Err(at(Error::config(field, time, right)));
            }
            last = time;
            events.push(event);
        }
    }
}

struct Lines<'i, R> {
    input: &'i mut R,
    number: usize,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line, if there is one.
    fn next(&mut self) -> Result<Option<Line>> {
        use std::io::Read;

        let mut text = Vec::new();
        self.input.by_ref().take(LONGEST + 1).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let at = |error: Error| error.at(format!("line {}", self.number));
        if text.len() as u64 > LONGEST {
            return Err(at(Error::config("line", "too long", format!("at most {LONGEST} bytes"))));
        }
        if text.last() != Some(&b'\n') {
            let right = "a line that ends: the trace was cut short in its middle";
            return Err(at(Error::config(
                "line",
                format_args!("`{}`", String::from_utf8_lossy(&text)),
                right,
            )));
        }
        match serde_json::from_slice(&text) {
            Ok(Value::Object(map)) => Ok(Some(Line(map))),
            _ => {
                let shown = String::from_utf8_lossy(&text);
                let shown: String = shown.trim_end().chars().take(60).collect();
                Err(at(Error::config("line", format_args!("`{shown}`"), "one JSON object")))
            }
        }
    }
}

/// A line's fields.
struct Line(Map<String, Value>);

impl Line {
    fn get(&self, field: &'static str, right: &str) -> Result<&Value> {
        self.0.get(field).ok_or_else(|| Error::config(field, "missing", right.to_owned()))
    }

    fn count(&self, field: &'static str) -> Result<u64> {
        const RIGHT: &str = "a whole number from 0 to 2^63 - 1";
        let value = self.get(field, RIGHT)?;
        let number = value.as_u64().filter(|number| *number <= i64::MAX as u64);
        number.ok_or_else(|| Error::config(field, value, RIGHT))
    }

    fn flag(&self, field: &'static str) -> Result<bool> {
        let value = self.get(field, "true or false")?;
        value.as_bool().ok_or_else(|| Error::config(field, value, "true or false"))
    }

    /// The event; of an end, how many were lost.
    fn event(&self, header: &Header) -> Result<Result<Event, u64>> {
        const KINDS: &str = "one of block, hop, drop, skip, run, out, reset, end";
        let kind = self.get("event", KINDS)?;
        let (stream, hop) = (|| self.count("stream"), || self.count("hop"));
        Ok(Ok(match kind.as_str().unwrap_or_default() {
            "block" => Event::Block { at: self.count("at")?, samples: self.samples(header.block)? },
            "hop" => Event::Hop {
                at: self.count("at")?,
                stream: stream()?,
                hop: hop()?,
                deadline: self.count("deadline")?,
            },
            "drop" => Event::Drop { at: self.count("at")?, stream: stream()?, hop: hop()? },
            "skip" => Event::Skip { at: self.count("at")?, stream: stream()?, hop: hop()? },
            "run" => {
                let (start, end) = (self.count("start")?, self.count("end")?);
                if end < start {
                    return Err(Error::config("end", end, format!("at least {start}, the start")));
                }
                let (stream, hop, worker) = (stream()?, hop()?, self.count("worker")?);
                Event::Run { stream, hop, worker, start, end, ok: self.flag("ok")? }
            }
            "out" => {
                let (samples, late) = (self.samples(1 << 24)?, self.count("late")?);
                if late > samples {
                    return Err(Error::config("late", late, format!("at most {samples}, the samples")));
                }
                Event::Out { at: self.count("at")?, samples, late }
            }
            "reset" => Event::Reset { at: self.count("at")? },
            "end" => return Ok(Err(self.count("lost")?)),
            _ => return Err(Error::config("event", kind, KINDS)),
        }))
    }

    fn samples(&self, most: u64) -> Result<u64> {
        let samples = self.count("samples")?;
        match samples <= most {
            true => Ok(samples),
            false => Err(Error::config("samples", samples, format!("at most {most}"))),
        }
    }
}

fn header(line: &Line) -> Result<Header> {
    let version = line.get("anira_trace", "1: the first line of a trace tells its version")?;
    if version.as_u64() != Some(VERSION) {
        let right = format!("{VERSION}, the version that this program reads");
        return Err(Error::config("anira_trace", version, right));
    }
    let rate = line.get("sample_rate", "a number of Hz")?;
    let sample_rate = rate.as_f64().ok_or_else(|| Error::config("sample_rate", rate, "a number of Hz"))?;
    let header = Header {
        sample_rate,
        block: line.count("block")?,
        varying: line.flag("varying")?,
        hop_in: line.count("hop_in")?,
        hop_out: line.count("hop_out")?,
        engines: line.count("engines")?,
        latency: line.count("latency")?,
        zero_fill: line.count("zero_fill")?,
        max_inference: line.count("max_inference_ns")?,
        scheduling_allowance: line.count("scheduling_allowance_ns")?,
        blocking_ppm: line.count("blocking_ppm")?,
        max_catch_up: line.count("max_catch_up")?,
    };
    header.validate()?;
    Ok(header)
}
