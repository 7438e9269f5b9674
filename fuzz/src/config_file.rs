//! Configuration files, TOML and JSON.

use std::path::Path;

use anira::ErrorKind;
use anira::file::ConfigFile;

/// The engines that files are resolved for: two that they may name, one that needs no table, one that does not exist.
const ENGINES: [&str; 4] = ["rten", "torch", "bypass", "none"];

/// Reads `data` as TOML and as JSON and checks what reading, writing and resolving promise.
///
/// # Panics
/// If a promise is broken.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in [ConfigFile::from_toml, ConfigFile::from_json] {
        match read(text) {
            Ok(file) => accepted(&file),
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &anira::Error) {
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.message().is_empty(), "no message: {error:?}");
}

fn accepted(file: &ConfigFile) {
    // A number that is none is not equal to itself; its text is.
    match file.to_json() {
        Ok(json) if !json.contains("null") => {
            let again = ConfigFile::from_json(&json).expect("what was written is read again");
            assert_eq!(&again, file, "{json}");
        }
        Ok(_) => {}
        Err(error) => refused(&error),
    }
    match file.to_toml() {
        Ok(toml) => {
            let again = ConfigFile::from_toml(&toml).expect("what was written is read again");
            assert_eq!(again.to_toml().as_ref(), Ok(&toml));
        }
        Err(error) => refused(&error),
    }
    for engine in file.engines().chain(ENGINES) {
        match file.resolve(engine, Path::new("folder")) {
            Ok(resolved) => {
                let written = ConfigFile::from_config(&resolved.config).expect("roles of files have words");
                let toml = written.to_toml().expect("what was in a file fits one");
                let again = ConfigFile::from_toml(&toml).expect("what was written is read again");
                let again = again.resolve("bypass", Path::new("")).expect("and means something");
                assert_eq!(again.config, resolved.config, "{toml}");
            }
            Err(error) => refused(&error),
        }
    }
}
