//! A plugin that is linked with native engines is loaded, played and unloaded many times, and its host comes to a good end. The host of
//! each engine is a process of its own, and linked with none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]
#![cfg(target_os = "linux")]

#[path = "../../tests/unload/module.rs"]
#[allow(dead_code, reason = "other tests call more of the plugin's functions")]
mod module;

use std::process::Command;
use std::time::{Duration, Instant};

use module::Module;

/// Says to a process of this test which engine it is to play.
const ENGINE: &str = "ANIRA_TEST_ENGINE";

fn engines() -> Vec<&'static str> {
    let all = [
        ("rten", cfg!(feature = "rten")),
        ("onnxruntime", cfg!(feature = "onnxruntime")),
        ("torch", cfg!(feature = "torch")),
        ("tflite", cfg!(feature = "tflite")),
        ("litert", cfg!(feature = "litert")),
    ];
    let built = all.into_iter().filter(|(_, is_built)| *is_built).map(|(engine, _)| engine);
    ["none", "bypass"].into_iter().chain(built).collect()
}

#[test]
fn a_host_of_native_engines_that_were_unloaded_ends_well() {
    if let Ok(engine) = std::env::var(ENGINE) {
        return (0..50).for_each(|_| round(&engine));
    }
    for engine in engines() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["a_host_of_native_engines_that_were_unloaded_ends_well", "--exact", "--nocapture"]);
        // A backtrace would keep the modules that it goes through.
        let ended = command.env(ENGINE, engine).env("RUST_BACKTRACE", "0").output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{engine}: {}\n{text}", ended.status);
    }
}

/// Loads the plugin, plays a session of this engine (`none`: looks no further, as a host that scans), and unloads it.
fn round(engine: &str) {
    let module = Module::open();
    if engine != "none" {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/amp-lstm-2k.toml");
        let mut session = module.calls().make(engine, config).unwrap();
        let start = Instant::now();
        while session.returned() < 4 {
            assert!(session.process(&mut [0.1; 256]) >= 0);
            assert!(start.elapsed() < Duration::from_secs(60), "{engine}: no hop came back");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(session.end(10_000), "{engine}: an engine did not come back");
    }
    module.close();
}
