//! Images that labels and configuration name, as EC2 last told of them.
//!
//! Kept in memory for a while: many jobs name the same, and a newer image of a name may wait. Two
//! callers may read the same at once, which costs a call and does no harm.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::select::{Ec2Facts, ImageQuery, ImageView, Need};

use crate::context::Controller;
use crate::ports::{Cloud, PortError, Ports};

/// So long a new image of a name may wait.
const READ_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Strangers name images by any id, and what they name is kept too.
const MOST_KEPT: usize = 256;

impl<P: Ports> Controller<P> {
    /// Reads what a decision needs to know of EC2.
    pub(crate) async fn read_of_ec2(
        &self,
        need: Need,
        facts: &mut Ec2Facts,
    ) -> Result<(), PortError> {
        match need {
            Need::MachineTypes(region) => {
                let types = self.machine_types(&region).await?;
                facts.catalogue.insert(region, types);
            }
            Need::Image(query) => {
                let view = self.image(&query).await?;
                facts.images.insert(query, view);
            }
        }
        Ok(())
    }

    async fn image(&self, query: &ImageQuery) -> Result<Option<ImageView>, PortError> {
        let now = self.now();
        if let Some(known) = self.images.known(query, now) {
            return Ok(known);
        }
        let view = self.cloud.image(query).await?;
        self.images.keep(query.clone(), view.clone(), now);
        Ok(view)
    }
}

/// What is known of images; of some that there are none.
#[derive(Debug, Default)]
pub(crate) struct Images(Mutex<BTreeMap<ImageQuery, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    view: Option<ImageView>,
    until: Timestamp,
}

impl Images {
    fn known(&self, query: &ImageQuery, now: Timestamp) -> Option<Option<ImageView>> {
        let kept = self.lock().get(query).cloned()?;
        (now < kept.until).then_some(kept.view)
    }

    fn keep(&self, query: ImageQuery, view: Option<ImageView>, now: Timestamp) {
        let mut all = self.lock();
        if all.len() >= MOST_KEPT {
            all.retain(|_, kept| now < kept.until);
        }
        if all.len() >= MOST_KEPT {
            all.clear();
        }
        let until = after(now, READ_AGAIN_AFTER);
        all.insert(query, Kept { view, until });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ImageQuery, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use reprise_engine::offer::ImageSource;
    use reprise_model::ids::Region;

    use super::*;

    fn query(number: usize) -> ImageQuery {
        let id = format!("ami-{number:08x}");
        ImageQuery {
            region: Region::new("eu-west-1"),
            source: ImageSource::Ami(id.parse().expect("an id")),
            architecture: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn what_was_read_serves_for_ten_minutes_also_that_there_is_none() {
        let images = Images::default();
        assert_eq!(images.known(&query(1), at(0)), None);
        images.keep(query(1), None, at(0));
        assert_eq!(images.known(&query(1), at(599)), Some(None));
        assert_eq!(images.known(&query(1), at(600)), None);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let images = Images::default();
        for number in 0..10_000 {
            images.keep(query(number), None, at(0));
            assert_eq!(images.known(&query(number), at(0)), Some(None));
        }
        assert!(images.lock().len() <= MOST_KEPT);
    }
}
