//! Runs a target on saved inputs, without a fuzzer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files at `path`: itself, or what lies directly in the directory, by name.
///
/// # Errors
/// If `path` is neither, or cannot be listed.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return if path.is_file() { Ok(vec![path.into()]) } else { Err(io::ErrorKind::NotFound.into()) };
    }
    let mut files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Numbers that look random and are the same for ever (SplitMix64).
pub fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Changes a byte or a few, as these numbers say: to any value, to the next one, to a bound, to what stands elsewhere; or takes some out, or
/// repeats some.
pub fn change(data: &mut Vec<u8>, next: &mut impl FnMut() -> usize) {
    if data.is_empty() {
        return data.push(next() as u8);
    }
    let at = next() % data.len();
    let from = next() % data.len();
    let most = 8.min(data.len() - at).min(data.len() - from);
    let length = 1 + next() % most;
    match next() % 8 {
        0 | 1 => data[at] = next() as u8,
        2 => data[at] = data[at].wrapping_add(1),
        3 => data[at] = data[at].wrapping_sub(1),
        4 => data[at..at + length].fill([0, 0x7f, 0x80, 0xff][next() % 4]),
        5 => data.copy_within(from..from + length, at),
        6 => drop(data.drain(at..at + length)),
        _ => drop(data.splice(at..at, data[from..from + length].to_vec())),
    }
}

/// The main function of a target that was built without a fuzzer: runs `check` on every file that the arguments name.
/// A fault ends the program with a panic, right after the name of the file.
pub fn main(check: fn(&[u8])) -> ExitCode {
    let mut inputs = 0;
    for argument in std::env::args_os().skip(1) {
        let path = PathBuf::from(argument);
        let run = files(&path).and_then(|files| {
            for file in files {
                println!("{}", file.display());
                check(&fs::read(&file)?);
                inputs += 1;
            }
            Ok(())
        });
        if let Err(error) = run {
            eprintln!("{}: {error}; give files or directories of saved inputs", path.display());
            return ExitCode::from(2);
        }
    }
    println!("{inputs} inputs passed");
    ExitCode::SUCCESS
}
