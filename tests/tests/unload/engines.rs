//! Engines that have threads of their own. What each leaves behind is measured by the example `unload` of `tests/plugin`; here it is
//! looked at that the process can live with it.

use std::time::Duration;

use anira_tests::{apart, here, zoo};

use super::module::{Module, is_loaded};
use super::{Host, LIMIT, await_no_workers, threads};

#[test]
fn threads_of_engines_never_outlive_their_code() {
    let done = apart("engines::threads_of_engines_never_outlive_their_code", LIMIT, || {
        let (host, before) = (Host::new(), threads().len());
        for engine in zoo::built_in() {
            for round in 0..5 {
                let module = Module::open();
                let config = here().join("../models/amp-lstm-2k.toml");
                let session = module.calls().make(engine, config.to_str().unwrap());
                let session = session.unwrap_or_else(|| {
                    panic!("{engine}: the plugin was built without it, or has no library")
                });
                assert!(host.play_until_heard(session).end(10_000));
                await_no_workers();
                module.close();
                // Whoever is left wakes up in code that is there.
                std::thread::sleep(Duration::from_millis(50));
                assert!(threads().len() <= before || is_loaded(), "{engine}, round {round}: {:?}", threads());
            }
        }
    });
    done.inspect(|ended| ended.well());
}
