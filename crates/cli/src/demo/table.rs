//! The table at the end: what became of every job, and why.

use comfy_table::{ContentArrangement, Table, presets};
use reprise_world::invariants::JobRow;

use super::narrator::Narrator;

/// Within a width, where there is one. One row an execution; a record that was only carried over into a later attempt is no execution.
pub(super) fn of(rows: &[JobRow], narrator: &Narrator, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "repository",
            "job",
            "attempt",
            "capacity",
            "what happened",
            "why",
        ]);
    if let Some(width) = width {
        table.set_width(width);
    }
    for row in rows.iter().filter(|row| !row.carried_over) {
        table.add_row([
            row.repository.to_string(),
            row.job.clone(),
            row.attempt.to_string(),
            row.capacity
                .map_or_else(|| "-".to_owned(), |capacity| capacity.to_string()),
            narrator.what_happened(row),
            narrator.why(row),
        ]);
    }
    table
}
