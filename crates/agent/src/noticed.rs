//! Whether EC2 has given notice in this boot, for whoever must not shut the machine down then.
//!
//! Invariant: once there was a notice, there was one. A machine that shuts itself down takes away the
//! evidence that EC2 took it, and with it the hour that EC2 does not charge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the watch and the rest of the agent.
#[derive(Debug, Clone, Default)]
pub struct Noticed(Arc<AtomicBool>);

impl Noticed {
    /// Whether there was a notice.
    pub fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
