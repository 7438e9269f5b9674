//! Help that teaches, and exit codes.

use super::program::anira;

#[test]
fn every_command_explains_itself_with_examples() {
    for command in
        ["process", "inspect", "run", "latency", "calibrate", "replay", "doctor", "schema", "violations"]
    {
        let help = anira(&[command, "--help"]).ok();
        for part in ["Examples:", "Usage:", &format!("anira {command} ")] {
            assert!(help.out.contains(part), "{command} lacks {part}");
        }
        assert!(help.err.is_empty());
    }
    let help = anira(&["--help"]).ok();
    for part in [
        "First steps:",
        "process",
        "inspect",
        "run",
        "latency",
        "calibrate",
        "replay",
        "doctor",
        "schema",
        "violations",
        "Exit codes",
    ] {
        assert!(help.out.contains(part), "{part}");
    }
}

#[test]
fn every_fixed_argument_is_there() {
    let all = [
        (
            "process",
            "MODEL IN OUT --config --engine --block --blocks --random-blocks --max-inference-ms --offline --realtime \
                     --resample --no-compensate --report",
        ),
        ("inspect", "MODEL --json"),
        ("run", "MODEL --input --output-dir --engine"),
        ("doctor", "--json"),
        ("calibrate", "MODEL --config --engine --block --sample-rate --seconds --json"),
        ("replay", "TRACE --seed --json"),
        ("violations", "MODEL --engine --iterations --json --csv --svg --with-preparation"),
        (
            "latency",
            "--host-block --sample-rate --hop-in --hop-out --max-inference-ms --engines --blocking-ratio \
                     --scheduling-allowance-ms --model-latency --declared-latency --varying-blocks --min-block --json \
                     --explain --svg --stdin",
        ),
    ];
    for (command, arguments) in all {
        let help = anira(&[command, "--help"]).ok().out;
        for argument in arguments.split_whitespace() {
            assert!(help.contains(argument), "{command} lacks {argument}");
        }
    }
    let help = anira(&["process", "--help"]).ok().out;
    for engine in ["auto", "native", "rten", "onnxruntime", "torch", "tflite", "litert", "bypass"] {
        assert!(help.contains(&format!("- {engine}:")), "{engine}");
    }
}

#[test]
fn a_wrong_call_is_the_users_mistake() {
    anira(&[]).refused(2, &["Usage:"]);
    anira(&["proces"]).refused(2, &["proces", "similar", "process"]);
    anira(&["process"]).refused(2, &["<MODEL>", "<IN>", "<OUT>"]);
    anira(&["process", "m", "a", "b", "--blok", "3"]).refused(2, &["--blok", "--block"]);
    anira(&["process", "m", "a", "b", "--engine", "tensorrt"]).refused(2, &["tensorrt", "rten", "bypass"]);
    anira(&["run", "m", "--input", "x.npy", "--output-dir", "d"]).refused(2, &["x.npy", "NAME=FILE.npy"]);
    assert!(anira(&["--version"]).ok().out.starts_with("anira 0."));
}
