//! `anira latency`: the exact latency of a host, a model and its engines, before any of them runs.

mod explain;
mod lines;
mod svg;
mod timeline;
mod worst;

use std::io::Write;
use std::path::PathBuf;

use anira::latency::{Blocks, Latency, LatencyQuery, Rational, latency};
use anira::{Error, ErrorKind};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  A network with hops of 512 that takes up to 5 ms, in a host with blocks of 480 at 48 kHz:
    anira latency --host-block 480 --sample-rate 48000 --hop-in 512 --hop-out 512 --max-inference-ms 5
  Why it is that much, in text and as a drawing:
    anira latency --host-block 480 --sample-rate 48000 --hop-in 512 --hop-out 512 --max-inference-ms 5 --explain \\
        --svg why.svg
  A host that brings 1 to 512 samples as it likes, and two engines:
    anira latency --host-block 512 --varying-blocks --sample-rate 48000 --hop-in 512 --hop-out 512 \\
        --max-inference-ms 3 --engines 2
  Many questions, one JSON object a line:
    echo '{\"host_block\":480,\"sample_rate\":48000,\"hop_in\":512,\"hop_out\":512,\"max_inference_ms\":5}' \\
        | anira latency --stdin

Numbers are read as exact decimals of at most 18 digits; nothing is computed in floats.";

/// Compute the exact latency of a model in a host, in samples.
///
/// The latency is the smallest one with which no callback ever comes up short: the zeros that an output stream starts
/// with, and the model's own delay. It is told in parts: adaptation (blocks that don't fit hops), inference (results that
/// are not ready when a callback needs them) and model.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LatencyArgs {
    #[command(flatten)]
    question: Question,
    /// Print one JSON object instead of a table; with --explain, the drawing is its field `explain`.
    #[arg(long)]
    json: bool,
    /// Draw the timeline: callbacks, submissions, inferences, collection, and the callback that decides.
    #[arg(long)]
    explain: bool,
    /// Write the timeline to this file as a drawing, too; of varying blocks, the worst sequence.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Read questions from standard input, one JSON object a line with the flags' names and underscores for dashes; answer
    /// each with one line, a latency or an error. Blank lines are skipped.
    #[arg(long, conflicts_with_all = ["question", "json", "explain", "svg"])]
    stdin: bool,
}

/// A question as the user wrote it: every number still text.
#[derive(Debug, Default, clap::Args)]
#[group(id = "question", multiple = true)]
struct Question {
    /// Samples of the input stream in a callback (with --varying-blocks: at most); may have three decimals.
    #[arg(long, value_name = "SAMPLES", required_unless_present = "stdin", allow_negative_numbers = true)]
    host_block: Option<String>,
    /// Sample rate of the input stream in Hz.
    #[arg(long, value_name = "HZ", required_unless_present = "stdin", allow_negative_numbers = true)]
    sample_rate: Option<String>,
    /// Samples that one inference consumes.
    #[arg(long, value_name = "SAMPLES", required_unless_present = "stdin", allow_negative_numbers = true)]
    hop_in: Option<String>,
    /// Samples that one inference yields.
    #[arg(long, value_name = "SAMPLES", required_unless_present = "stdin", allow_negative_numbers = true)]
    hop_out: Option<String>,
    /// The longest that one inference takes, in milliseconds.
    #[arg(long, value_name = "MS", required_unless_present = "stdin", allow_negative_numbers = true)]
    max_inference_ms: Option<String>,
    /// Inferences that run at once [default: 1].
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    engines: Option<String>,
    /// The share of a block's duration that a callback may wait for results, 0 to 1 [default: 0].
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    blocking_ratio: Option<String>,
    /// What a worker may need to start, in milliseconds, added to the inference time [default: 0].
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    scheduling_allowance_ms: Option<String>,
    /// Samples of the output stream by which the model itself delays [default: 0].
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    model_latency: Option<String>,
    /// The whole latency that the host is told, if it should be more than the smallest; less is refused [default: the
    /// smallest].
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    declared_latency: Option<String>,
    /// Callbacks bring anything from --min-block to --host-block samples.
    #[arg(long)]
    varying_blocks: bool,
    /// The fewest samples in a callback, with --varying-blocks [default: 1].
    #[arg(long, value_name = "SAMPLES", requires = "varying_blocks", allow_negative_numbers = true)]
    min_block: Option<String>,
}

