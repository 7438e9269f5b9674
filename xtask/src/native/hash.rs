//! SHA-256 of files, and the error that says both what was expected and what came.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A file is not the one that the table says.
#[derive(Debug)]
pub(crate) struct Mismatch {
    what: String,
    expected: String,
    found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, found } = self;
        write!(f, "{what} has the SHA-256 {found}; expected {expected} (xtask/src/native/table.rs)")
    }
}

impl std::error::Error for Mismatch {}

/// Refuses another hash than this.
pub(crate) fn expect(what: &str, expected: &str, found: &str) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Mismatch { what: what.into(), expected: expected.into(), found: found.into() }.into())
}

/// The hash of a file, in lower-case hexadecimal digits.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let digest = || -> io::Result<String> {
        let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                n => hash.update(&chunk[..n]),
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    digest().with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard_and_a_wrong_one_is_told_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file(&file).unwrap(), abc);
        expect("abc", abc, abc).unwrap();
        let error = expect("the wheel", "00ff", abc).unwrap_err();
        assert!(error.is::<Mismatch>());
        let text = error.to_string();
        assert!(["the wheel", "00ff", abc].iter().all(|part| text.contains(part)), "{text}");
    }
}
