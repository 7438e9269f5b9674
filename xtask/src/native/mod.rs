//! `cargo xtask native`: lays the native engines' libraries into `.native`, where builds and runs look for them, and beside
//! them the models of others that tests run.

mod download;
mod hash;
mod made;
mod models;
mod table;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;

use self::hash::Mismatch;
use self::models::MODELS;
use self::table::{Package, Registry};
use crate::workspace::{Workspace, in_ci};

/// The folder at the root of the repository. `.cargo/config.toml` points to places in it.
const FOLDER: &str = ".native";

#[derive(Args)]
pub(crate) struct Native {
    /// Only this engine; may be given several times. All engines and the models, unless given.
    #[arg(long = "engine", value_name = "NAME", value_parser = PossibleValuesParser::new(table::names()))]
    engines: Vec<String>,
    /// The models of others that the tests in tests/tests/wild run: 12.5 MB. Alone, unless engines are named.
    #[arg(long)]
    models: bool,
    /// Verify what is there by its hash; download nothing.
    #[arg(long)]
    check: bool,
    /// Another folder than `.native`; you then set the variables yourself.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

impl Native {
    /// Nothing was named: whatever can be had.
    fn everything(&self) -> bool {
        self.engines.is_empty() && !self.models
    }

    fn packages(&self) -> impl Iterator<Item = &'static Package> {
        let engines = self.everything() || !self.engines.is_empty();
        let models = self.everything() || self.models;
        let engines = engines.then(|| table::select(&self.engines)).into_iter().flatten();
        engines.chain(models.then_some(MODELS).into_iter().flatten())
    }
}

/// Whether all went well.
pub(crate) fn run(workspace: &Workspace, options: &Native) -> Result<bool> {
    let root = options.into.clone().unwrap_or_else(|| workspace.root.join(FOLDER));
    let mut well = true;
    for package in options.packages() {
        let folder = root.join(package.folder);
        if options.check {
            let state = state(package, &folder);
            println!("{:<16} {}", package.name, describe(package, &folder, &state));
            well &= state.is_ok();
            continue;
        }
        if let Err(error) = fetch(package, &root) {
            let named = !options.everything();
            // A file that is not the expected one is never passed over.
            if in_ci() || named || error.is::<Mismatch>() {
                return Err(error.context(format!("{} could not be had", package.title)));
            }
            println!("{:<16} skipped: {error:#}; {}", package.name, how_to_get(package));
        }
    }
    Ok(well)
}

/// Fetches everything.
pub(crate) fn fetch_all(workspace: &Workspace) -> Result<()> {
    run(workspace, &Native { engines: Vec::new(), models: false, check: false, into: None }).map(|_| ())
}

/// The engines whose libraries are there: fetched, or somebody's own, to which all its variables point. (Cargo has set those that
/// nobody else has.)
pub(crate) fn available(workspace: &Workspace) -> Vec<&'static str> {
    let root = workspace.root.join(FOLDER);
    let leads_somewhere = |name: &str| std::env::var_os(name).is_some_and(|path| Path::new(&path).exists());
    let own = |package: &Package| package.variables.iter().all(|name| leads_somewhere(name));
    let there = |package: &&Package| own(package) || state(package, &root.join(package.folder)).is_ok();
    let there: Vec<&Package> = table::select(&[]).filter(there).collect();
    let has = |name: &str| there.iter().any(|package| package.name == name);
    let can = |package: &&&Package| package.needs.iter().all(|name| has(name));
    there.iter().filter(can).map(|package| package.name).collect()
}

/// What is right where a package is lacking.
fn how_to_get(package: &Package) -> String {
    if package.variables.is_empty() {
        return "`cargo xtask native --models` tries again; tests that need it are skipped, each with a line"
            .to_owned();
    }
    let variables = package.variables.join(" and ");
    format!(
        "`cargo xtask native --engine {}` tries again, or set {variables} to an installation of your own",
        package.name
    )
}

fn describe(package: &Package, folder: &Path, state: &Result<()>) -> String {
    match state {
        Ok(()) => format!("{}: in order, {} on disk", package.title, megabytes(size(folder))),
        Err(error) if folder.exists() => format!("{error:#}; {}", how_to_get(package)),
        Err(_) => format!("not there; {}", how_to_get(package)),
    }
}

/// Lays a package into its folder, unless it lies there already.
fn fetch(package: &Package, root: &Path) -> Result<()> {
    let (start, folder) = (Instant::now(), root.join(package.folder));
    if state(package, &folder).is_ok() {
        let size = megabytes(size(&folder));
        println!("{:<16} {} is there, {size} on disk, nothing to do", package.name, package.title);
        return Ok(());
    }
    let library = !package.variables.is_empty();
    if library && !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("only the libraries for Linux on x86-64 are known");
    }
    println!("{:<16} {}: downloading {} …", package.name, package.title, megabytes(package.bytes()));
    // Beside the place where it goes, so that it can be renamed: the folder is complete or not there.
    let scratch = root.join(format!(".{}.new", package.name));
    remove(&scratch)?;
    let result = lay(package, &scratch).and_then(|new| {
        remove(&folder)?;
        fs::create_dir_all(folder.parent().unwrap_or(root))?;
        fs::rename(&new, &folder).with_context(|| format!("{} cannot be made", folder.display()))
    });
    remove(&scratch)?;
    result?;
    let (size, seconds) = (megabytes(size(&folder)), start.elapsed().as_secs_f64());
    println!("{:<16} {size} on disk, {seconds:.1} s", package.name);
    Ok(())
}