/// Runs the command and writes its answer to `out`.
///
/// # Errors
/// [`ErrorKind::Config`] names a flag that cannot be, [`ErrorKind::Overload`] says that the model cannot keep up: with
/// `--json` they are written to `out` as well, and with `--stdin` only there. [`ErrorKind::Io`] if reading or writing
/// fails.
pub(crate) fn run(args: LatencyArgs, out: &mut impl Write) -> Result<(), Error> {
    if args.stdin {
        return lines::answer_lines(std::io::stdin().lock(), out);
    }
    let answered = args.question.query().and_then(|query| {
        let latency = latency(&query)?;
        let mut drawing = Vec::new();
        if args.explain {
            explain::explain(&mut drawing, &query, &latency)?;
        }
        if let Some(path) = &args.svg {
            std::fs::write(path, svg::svg(&query, &latency)?)
                .map_err(|error| Error::from(error).at(path.display().to_string()))?;
        }
        Ok((query, latency, String::from_utf8_lossy(&drawing).into_owned()))
    });
    match answered {
        Ok((_, latency, drawing)) if args.json => {
            write_json(out, &Answer { explain: args.explain.then_some(drawing), ..Answer::from(&latency) })?;
        }
        Ok((query, latency, drawing)) => {
            write_table(out, &query, &latency)?;
            if args.explain {
                write!(out, "\n{drawing}")?;
            }
        }
        Err(error) => {
            if args.json {
                write_json(out, &Refusal::from(&error))?;
            }
            return Err(error);
        }
    }
    out.flush()?;
    Ok(())
}

impl Question {
    fn query(&self) -> Result<LatencyQuery, Error> {
        let host_block = number("host_block", needed("host_block", &self.host_block)?)?;
        let mut query = LatencyQuery::new(
            host_block,
            number("sample_rate", needed("sample_rate", &self.sample_rate)?)?,
            count("hop_in", needed("hop_in", &self.hop_in)?)?,
            count("hop_out", needed("hop_out", &self.hop_out)?)?,
            milliseconds("max_inference_ms", needed("max_inference_ms", &self.max_inference_ms)?)?,
        );
        if let Some(text) = &self.engines {
            query = query.engines(count("engines", text)?);
        }
        if let Some(text) = &self.blocking_ratio {
            query = query.blocking_ratio(number("blocking_ratio", text)?);
        }
        if let Some(text) = &self.scheduling_allowance_ms {
            query = query.scheduling_allowance(milliseconds("scheduling_allowance_ms", text)?);
        }
        if let Some(text) = &self.model_latency {
            query = query.model_latency(count("model_latency", text)?);
        }
        if let Some(text) = &self.declared_latency {
            query = query.declared_latency(count("declared_latency", text)?);
        }
        let min = self.min_block.as_deref().map(|text| number("min_block", text)).transpose()?;
        match (self.varying_blocks, min) {
            (true, Some(min)) => Ok(query.blocks(Blocks::Varying { min })),
            (true, None) => {
                // A stream slower than a sample a block has no whole sample as its least: anything down to the finest.
                let least = if host_block < Rational::ONE { Rational::new(1, 1000)? } else { Rational::ONE };
                Ok(query.blocks(Blocks::Varying { min: least.min(host_block) }))
            }
            (false, None) => Ok(query),
            (false, Some(min)) if min == Rational::ONE => Ok(query),
            (false, Some(min)) => Err(Error::config("min_block", min, "it needs varying_blocks")),
        }
    }
}

fn needed<'a>(field: &'static str, text: &'a Option<String>) -> Result<&'a str, Error> {
    text.as_deref().ok_or_else(|| Error::config(field, "missing", "it has no default"))
}

fn number(field: &'static str, text: &str) -> Result<Rational, Error> {
    text.parse::<Rational>().map_err(|error| Error::new(error.kind(), error.message().to_owned()).at(field))
}

fn count(field: &'static str, text: &str) -> Result<u64, Error> {
    let number = number(field, text)?;
    let whole = number.is_integer().then_some(number.num()).and_then(|count| u64::try_from(count).ok());
    whole.ok_or_else(|| Error::config(field, number, "a whole number, 0 or more"))
}

/// Seconds, from milliseconds.
fn milliseconds(field: &'static str, text: &str) -> Result<Rational, Error> {
    let number = number(field, text)?;
    if number < Rational::ZERO || number > Rational::from(3_600_000u32) {
        return Err(Error::config(field, number, "from 0 to 3600000"));
    }
    number.over(Rational::from(1000u32))
}

/// An answer as JSON.
#[derive(Debug, Serialize)]
struct Answer {
    latency_samples: u64,
    adaptation: u64,
    inference: u64,
    model: u64,
    padding: u64,
    latency_ms: f64,
    slots: u64,
    input_ring: u64,
    output_ring: u64,
    exact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<String>,
}

