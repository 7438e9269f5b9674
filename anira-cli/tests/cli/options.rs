//! `anira process`: its options, its configurations, what it writes and what it leaves alone.

use super::program::{Done, Folder, anira, repository, text};
use super::sound::{Format, float_wav, read, wav};

struct Studio {
    folder: Folder,
    input: String,
    samples: Vec<f32>,
}

impl Studio {
    fn new() -> Self {
        let folder = Folder::new();
        let (bytes, planar) = wav(Format::F32, 48_000, 1, 2_000);
        Self { input: folder.write("in.wav", bytes), folder, samples: planar[0].clone() }
    }

    fn out(&self) -> String {
        self.folder.join("out.wav")
    }

    fn process(&self, model: &str, rest: &[&str]) -> Done {
        anira(&[&["process", model, &self.input, &self.out()], rest].concat())
    }

    fn gain(&self, rest: &[&str]) -> Done {
        self.process(&repository("models/gain.onnx"), rest)
    }

    /// A configuration of the gain model, with these lines at its head and this hop.
    fn config(&self, head: &str, hop: &str) -> String {
        let model = repository("models/gain.onnx");
        let text = format!(
            "version = 1\n{head}\n[engine.rten]\nfile = '{model}'\n\
             [[input]]\nname = \"input\"\nrole = \"stream\"\n{hop}\n\
             [[output]]\nname = \"output\"\nrole = \"stream\"\n{hop}\n"
        );
        self.folder.write("gain.toml", text)
    }

    fn wrote_halves(&self) {
        let halves: Vec<f32> = self.samples.iter().map(|x| 0.5 * x).collect();
        assert!(read(&self.out()).1[0] == halves);
    }
}

#[test]
fn without_options_it_says_what_it_chose_and_did() {
    let studio = Studio::new();
    let done = studio.gain(&[]).ok();
    assert!(done.out.is_empty(), "{}", done.out);
    for words in [
        "engine: native (reads .onnx)",
        "configuration: derived from the shapes of",
        "processed: 2000 frames, 1 channels, 48000 Hz, by native (offline)",
        "latency: 0 samples (0.00 ms) = adaptation 0",
        "inferences: 4",
        "late: nothing",
        "times real time",
    ] {
        assert!(done.err.contains(words), "`{}` lacks `{words}`", done.err);
    }
    studio.wrote_halves();
    assert_eq!(studio.folder.names(), ["in.wav", "out.wav"]);
}

