//! stub
use crate::{report::Report, session::Cores};
#[derive(clap::Args)]
pub(crate) struct Options {}
#[derive(serde::Serialize)]
pub(crate) struct WakeReport {}
pub(crate) fn run(_: &Options, _: Cores) -> anyhow::Result<WakeReport> {
    Ok(WakeReport {})
}
impl Report for WakeReport {
    fn table(&self) -> String {
        String::new()
    }
}
