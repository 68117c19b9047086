//! Instances as EC2 last listed them: enough to end that of a job that passed.
//!
//! A look at one instance is a call of EC2, and hundreds of jobs end in a minute. What a list told of an
//! instance stays true where it counts then: whose it is, as what it was launched, and when. For which
//! jobs that is enough, the engine says ([`reprise_engine::job::Triage::Recall`]). Nothing is kept but
//! the last list of each region, the sweep's or one of our own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, Region};
use reprise_model::instance::InstanceView;
use tracing::debug;

use crate::context::Controller;
use crate::logging::chain;
use crate::ports::{Cloud, Ports};

/// The pause between two lists that are asked for here. An instance that none of them shows is looked
/// at by itself.
const LISTS_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What EC2 last listed.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    regions: Mutex<BTreeMap<Region, Listed>>,
    /// Held by whoever asks EC2 for a list.
    listing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Listed {
    at: Timestamp,
    views: BTreeMap<InstanceId, InstanceView>,
}

/// What is known of an instance.
enum Known {
    /// So it was listed.
    As(Box<InstanceView>),
    /// A young list does not show it.
    Unlisted,
    /// A list may.
    ListFirst,
}

impl Recall {
    /// Takes in a list that was asked for at `at`.
    pub(crate) fn list(&self, region: &Region, views: &[InstanceView], at: Timestamp) {
        let views = views.iter();
        let views = views.map(|view| (view.instance.id.clone(), view.clone()));
        let listed = Listed {
            at,
            views: views.collect(),
        };
        self.lock().insert(region.clone(), listed);
    }

    fn of(&self, region: &Region, id: &InstanceId, now: Timestamp) -> Known {
        let regions = self.lock();
        let Some(listed) = regions.get(region) else {
            return Known::ListFirst;
        };
        match listed.views.get(id) {
            Some(view) => Known::As(Box::new(view.clone())),
            None if now.duration_since(listed.at) < LISTS_EVERY => Known::Unlisted,
            None => Known::ListFirst,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Region, Listed>> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Ports> Controller<P> {
    /// An instance of the stack as EC2 listed it; `None` where it must be looked at.
    pub(crate) async fn recall(&self, region: &Region, id: &InstanceId) -> Option<InstanceView> {
        match self.recall.of(region, id, self.now()) {
            Known::As(view) => return Some(*view),
            Known::Unlisted => return None,
            Known::ListFirst => {}
        }
        // Once: a list that takes long is old when it comes.
        match self.recall.listing.try_lock() {
            // In a box, as it is deep and hardly ever done.
            Ok(_listing) => Box::pin(self.list_to_recall(region)).await?,
            // Whoever has it brings what is wanted.
            Err(_) => drop(self.recall.listing.lock().await),
        }
        match self.recall.of(region, id, self.now()) {
            Known::As(view) => Some(*view),
            Known::Unlisted | Known::ListFirst => None,
        }
    }

    async fn list_to_recall(&self, region: &Region) -> Option<()> {
        let fleet = self.settings.fleet.as_ref()?;
        let (key, at) = (self.settings.rules.tags.stack(), self.now());
        let listed = self.cloud.list_stack(region, &key, fleet.stack.as_str());
        match listed.await {
            Ok(views) => {
                self.listed(region, &views, at);
                Some(())
            }
            Err(error) => {
                debug!(error = %chain(&error), "the stack is not listed; an instance is looked at by itself");
                None
            }
        }
    }
}