/// Downloads, verifies and unpacks below the scratch folder; gives the folder with the result.
fn lay(package: &Package, scratch: &Path) -> Result<PathBuf> {
    let new = scratch.join("new");
    for artefact in package.artefacts {
        let directory = scratch.join("download");
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        match artefact.registry {
            Registry::PyPi => unpack::zip(&download::wheel(artefact, &directory)?, artefact.take, &new)?,
            Registry::Crates => {
                unpack::source(&download::crate_source(artefact, &directory)?, artefact.take, &new)?;
            }
        }
        remove(&directory)?;
    }
    package.made.iter().try_for_each(|made| made::make(made, &new))?;
    state(package, &new)?;
    Ok(new)
}

/// Whether everything lies in the folder as the table says; if not, the first thing that does not.
fn state(package: &Package, folder: &Path) -> Result<()> {
    for (file, expected) in package.installed {
        let path = folder.join(file);
        hash::expect(&path.display().to_string(), expected, &hash::of_file(&path)?)?;
    }
    match package.made.iter().find(|made| !made::is_there(made, folder)) {
        None => Ok(()),
        Some(made) => bail!("{} is incomplete: {made:?}", folder.display()),
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::table::Made;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A package that nobody can download.
    const PACKAGE: Package = Package {
        name: "abc",
        folder: "abc",
        title: "Abc 1",
        needs: &[],
        variables: &["ABC_DIR"],
        artefacts: &[],
        made: &[Made::Text("version", "1\n")],
        installed: &[("lib/abc", ABC)],
    };

    #[test]
    fn what_lies_there_is_judged_by_its_hash_and_not_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("abc");
        assert!(state(&PACKAGE, &folder).is_err(), "nothing is there");
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::write(folder.join("lib/abc"), "abc").unwrap();
        let text = state(&PACKAGE, &folder).unwrap_err().to_string();
        assert!(text.contains("incomplete"), "{text}");
        fs::write(folder.join("version"), "1\n").unwrap();
        state(&PACKAGE, &folder).unwrap();
        // There: nothing is touched, and nothing is downloaded (there is no download).
        let before = folder.join("lib/abc").metadata().unwrap().modified().unwrap();
        fetch(&PACKAGE, root.path()).unwrap();
        assert_eq!(folder.join("lib/abc").metadata().unwrap().modified().unwrap(), before);
        fs::write(folder.join("lib/abc"), "abd").unwrap();
        let error = state(&PACKAGE, &folder).unwrap_err();
        assert!(error.is::<Mismatch>() && error.to_string().contains(ABC), "{error}");
        let told = describe(&PACKAGE, &folder, &Err(error));
        assert!(told.contains("--engine abc") && told.contains("ABC_DIR"), "{told}");
    }

    #[test]
    fn a_failed_attempt_leaves_what_was_there_and_no_scratch() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("abc");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("mine"), "x").unwrap();
        assert!(fetch(&PACKAGE, root.path()).is_err(), "the package makes no lib/abc");
        assert!(folder.join("mine").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn models_come_with_everything_and_alone_when_named() {
        let chosen = |engines: &[&str], models| {
            let engines = engines.iter().map(|n| (*n).to_owned()).collect();
            let options = Native { engines, models, check: false, into: None };
            options.packages().map(|package| package.name).collect::<Vec<_>>()
        };
        let all_models: Vec<_> = MODELS.iter().map(|package| package.name).collect();
        assert_eq!(chosen(&[], false), [table::names(), all_models.clone()].concat());
        assert_eq!(chosen(&[], true), all_models);
        assert_eq!(chosen(&["litert"], false), ["litert"]);
        assert_eq!(chosen(&["litert"], true), [vec!["litert"], all_models].concat());
        let lacking = describe(&MODELS[0], Path::new("gone"), &Err(anyhow::anyhow!("gone")));
        assert!(lacking.contains("--models"), "{lacking}");
    }

    #[test]
    fn the_help_says_what_the_models_weigh() {
        let bytes: u64 = MODELS.iter().map(Package::bytes).sum();
        let said = format!("tests/tests/wild run: {}", megabytes(bytes));
        assert!(include_str!("mod.rs").contains(&said), "{said}");
    }

    #[test]
    fn every_variable_of_the_table_points_into_the_folder() {
        let config = include_str!("../../../.cargo/config.toml");
        for package in table::PACKAGES {
            for variable in package.variables {
                let place = format!("{variable} = {{ value = \"{FOLDER}/{}", package.folder);
                assert!(config.contains(&place), ".cargo/config.toml lacks {place}");
            }
        }
    }
}
