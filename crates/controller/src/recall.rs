//! Instances as EC2 last listed them: of use to everybody who wants a list, and enough to end that of a
//! job that passed.
//!
//! A look at one instance is a call of EC2, and hundreds of jobs end in a minute. What a list told of an
//! instance stays true where it counts then: whose it is, as what it was launched, and when. For which
//! jobs that is enough, the engine says ([`reprise_engine::job::Triage::Recall`]). Nothing is kept but
//! the last list of each region, whoever asked for it: ten thousand instances are some megabytes, so
//! there is one list, and one at a time is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_config::FleetSettings;
use reprise_model::ids::{InstanceId, Region};
use reprise_model::instance::InstanceView;
use tracing::debug;

use crate::context::Controller;
use crate::logging::chain;
use crate::packed::{Packed, Packer};
use crate::ports::{Cloud, PortError, Ports};

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
    /// When EC2 was asked.
    at: Timestamp,
    views: Arc<Packed>,
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
    fn keep(&self, region: &Region, listed: Listed) {
        self.lock().insert(region.clone(), listed);
    }

    fn of(&self, region: &Region, id: &InstanceId, now: Timestamp) -> Known {
        let regions = self.lock();
        let Some(listed) = regions.get(region) else {
            return Known::ListFirst;
        };
        match listed.views.get(id) {
            Some(view) => Known::As(Box::new(view)),
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

    /// The stack's instances in a region as EC2 lists them now, ended ones included as long as it shows
    /// them.
    ///
    /// # Errors
    /// When EC2 does not tell.
    pub(crate) async fn list_stack(
        &self,
        fleet: &FleetSettings,
        region: &Region,
    ) -> Result<Arc<Packed>, PortError> {
        let _listing = self.recall.listing.lock().await;
        self.ask_for_list(fleet, region).await
    }

    async fn ask_for_list(
        &self,
        fleet: &FleetSettings,
        region: &Region,
    ) -> Result<Arc<Packed>, PortError> {
        let (key, at) = (self.settings.rules.tags.stack(), self.now());
        let stack = fleet.stack.as_str();
        let mut packer = Packer::default();
        let mut each = |view| packer.add(view);
        let listing = self.cloud.list_stack(region, &key, stack, &mut each);
        listing.await?;
        let views = Arc::new(packer.packed());
        self.count_listed(region, &views, at);
        self.recall.keep(
            region,
            Listed {
                at,
                views: Arc::clone(&views),
            },
        );
        Ok(views)
    }

    async fn list_to_recall(&self, region: &Region) -> Option<()> {
        let fleet = self.settings.fleet.as_ref()?;
        match self.ask_for_list(fleet, region).await {
            Ok(_) => Some(()),
            Err(error) => {
                debug!(error = %chain(&error), "the stack is not listed; an instance is looked at by itself");
                None
            }
        }
    }
}
