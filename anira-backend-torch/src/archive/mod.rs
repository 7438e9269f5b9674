//! A TorchScript file, read and checked before LibTorch gets it.

mod code;
mod effects;
mod pickle;
mod restore;
mod zip;

#[cfg(test)]
pub(crate) use code::Argument;
pub(crate) use code::{Method, split};
pub(crate) use effects::Effects;
pub(crate) use restore::{BRING_BACK, TELL};

use std::ops::RangeInclusive;

use anira_traits::{Error, Result};
use zip::{Zip, broken};

/// The entry in which a model may describe its tensors.
const ABOUT: &str = "extra/anira.json";

/// Versions of the container that LibTorch reads. Over another one it leaves memory behind at every try.
const VERSIONS: RangeInclusive<u64> = 1..=10;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Archive {
    /// The methods of the module.
    pub(crate) methods: Vec<Method>,
    pub(crate) effects: Effects,
    /// The text of `extra/anira.json`.
    pub(crate) about: Option<String>,
    /// The same model as LibTorch gets it.
    pub(crate) bytes: Vec<u8>,
    /// The same with the methods [`TELL`] and [`BRING_BACK`], if it remembers what they can carry.
    pub(crate) restorable: Option<Vec<u8>>,
}

impl Archive {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for a file that is damaged, of another format, or built to harm.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut zip = Zip::read(bytes)?;
        if zip.get("data.pkl").is_some() && zip.get("constants.pkl").is_none() {
            return Err(broken("torch.save wrote it; torch.jit.save writes what can be run without Python"));
        }
        let module = check_pickle(&zip, "data")?;
        check_pickle(&zip, "constants")?;
        check_version(&zip)?;
        let mut effects = Effects::default();
        for name in zip.names("code/", ".py") {
            let text = zip.text(name)?.unwrap_or("");
            code::check(name, text)?;
            effects.see(text);
        }
        let class = module.class.unwrap_or_default();
        let (file, name) = restore::place(&class);
        let methods = zip.text(&file)?.map(|text| code::methods(text, name)).unwrap_or_default();
        if methods.is_empty() {
            return Err(broken(format!("its code has no class `{class}` with methods")));
        }
        let about = zip.text(ABOUT)?.map(str::to_owned);
        // Where in somebody's Python a line came from is of no use here, and one parser less to trust.
        let keep = |name: &str| !name.ends_with(".debug_pkl") && !name.starts_with("extra/");
        let bytes = zip.write(keep);
        let restorable = effects.writes && restore::write(&mut zip, &class, &effects).is_some();
        let restorable = restorable.then(|| zip.write(keep));
        Ok(Self { methods, effects, about, bytes, restorable })
    }

    /// The method of that name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming those that there are.
    pub(crate) fn method(&self, name: &str) -> Result<&Method> {
        self.methods.iter().find(|method| method.name == name).ok_or_else(|| {
            let known: Vec<_> = self.methods.iter().map(|method| method.name.as_str()).collect();
            let right = format!("one of the module's methods: {}", known.join(", "));
            Error::config("options.method", format_args!("`{name}`"), right)
        })
    }
}

fn check_version(zip: &Zip) -> Result<()> {
    let text = match zip.text(".data/version")? {
        Some(text) => text,
        None => {
            zip.text("version")?.ok_or_else(|| broken("it has no `version`; torch.jit.save writes one"))?
        }
    };
    if text.trim().parse().is_ok_and(|version| VERSIONS.contains(&version)) {
        return Ok(());
    }
    let (text, least, most) = (text.chars().take(20).collect::<String>(), VERSIONS.start(), VERSIONS.end());
    Err(broken(format!("its `version` is `{}`; from {least} to {most}", text.escape_debug())))
}

fn check_pickle(zip: &Zip, name: &str) -> Result<pickle::Shown> {
    let file = format!("{name}.pkl");
    let bytes = zip.get(&file).ok_or_else(|| {
        let text = format!("it has no `{file}`; torch.jit.save writes one");
        broken(text)
    })?;
    pickle::check(&file, bytes, |entry| zip.get(&format!("{name}/{entry}")).map(<[u8]>::len))
}
