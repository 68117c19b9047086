//! A job was settled as not interrupted: one more look, long after.

use reprise_engine::job;
use reprise_model::instance::Instance;
use reprise_store::Store;
use tracing::debug;

use crate::context::{Controller, WorkError};
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Judges the unexplained job once more, then forgets it.
    pub(crate) async fn look_late(&self, instance: &Instance) -> Result<(), WorkError> {
        let entry = self.store.instance(instance).await?.map(|found| found.record);
        if let Some(unexplained) = entry.and_then(|entry| entry.unexplained) {
            let outcome = self.completed(&unexplained.repository, &unexplained.job).await?;
            debug!(outcome = outcome.as_str(), job.id = %unexplained.job.id, "a last look for evidence");
        }
        self.change_instance(instance, |entry| entry.cloned().and_then(job::looked_late)).await?;
        Ok(())
    }
}
