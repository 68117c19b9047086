//! The images in use: their ages and their runners' as metrics, and a warning where one has become old.
//!
//! Whatever fails here holds up no sweep.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reprise_config::FleetSettings;
use reprise_engine::image_age::{ImageAge, ImageAges, ImageInUse};
use reprise_model::instance::{InstanceState, InstanceView};
use tracing::warn;

use crate::context::Controller;
use crate::logging::chain;
use crate::ports::{Cloud, Ports};

/// What is known of the images in use.
#[derive(Debug, Default)]
pub(crate) struct InUse(Mutex<ImageAges>);

impl<P: Ports> Controller<P> {
    /// Reads when new images were made, shows all ages, and warns of what is old.
    pub(super) async fn note_images(&self, fleet: &FleetSettings, in_use: &BTreeSet<ImageInUse>) {
        let questions = self.images_in_use.lock().questions(in_use, self.now());
        for (region, asked) in questions {
            let read = self.cloud.image_dates(&region, &asked).await;
            let (mut ages, now) = (self.images_in_use.lock(), self.now());
            match read {
                Ok(dates) => ages.answered(&region, &asked, &dates, now),
                Err(error) => {
                    ages.unanswered(&region, &asked, now);
                    warn!(
                        aws.region = %region,
                        error = %chain(&error),
                        "failed to read how old the images in use are; tried again in an hour"
                    );
                }
            }
        }
        self.tell_ages(fleet);
    }

    fn tell_ages(&self, fleet: &FleetSettings) {
        let (mut ages, now) = (self.images_in_use.lock(), self.now());
        self.metrics.image_ages(&ages.ages(now));
        if let Some(limit) = fleet.old_image_after {
            ages.to_tell(limit, now).iter().for_each(is_old);
        }
    }
}

impl InUse {
    fn lock(&self) -> MutexGuard<'_, ImageAges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a living instance runs from.
pub(super) fn image_of(view: &InstanceView) -> Option<ImageInUse> {
    match view.state {
        InstanceState::Pending | InstanceState::Running => {}
        InstanceState::ShuttingDown
        | InstanceState::Terminated
        | InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::Unknown => return None,
    }
    Some(ImageInUse {
        region: view.instance.region.clone(),
        image: view.image.clone()?,
    })
}

fn is_old(one: &ImageAge) {
    let ImageAge {
        image,
        age,
        runner_age,
    } = one;
    warn!(
        aws.region = %image.region,
        image.id = %image.image,
        image.age_days = age.as_hours() / 24,
        runner.age_days = runner_age.as_hours() / 24,
        "instances run from an image whose runner is old, and GitHub stops serving old runners; make a new image"
    );
}
