//! `anira violations`: what engines do inside of one inference.

use super::program::{anira, repository};

/// What is wrong is told in either build.
#[test]
fn mistakes_name_the_argument() {
    let model = repository("models/gain.onnx");
    anira(&["violations"]).refused(2, &["<MODEL>"]);
    anira(&["violations", &model, "--iterations", "0"]).refused(2, &["--iterations", "0", "1..=100000"]);
    anira(&["violations", &model, "--iterations", "some"]).refused(2, &["--iterations", "some"]);
    anira(&["violations", &model, "--engine", "abacus"]).refused(2, &["abacus", "rten", "bypass"]);
    anira(&["violations", &model, "--json", "--csv"]).refused(2, &["--json", "--csv"]);
}

#[cfg(not(feature = "violations"))]
#[test]
fn a_build_without_says_how_to_get_one_with() {
    let model = repository("models/gain.onnx");
    anira(&["violations", &model]).refused(2, &["anira violations", "--features violations"]);
    assert!(anira(&["violations", "--help"]).ok().out.contains("--features violations"));
}

#[cfg(feature = "violations")]
mod built {
    use super::super::program::Folder;
    use super::*;

    const KINDS: [&str; 11] = [
        "malloc",
        "calloc",
        "realloc",
        "free",
        "posix_memalign",
        "mutex",
        "rwlock",
        "condvar",
        "sleep",
        "file",
        "syscall",
    ];

    #[test]
    fn what_cannot_be_counted_is_told() {
        let folder = Folder::new();
        let missing = folder.join("none.onnx");
        anira(&["violations", &missing]).refused(2, &["none.onnx"]);
        anira(&["violations", &folder.write("x.h5", "x")]).refused(2, &["x.h5", "h5", ".onnx"]);
        let broken = folder.write("broken.onnx", "no model");
        anira(&["violations", &broken]).refused(2, &["broken.onnx"]);
        let model = repository("models/gain.onnx");
        if !cfg!(feature = "litert") {
            anira(&["violations", &model, "--engine", "litert"]).refused(2, &["litert", "not built in"]);
        }
        let nowhere = folder.join("none/v.svg");
        anira(&["violations", &model, "--svg", &nowhere]).refused(2, &["v.svg", "folder"]);
        assert_eq!(folder.names(), ["broken.onnx", "x.h5"]);
    }

    #[test]
    fn a_bypass_does_nothing_and_rten_allocates() {
        let model = repository("models/amp-tcn-1k.onnx");
        let args = ["violations", &model, "--engine", "bypass,rten", "--iterations", "4", "--json"];
        let list = anira(&args).ok().json();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 2 * 4 * KINDS.len());
        for (i, line) in list.iter().enumerate() {
            let (run, kind) = (i / KINDS.len(), i % KINDS.len());
            assert_eq!(line["engine"], if run < 4 { "bypass" } else { "rten" });
            assert_eq!(line["iteration"], run % 4 + 1);
            assert_eq!((line["kind"].as_str(), line["model"].as_str()), (Some(KINDS[kind]), Some(&*model)));
            assert!(line["count"].is_u64() && line["others"].is_u64(), "{line}");
        }
        let count = |engine: &str, iteration: usize, kind: &str| {
            let is = |line: &&serde_json::Value| {
                line["engine"] == engine && line["iteration"] == iteration && line["kind"] == kind
            };
            list.iter().find(is).unwrap()["count"].as_u64().unwrap()
        };
        for iteration in 1..=4 {
            assert!(KINDS.iter().all(|kind| count("bypass", iteration, kind) == 0), "a bypass copies");
            let taken = count("rten", iteration, "malloc") + count("rten", iteration, "calloc");
            assert!(taken > 0 && count("rten", iteration, "free") > 0, "iteration {iteration}: {taken}");
            assert_eq!(count("rten", iteration, "file"), 0);
        }
        // The third and the fourth do the same.
        assert_eq!(count("rten", 3, "malloc"), count("rten", 4, "malloc"));
    }

    #[test]
    fn preparation_is_iteration_0_if_asked_for() {
        let model = repository("models/gain.onnx");
        let list =
            anira(&["violations", &model, "--iterations", "1", "--csv", "--with-preparation"]).ok().out;
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!((lines[0], lines.len()), ("engine,model,iteration,kind,count,others", 1 + 2 * 11));
        let file = lines.iter().find(|line| line.contains(",0,file,")).unwrap();
        assert_ne!(file.split(',').nth(4), Some("0"), "the model was read: {file}");
    }

    #[test]
    fn a_table_a_verdict_and_a_drawing() {
        let folder = Folder::new();
        let drawing = folder.join("v.svg");
        let models = [repository("models/gain.onnx"), repository("models/amp-lstm-2k.toml")];
        let args = ["violations", &models[0], &models[1], "--iterations", "5"];
        let native = anira(&args).ok().out;
        assert_eq!(native.matches("No inference does anything of the kind.").count(), 2, "{native}");
        let done = anira(&[&args[..], &["--engine", "rten", "--svg", &drawing]].concat()).ok();
        for part in
            ["gain.onnx on rten: 5 inferences", "prepared", "steady", "malloc", "Not safe in a callback"]
        {
            assert!(done.out.contains(part), "{part}: {}", done.out);
        }
        let drawing = std::fs::read_to_string(drawing).unwrap();
        assert!(
            drawing.starts_with("<svg ") && drawing.contains("amp-lstm-2k") && drawing.contains("malloc")
        );
    }
}