impl From<&Latency> for Answer {
    fn from(latency: &Latency) -> Self {
        Self {
            latency_samples: latency.samples,
            adaptation: latency.adaptation,
            inference: latency.inference,
            model: latency.model,
            padding: latency.padding,
            latency_ms: latency.milliseconds(),
            slots: latency.slots,
            input_ring: latency.input_ring,
            output_ring: latency.output_ring,
            exact: latency.exact,
            explain: None,
        }
    }
}

/// An error as JSON.
#[derive(Debug, Serialize)]
struct Refusal {
    error: Reason,
}

#[derive(Debug, Serialize)]
struct Reason {
    kind: &'static str,
    message: String,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self { error: Reason { kind: error.kind().name(), message: error.to_string() } }
    }
}

/// One line of JSON.
fn write_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    let line =
        serde_json::to_string(value).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    writeln!(out, "{line}")?;
    Ok(())
}

fn write_table(out: &mut impl Write, query: &LatencyQuery, latency: &Latency) -> Result<(), Error> {
    let rate = latency.sample_rate.to_f64();
    let mut row = |name: &str, samples: u64, meaning: &str| {
        let ms = format!("{:.3}", Rational::from(samples).to_f64() * 1000.0 / rate);
        let ms = ms.trim_end_matches('0').trim_end_matches('.');
        writeln!(out, "{name:<12} {samples:>9} samples {ms:>10} ms   {meaning}")
    };
    row("latency", latency.samples, "what the host is told")?;
    row("  adaptation", latency.adaptation, "input that waits until its hop is complete")?;
    row("  inference", latency.inference, "results not ready when a callback needs them")?;
    row("  model", latency.model, "the model's own delay")?;
    if latency.padding > 0 {
        row("  padding", latency.padding, "what the declared latency is above the smallest")?;
    }
    row(
        "output ring",
        latency.output_ring,
        "per channel: the zeros to start with, and one callback's share",
    )?;
    let (input_ring, input_rate) = (latency.input_ring, query.sample_rate.to_f64());
    let ms = format!("{:.3}", Rational::from(input_ring).to_f64() * 1000.0 / input_rate);
    let ms = ms.trim_end_matches('0').trim_end_matches('.');
    let meaning = "per channel: input of the inferences in flight, besides the model's context";
    writeln!(out, "{:<12} {input_ring:>9} samples {ms:>10} ms   {meaning}", "input ring")?;
    let meaning = "inferences in flight at once; a session adds its engines, for resets";
    writeln!(out, "{:<12} {:>9} {:>21}   {meaning}", "slots", latency.slots, "")?;
    let exact = if latency.padding > 0 {
        "as declared: it is enough, and so would be the padding less"
    } else if latency.exact {
        "exact: with one sample less, some callback would come up short"
    } else {
        "upper bound: it is enough, and one sample less might be too"
    };
    writeln!(out, "{exact}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        latency: LatencyArgs,
    }

    const USUAL: &str =
        "--host-block 480 --sample-rate 48000 --hop-in 512 --hop-out 512 --max-inference-ms 5";

    fn parsed(flags: &str) -> Result<LatencyArgs, clap::Error> {
        let words = std::iter::once("latency").chain(flags.split_whitespace());
        Command::try_parse_from(words).map(|command| command.latency)
    }

    fn answer(flags: &str) -> (String, Result<(), Error>) {
        let mut out = Vec::new();
        let result = run(parsed(flags).unwrap(), &mut out);
        (String::from_utf8(out).unwrap(), result)
    }

    #[test]
    fn a_table_or_json_and_the_drawing_in_either() {
        let (table, _) = answer(USUAL);
        for row in [
            "latency            960 samples         20 ms",
            "adaptation       480",
            "slots                2",
            "exact",
        ] {
            assert!(table.contains(row), "{row}: {table}");
        }
        let json = |flags: &str| serde_json::from_str::<serde_json::Value>(&answer(flags).0).unwrap();
        let plain = json(&format!("{USUAL} --json"));
        assert_eq!(plain["latency_samples"], 960);
        assert_eq!((&plain["input_ring"], &plain["output_ring"]), (&2016.into(), &1440.into()));
        assert!(plain.get("explain").is_none());
        let drawn = json(&format!("{USUAL} --json --explain"));
        let drawing = drawn["explain"].as_str().unwrap();
        assert!(answer(&format!("{USUAL} --explain")).0.ends_with(drawing));
    }

    #[test]
    fn a_declared_latency_is_kept_and_its_excess_told() {
        let json = |flags: &str| serde_json::from_str::<serde_json::Value>(&answer(flags).0).unwrap();
        let declared = json(&format!("{USUAL} --model-latency 12 --declared-latency 1000 --json"));
        let parts =
            ["adaptation", "inference", "model", "padding"].map(|part| declared[part].as_u64().unwrap());
        assert_eq!((declared["latency_samples"].as_u64(), parts), (Some(1000), [480, 480, 12, 28]));
        let (table, _) = answer(&format!("{USUAL} --declared-latency 961 --explain"));
        for words in
            ["padding            1 samples", "as declared", "handed out 960", "declared latency adds 1"]
        {
            assert!(table.contains(words), "{words}: {table}");
        }
        let (_, refused) = answer(&format!("{USUAL} --declared-latency 959"));
        assert!(refused.unwrap_err().to_string().starts_with("declared_latency: is 959; at least 960, "));
    }

    /// Every command of the document that draws a figure draws the one that is there, and every figure has its command.
    #[test]
    fn the_figures_of_the_document_are_what_its_commands_draw() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let document = std::fs::read_to_string(docs.join("latency.md")).unwrap();
        let mut drawn = Vec::new();
        for line in document.lines() {
            let Some((flags, file)) =
                line.strip_prefix("    anira latency ").and_then(|line| line.split_once(" --svg docs/"))
            else {
                continue;
            };
            let query = parsed(flags).unwrap().question.query().unwrap();
            let drawing = svg::svg(&query, &latency(&query).unwrap()).unwrap();
            let there = std::fs::read_to_string(docs.join(file)).unwrap_or_default();
            assert!(
                there == drawing,
                "{file} is not what its command draws: run `anira latency {flags} --svg docs/{file}`"
            );
            assert!(document.contains(&format!("]({file})")), "{file} is not shown");
            drawn.push(docs.join(file));
        }
        assert!(drawn.len() >= 5, "{drawn:?}");
        let there = std::fs::read_dir(docs.join("figures")).unwrap().map(|entry| entry.unwrap().path());
        for file in there.filter(|file| file.to_string_lossy().contains("latency")) {
            assert!(drawn.contains(&file), "no command draws {}", file.display());
        }
    }

    #[test]
    fn a_drawing_is_written_and_what_cannot_be_drawn_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("why.svg");
        let (table, result) = answer(&format!("{USUAL} --svg {}", path.display()));
        assert!(result.is_ok() && table.contains("960"));
        let drawing = std::fs::read_to_string(&path).unwrap();
        assert!(drawing.starts_with("<svg ") && drawing.contains(">960</text>"), "{drawing}");
        let (_, result) =
            answer(&format!("{USUAL} --varying-blocks --min-block 1.5 --svg {}", path.display()));
        assert!(result.unwrap_err().to_string().contains("svg: varying blocks are drawn if"));
        let missing = folder.path().join("none").join("why.svg");
        let (_, result) = answer(&format!("{USUAL} --svg {}", missing.display()));
        assert!(result.unwrap_err().to_string().contains("why.svg"));
    }

    #[test]
    fn mistakes_are_told_in_json_as_well() {
        let (out, result) = answer(&format!("{USUAL} --blocking-ratio -0.5 --json"));
        assert_eq!(result.unwrap_err().field(), Some("blocking_ratio"));
        assert!(
            out.starts_with(r#"{"error":{"kind":"Config","message":"blocking_ratio: is -0.5; "#),
            "{out}"
        );
        let (out, result) = answer(&format!("{USUAL} --engines 0"));
        assert!(out.is_empty() && result.is_err());
    }

    #[test]
    fn flags_that_need_each_other_or_exclude_each_other() {
        assert!(parsed("--stdin").is_ok());
        for flags in [
            "--host-block 480",
            "--stdin --json",
            &format!("{USUAL} --stdin"),
            &format!("{USUAL} --min-block 2"),
        ] {
            assert!(parsed(flags).is_err(), "{flags}");
        }
        let slow =
            "--host-block 0.5 --sample-rate 100 --hop-in 4 --hop-out 4 --max-inference-ms 1 --varying-blocks";
        let (table, result) = answer(slow);
        assert!(result.is_ok() && table.contains("latency              4 samples"), "{table}");
        assert!(table.contains("upper bound"), "below a sample a block there is no whole minimum: {table}");
        let (table, _) = answer(&format!("{USUAL} --varying-blocks --min-block 480"));
        assert!(table.contains("latency            960 samples"), "{table}");
    }
}
