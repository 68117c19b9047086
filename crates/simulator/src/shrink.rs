//! Finds the smallest part of a failing plan that still fails.

use anyhow::Result;

use crate::plan::Plan;
use crate::run::{Played, play};

/// The smallest prefix of a plan's steps that fails, and how it does. `None` when none does: then
/// the whole does not either.
///
/// # Errors
/// When a simulation cannot be set up.
pub fn smallest_prefix(plan: &Plan) -> Result<Option<(usize, Played)>> {
    for steps in 0..=plan.steps.len() {
        let played = play(&plan.prefix(steps), true)?;
        if !played.broken.is_empty() {
            return Ok(Some((steps, played)));
        }
    }
    Ok(None)
}
