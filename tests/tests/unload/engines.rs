//! What engines leave behind, measured: docs/living-in-a-host.md has the table.
