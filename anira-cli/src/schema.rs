//! `anira schema`: what a configuration file may say, for editors and scripts.

use std::io::Write;

use anira::Result;
use anira::file::ConfigFile;
use clap::Args;

/// Prints the JSON schema of configuration files.
///
/// Draft 2020-12, for TOML and JSON alike: every key with its meaning, unit, range and default, and which keys belong to
/// which role. An editor that is shown it completes keys and marks mistakes while they are typed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  Save it, and let an editor with a TOML language server use it: this first line in a configuration names it
    anira schema > anira.schema.json
    #:schema anira.schema.json

  For a script: the keys of the file itself
    anira schema | jq -r '.properties | keys[]'")]
pub(crate) struct SchemaArgs {}

/// Prints the schema to `out`.
pub(crate) fn run(_args: &SchemaArgs, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}", ConfigFile::schema()?)?;
    Ok(())
}
