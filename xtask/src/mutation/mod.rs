//! Whether the models would notice a fault: faults are made on purpose, and a model has to fail for each.

mod model;
pub(crate) mod planted;
mod site;
pub(crate) mod weakened;
