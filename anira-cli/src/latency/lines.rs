//! Questions as JSON, one a line.

use std::io::{BufRead, Write};

use anira::latency::latency;
use anira::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, Question, Refusal, write_json};

/// A line: every number still the text that was sent, so that no digit is lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    host_block: Option<&'a RawValue>,
    #[serde(borrow)]
    sample_rate: Option<&'a RawValue>,
    #[serde(borrow)]
    hop_in: Option<&'a RawValue>,
    #[serde(borrow)]
    hop_out: Option<&'a RawValue>,
    #[serde(borrow)]
    max_inference_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    engines: Option<&'a RawValue>,
    #[serde(borrow)]
    blocking_ratio: Option<&'a RawValue>,
    #[serde(borrow)]
    scheduling_allowance_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    model_latency: Option<&'a RawValue>,
    #[serde(borrow)]
    declared_latency: Option<&'a RawValue>,
    #[serde(default)]
    varying_blocks: bool,
    #[serde(borrow)]
    min_block: Option<&'a RawValue>,
}

/// Answers every line of `questions` with one line to `out`, at once.
pub(super) fn answer_lines(mut questions: impl BufRead, out: &mut impl Write) -> Result<(), Error> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if questions.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match question(line).and_then(|question| latency(&question.query()?)) {
            Ok(latency) => write_json(out, &Answer::from(&latency))?,
            Err(error) => write_json(out, &Refusal::from(&error))?,
        }
        out.flush()?;
    }
}

fn question(line: &[u8]) -> Result<Question, Error> {
    let malformed = |reason: String| Error::new(ErrorKind::Config, reason).at("line");
    if !line.starts_with(b"{") {
        return Err(malformed("a question is one JSON object".to_owned()));
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
    Ok(Question {
        host_block: text("host_block", line.host_block)?,
        sample_rate: text("sample_rate", line.sample_rate)?,
        hop_in: text("hop_in", line.hop_in)?,
        hop_out: text("hop_out", line.hop_out)?,
        max_inference_ms: text("max_inference_ms", line.max_inference_ms)?,
        engines: text("engines", line.engines)?,
        blocking_ratio: text("blocking_ratio", line.blocking_ratio)?,
        scheduling_allowance_ms: text("scheduling_allowance_ms", line.scheduling_allowance_ms)?,
        model_latency: text("model_latency", line.model_latency)?,
        declared_latency: text("declared_latency", line.declared_latency)?,
        varying_blocks: line.varying_blocks,
        min_block: text("min_block", line.min_block)?,
    })
}

/// A number's own text, or the text in a string.
fn text(field: &'static str, value: Option<&RawValue>) -> Result<Option<String>, Error> {
    let Some(value) = value.map(RawValue::get) else {
        return Ok(None);
    };
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value)
            .map(Some)
            .map_err(|error| Error::new(ErrorKind::Config, error.to_string()).at(field)),
        Some(b'-' | b'0'..=b'9') => Ok(Some(value.to_owned())),
        _ => Err(Error::config(field, value, "a number, or a string that holds one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(questions: &str) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        answer_lines(questions.as_bytes(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn one_answer_a_line_also_for_errors() {
        let answers = answers(concat!(
            r#"{"host_block":480,"sample_rate":48000,"hop_in":512,"hop_out":512,"max_inference_ms":5}"#,
            "\n\n",
            r#"{"host_block":480,"sample_rate":48000,"hop_in":512,"hop_out":512,"max_inference_ms":12}"#,
            "\r\n",
            r#"{"host_block":"512","sample_rate":"48e3","hop_in":512.0,"hop_out":512,"max_inference_ms":3.0,"varying_blocks":true}"#,
            "\n[480,48000]\nnonsense\n",
            r#"{"host_block":480,"blok":1}"#,
            "\n",
            r#"{"host_block":480}"#,
        ));
        assert_eq!(answers.len(), 7);
        assert_eq!(answers[0]["latency_samples"], 960);
        assert_eq!(answers[0]["latency_ms"], 20.0);
        assert_eq!(answers[0]["exact"], true);
        assert_eq!(answers[1]["error"]["kind"], "Overload");
        assert_eq!(answers[2]["latency_samples"], 1166);
        for (index, word) in [(3, "object"), (4, "object"), (5, "blok"), (6, "sample_rate: is missing")] {
            assert_eq!(answers[index]["error"]["kind"], "Config");
            let message = answers[index]["error"]["message"].as_str().unwrap();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn no_digit_of_a_number_is_lost() {
        // At 10 ms an inference ends on the next callback; a float would not see the last digit.
        let ask = |ms: &str, rest: &str| {
            let line = format!(
                r#"{{"host_block":480,"sample_rate":48000,"hop_in":512,"hop_out":512,"max_inference_ms":{ms}{rest}}}"#
            );
            answers(&line).remove(0)
        };
        assert_eq!(ask("10", "")["latency_samples"], 960);
        assert_eq!(ask("10.0000000000000001", "")["latency_samples"], 1440);
        assert_eq!(ask("\"10.0000000000000001\"", "")["latency_samples"], 1440);
        assert_eq!(ask("1e1", "")["latency_samples"], 960);
        for bad in [
            "true",
            "null,\"engines\":[]",
            "1,\"varying_blocks\":1",
            "1,\"min_block\":2",
            "1,\"engines\":1.5",
        ] {
            assert_eq!(ask(bad, "")["error"]["kind"], "Config", "{bad}");
        }
        assert_eq!(ask("5", ",\"varying_blocks\":false,\"min_block\":1")["latency_samples"], 960);
        assert_eq!(ask("5", ",\"engines\":null")["latency_samples"], 960, "null is the default");
    }

    #[test]
    fn every_field_is_read() {
        let ask = |change: (&str, &str)| {
            let mut question = serde_json::json!({
                "host_block": 480, "sample_rate": 48000, "hop_in": 512, "hop_out": 512, "max_inference_ms": 5,
            });
            question[change.0] = serde_json::from_str(change.1).unwrap();
            answers(&question.to_string()).remove(0)
        };
        for (change, figure) in [
            (("host_block", "512"), 512),
            (("sample_rate", "1e5"), 1440),
            (("hop_in", "480"), 512),
            (("hop_out", "128"), 240),
            (("max_inference_ms", "10.5"), 1440),
            (("engines", "2"), 960),
            (("blocking_ratio", "\"0.5\""), 480),
            (("scheduling_allowance_ms", "5.1"), 1440),
            (("model_latency", "37"), 997),
            (("declared_latency", "961"), 961),
            (("varying_blocks", "true"), 1230),
        ] {
            assert_eq!(ask(change)["latency_samples"], figure, "{change:?}");
        }
        assert_eq!(ask(("max_inference_ms", "12"))["error"]["kind"], "Overload");
        for (field, value) in
            [("max_inference_ms", "3600001"), ("scheduling_allowance_ms", "-1"), ("hop_in", "-2")]
        {
            let answer = ask((field, value));
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("{field}: is {value}; ")), "{message}");
        }
    }
}
