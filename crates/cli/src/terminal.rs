//! How wide the reader's terminal is.

use console::Term;

/// Columns; `None` where standard output is no terminal, and lines may be as long as they are.
pub(crate) fn width() -> Option<u16> {
    let terminal = Term::stdout();
    if !terminal.is_term() {
        return None;
    }
    terminal.size_checked().map(|(_, columns)| columns)
}
