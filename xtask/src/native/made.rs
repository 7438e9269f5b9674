//! What is made on this machine: an empty library that names others, files of text, the compiler's headers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::table::Made;

/// Makes it below the folder.
pub(crate) fn make(made: &Made, folder: &Path) -> Result<()> {
    match made {
        Made::Text(name, text) => write(&folder.join(name), text),
        Made::Umbrella(name, needed) => umbrella(&folder.join(name), needed),
        Made::CompilerHeaders(directory, headers) => compiler_headers(&folder.join(directory), headers),
    }
}

/// Whether it is there as it was made.
pub(crate) fn is_there(made: &Made, folder: &Path) -> bool {
    let filled = |path: PathBuf| path.metadata().is_ok_and(|meta| meta.len() > 0);
    match made {
        Made::Text(name, text) => fs::read_to_string(folder.join(name)).is_ok_and(|found| found == *text),
        Made::Umbrella(name, _) => filled(folder.join(name)),
        Made::CompilerHeaders(directory, headers) => {
            headers.iter().all(|header| filled(folder.join(directory).join(header)))
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The C compiler: the one that the variable CC names, else gcc or cc.
fn compiler() -> Result<String> {
    let runs = |name: &String| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let mut names = std::env::var("CC").into_iter().chain(["gcc".to_owned(), "cc".to_owned()]);
    names.find(runs).context("there is no C compiler; install gcc")
}

/// Links a library without any code that needs the others beside it.
fn umbrella(path: &Path, needed: &[&str]) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        bail!("{} is no library's path", path.display());
    };
    let mut command = Command::new(compiler()?);
    command.args(["-shared", "-fPIC", "-x", "c", "/dev/null", "-x", "none", "-o"]).arg(path);
    command.arg(format!("-Wl,-soname,{name}")).arg("-Wl,--no-as-needed").arg("-L").arg(folder);
    command.args(needed.iter().map(|library| format!("-l{library}")));
    // The libraries beside it find their own needs when they are loaded.
    command.args(["-Wl,-rpath,$ORIGIN", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]);
    let output = command.output().context("the C compiler could not be started")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("the C compiler could not link {name} ({}): {}", output.status, text.trim_end());
    }
    Ok(())
}

fn compiler_headers(to: &Path, headers: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    let compiler = compiler()?;
    for header in headers {
        let output = Command::new(&compiler).arg(format!("-print-file-name=include/{header}")).output()?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
        if !path.is_absolute() {
            bail!("`{compiler} -print-file-name=include/{header}` names no file");
        }
        fs::copy(&path, to.join(header)).with_context(|| format!("{} cannot be copied", path.display()))?;
    }
    Ok(())
}