#[test]
fn the_report_has_every_fixed_field() {
    let studio = Studio::new();
    let report = studio.folder.join("report.json");
    let done =
        studio.gain(&["--block", "100", "--max-inference-ms", "3", "--report", &report, "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(json, done.json());
    assert_eq!(json["schema"], 1);
    assert_eq!(json["engine"], "native");
    assert_eq!(json["sample_rate"], 48_000);
    assert_eq!(json["host_block"], 100);
    assert_eq!(json["channels"], 1);
    assert_eq!(json["frames"], 2_000);
    let parts = |name: &str| json["latency"][name].as_u64().unwrap();
    let total = json["latency_samples"].as_u64().unwrap();
    // Blocks of 100 into hops of 512 lack up to 508 samples; 3 ms are 144 samples, so at most two blocks.
    assert_eq!((parts("adaptation"), parts("model")), (508, 0));
    assert_eq!(total, parts("adaptation") + parts("inference"));
    assert_eq!(parts("inference"), 200);
    assert_eq!(json["inferences"], (2_000 + total) / 512);
    for counter in ["late_samples", "late_blocks", "dropped", "failed"] {
        assert_eq!(json[counter], 0, "{counter}");
    }
    for times in ["inference_us", "callback_us"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|name| json[times][name].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{times}: {p50} {p99} {max}");
    }
    studio.wrote_halves();
}

#[test]
fn uncompensated_it_starts_with_the_latency_and_is_cut() {
    let studio = Studio::new();
    let done = studio.gain(&["--block", "100", "--no-compensate", "--json"]).ok();
    let latency = done.json()["latency_samples"].as_u64().unwrap() as usize;
    assert_eq!(latency, 508);
    let heard = &read(&studio.out()).1[0];
    assert_eq!(heard.len(), 2_000);
    assert!(heard[..latency].iter().all(|x| *x == 0.0));
    assert!(heard[latency..].iter().zip(&studio.samples).all(|(y, x)| *y == 0.5 * x));
}

#[test]
fn in_real_time_the_clock_paces_it() {
    let studio = Studio::new();
    let samples = vec![0.5f32; 24_000];
    let input = studio.folder.write("half-second.wav", float_wav(48_000, &samples));
    let model = repository("models/gain.onnx");
    let args = ["process", &model, &input, &studio.out(), "--realtime", "--block", "480", "--json"];
    anira(&args).refused(2, &["--max-inference-ms", "missing", "--realtime", "max_inference_ms"]);
    let started = std::time::Instant::now();
    let done = anira(&[&args[..], &["--max-inference-ms", "10"]].concat()).ok();
    let report = done.json();
    assert!(started.elapsed().as_secs_f64() > 0.48, "half a second takes half a second");
    assert_eq!((report["mode"].as_str(), report["frames"].as_u64()), (Some("realtime"), Some(24_000)));
    assert_eq!(read(&studio.out()).1[0].len(), 24_000);
    // On a busy machine something may be late; it is then counted, and everything else is right.
    let wrong = read(&studio.out()).1[0].iter().filter(|y| **y != 0.25).count() as u64;
    assert!(wrong <= report["late_samples"].as_u64().unwrap(), "{wrong} wrong, {report}");
    anira(&[&args[..], &["--max-inference-ms", "12"]].concat()).refused(2, &["12", "keep up"]);
}

#[test]
fn blocks_that_cannot_be_are_refused() {
    let studio = Studio::new();
    let refused = |args: &[&str], words: &[&str]| drop(studio.gain(args).refused(2, words));
    refused(&["--block", "0"], &["'0'", "--block", "1 to 1048576"]);
    refused(&["--block", "-3"], &["'-3'", "--block", "1 to 1048576"]);
    refused(&["--block", "1048577"], &["1048577", "1 to 1048576"]);
    refused(&["--block", "many"], &["many", "1 to 1048576"]);
    refused(&["--blocks", "64,0,32"], &["'0'", "--blocks", "1 to 1048576"]);
    refused(&["--blocks", ""], &["--blocks"]);
    for nonsense in ["7", "7,", ",7", "7,0", "a,7", "7,b", "-1,7", "7,7,7", ""] {
        refused(&[&format!("--random-blocks={nonsense}")], &["--random-blocks", "SEED,MAX"]);
    }
    refused(
        &["--block", "3", "--random-blocks", "1,7"],
        &["--block", "--random-blocks", "cannot be used with"],
    );
    refused(&["--offline", "--realtime"], &["--offline", "--realtime", "cannot be used with"]);
    for nonsense in ["-1", "nan", "1e99", "fast"] {
        refused(&["--max-inference-ms", nonsense], &["--max-inference-ms", "0 to 3600000"]);
    }
    assert_eq!(studio.folder.names(), ["in.wav"]);
}

#[test]
fn engines_that_are_not_built_name_their_feature() {
    let studio = Studio::new();
    let engines = [
        ("native", cfg!(feature = "native")),
        ("onnxruntime", cfg!(feature = "onnxruntime")),
        ("torch", cfg!(feature = "torch")),
        ("tflite", cfg!(feature = "tflite")),
        ("litert", cfg!(feature = "litert")),
    ];
    for (engine, _) in engines.into_iter().filter(|(_, built)| !built) {
        studio.gain(&["--engine", engine]).refused(2, &["not built", &format!("feature `{engine}`")]);
    }
    if !cfg!(feature = "torch") {
        let torch = studio.folder.write("amp.pt", b"");
        studio.process(&torch, &[]).refused(2, &["feature `torch`"]);
    }
    let unknown = studio.folder.write("amp.h5", b"");
    studio.process(&unknown, &[]).refused(2, &["amp.h5", "ending", ".onnx"]);
}

#[cfg(feature = "onnxruntime")]
#[test]
fn onnx_runtime_runs_when_it_is_asked_for() {
    let studio = Studio::new();
    let report = studio.gain(&["--engine", "onnxruntime", "--json"]).ok().json();
    assert_eq!(report["engine"], "onnxruntime");
    studio.wrote_halves();
}

#[test]
fn bypass_passes_through_with_the_models_latency() {
    let studio = Studio::new();
    let args = ["--engine", "bypass", "--block", "100", "--no-compensate", "--json"];
    let report = studio.gain(&args).ok().json();
    assert_eq!((report["engine"].as_str(), report["latency_samples"].as_u64()), (Some("bypass"), Some(508)));
    let heard = &read(&studio.out()).1[0];
    assert!(heard[508..] == studio.samples[..2_000 - 508]);
}

#[test]
fn a_configuration_takes_the_models_place_or_stands_beside_it() {
    let studio = Studio::new();
    let config = studio.config("max_inference_ms = 2.0", "hop = 512");
    let report = studio.process(&config, &["--json"]).ok().json();
    assert_eq!(report["configuration"], format!("read from {config}"));
    assert_eq!(
        (report["max_inference_ms"].as_f64(), report["latency_samples"].as_u64()),
        (Some(2.0), Some(512))
    );
    studio.wrote_halves();
    let flag = studio.process(&config, &["--json", "--max-inference-ms", "0"]).ok().json();
    assert_eq!(flag["latency_samples"], 0, "the flag goes before the file");
    let model = repository("models/gain.onnx");
    studio.process(&model, &["--config", &config]).ok();
    studio.wrote_halves();
    let without = studio.folder.write(
        "bare.toml",
        std::fs::read_to_string(&config).unwrap().replace("[engine.rten]", "[engine.torch]"),
    );
    studio.process(&model, &["--config", &without]).ok();
    if !cfg!(feature = "torch") {
        studio.process(&without, &[]).refused(2, &["feature `torch`"]);
    }
    studio.process(&config, &["--config", &without]).refused(2, &["--config", "one configuration"]);
}

#[test]
fn paths_in_a_configuration_start_at_its_folder() {
    let studio = Studio::new();
    std::fs::create_dir(studio.folder.path().join("deep")).unwrap();
    std::fs::copy(repository("models/gain.onnx"), studio.folder.path().join("deep/g.onnx")).unwrap();
    let config = std::fs::read_to_string(studio.config("", "hop = 512")).unwrap();
    let config = config.replace(&format!("'{}'", repository("models/gain.onnx")), "\"g.onnx\"");
    let path = studio.folder.path().join("deep/g.toml");
    std::fs::write(&path, config).unwrap();
    studio.process(&text(&path), &[]).ok();
    studio.wrote_halves();
}

#[test]
fn configurations_that_do_not_fit_are_told() {
    let studio = Studio::new();
    let refused = |head: &str, hop: &str, words: &[&str]| {
        let config = studio.config(head, hop);
        studio.process(&config, &[]).refused(2, words);
    };
    refused("", "hop = 0", &["gain.toml", "input `input`", "hop", "is 0", "from 1"]);
    refused("", "hop = 513", &["input `input`", "hop", "513", "512"]);
    refused("", "hop = 512\nshape = [1, 1, 513]", &["input `input`", "shape", "[1, 1, 513]", "[1, 1, 512]"]);
    refused("", "hop = 512\nlayout = \"CT\"", &["input `input`", "layout", "CT", "[1, 1, 512]"]);
    refused("", "hop = 512\nchannels = 2", &["input `input`", "channels", "2"]);
    refused("", "hop = 512\nmodel_name = \"x\"", &["input `input`", "`x`", "`input`"]);
    refused("hops = 3", "hop = 512", &["gain.toml", "line 2", "unknown field `hops`"]);
    refused("warm_up = -1", "hop = 512", &["gain.toml", "line 2", "warm_up", "-1"]);
    refused(
        "sample_rate = 44100",
        "hop = 512",
        &["sample_rate", "44100 Hz", "in.wav", "48000 Hz", "convert"],
    );
    refused("max_inference_ms = 900.0", "hop = 512", &["keep up"]);
    studio.process(&studio.folder.join("no.toml"), &[]).refused(2, &["no.toml", "No such file"]);
    let broken = studio.folder.write("broken.json", "{\"version\": 1,");
    studio.process(&broken, &[]).refused(2, &["broken.json", "line 1", "EOF"]);
    assert!(!studio.folder.names().contains(&"out.wav".to_owned()));
}

#[test]
fn models_that_are_none_are_told() {
    let studio = Studio::new();
    let whole = std::fs::read(repository("models/gain.onnx")).unwrap();
    let cut = studio.folder.write("cut.onnx", &whole[..whole.len() / 2]);
    studio.process(&cut, &[]).refused(2, &["cut.onnx"]);
    let text = studio.folder.write("text.onnx", b"no model");
    studio.process(&text, &[]).refused(2, &["text.onnx"]);
    studio.process(&studio.folder.join("no.onnx"), &[]).refused(2, &["no.onnx", "No such file"]);
    studio
        .process(&repository("tests/fixtures/double.onnx"), &[])
        .refused(2, &["double.onnx", "float64", "float32"]);
    studio
        .process(&repository("tests/fixtures/upsample.onnx"), &[])
        .refused(2, &["64 samples into 128", "rate"]);
    studio
        .process(&repository("tests/fixtures/stereo.onnx"), &[])
        .refused(2, &["channels", "is 1", "2 channels"]);
    studio
        .process(&repository("tests/fixtures/nan.onnx"), &[])
        .refused(2, &["nan.onnx", "callback 1", "NaN"]);
    assert!(!studio.folder.names().contains(&"out.wav".to_owned()));
}

#[test]
fn what_was_there_stays_until_there_is_something_better() {
    let studio = Studio::new();
    studio.folder.write("out.wav", "precious");
    let kept = || {
        assert_eq!(std::fs::read_to_string(studio.out()).unwrap(), "precious");
        assert_eq!(studio.folder.names(), ["in.wav", "out.wav"]);
    };
    studio.process(&repository("tests/fixtures/nan.onnx"), &[]).refused(2, &["NaN"]);
    kept();
    studio.process(&repository("models/none.onnx"), &[]).refused(2, &["none.onnx"]);
    kept();
    studio.gain(&["--report", &studio.folder.join("no/report.json")]).refused(2, &["report.json", "folder"]);
    kept();
    studio.gain(&["--block", "64", "--max-inference-ms", "900"]).refused(2, &["keep up"]);
    kept();
    studio.gain(&[]).ok();
    studio.wrote_halves();
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let studio = Studio::new();
    let model = repository("models/gain.onnx");
    let to = |out: &str| anira(&["process", &model, &studio.input, out]);
    to(&studio.folder.join("no/out.wav")).refused(2, &["no/out.wav", "folder does not exist"]);
    to(&text(studio.folder.path())).refused(2, &["is a folder"]);
    let fixed = studio.folder.write("fixed.wav", "precious");
    let mut permissions = std::fs::metadata(&fixed).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&fixed, permissions).unwrap();
    to(&fixed).refused(2, &["fixed.wav", "read-only"]);
    assert_eq!(std::fs::read_to_string(&fixed).unwrap(), "precious");
    if cfg!(unix) {
        to("/dev/null").refused(2, &["not a plain file"]);
    }
}

#[test]
fn the_recording_may_be_replaced_by_the_result() {
    let studio = Studio::new();
    anira(&["process", &repository("models/gain.onnx"), &studio.input, &studio.input]).ok();
    assert!(read(&studio.input).1[0].iter().zip(&studio.samples).all(|(y, x)| *y == 0.5 * x));
}
