//! stub
use crate::{report::Report, session::Cores};
#[derive(clap::Args)]
pub(crate) struct Options {}
#[derive(serde::Serialize)]
pub(crate) struct IdleReport {}
pub(crate) fn run(_: &Options, _: Cores) -> anyhow::Result<IdleReport> {
    Ok(IdleReport {})
}
impl Report for IdleReport {
    fn table(&self) -> String {
        String::new()
    }
}
