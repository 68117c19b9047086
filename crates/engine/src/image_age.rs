//! How old the images are that instances run from, and the runners in them; and when somebody is told.
//!
//! The runner's program is a part of the image, and GitHub stops serving old ones: an image that
//! nobody renews ends a fleet one day. Neither age's beginning ever changes, so it is read once. This
//! remembers what was read and said; what it does not know it names, and who knows that asks EC2.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{ImageId, Region};
use reprise_model::image::ImageDates;

use crate::backoff::after;

/// An image that EC2 did not show (it may have been deregistered) is asked about again so late.
const ASKED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A read that failed is tried again so late: nobody waits for it.
const TRIED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How often an old image is told of.
const TOLD_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// An image in a region; an id means something in its own region only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageInUse {
    /// The region.
    pub region: Region,
    /// The image.
    pub image: ImageId,
}

/// The age of an image that instances run from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAge {
    /// Which one.
    pub image: ImageInUse,
    /// How long ago it was made.
    pub age: SignedDuration,
    /// How long ago the runner in it came out, as far as is known; not less than `age`.
    pub runner_age: SignedDuration,
}

/// What is known of the images in use.
#[derive(Debug, Clone, Default)]
pub struct ImageAges(BTreeMap<ImageInUse, Known>);

#[derive(Debug, Clone)]
struct Known {
    dates: Option<ImageDates>,
    ask_at: Timestamp,
    told_at: Option<Timestamp>,
}

impl ImageAges {
    /// What must be read of EC2, by region, now that these are in use. All others are forgotten.
    pub fn questions(
        &mut self,
        in_use: &BTreeSet<ImageInUse>,
        now: Timestamp,
    ) -> BTreeMap<Region, BTreeSet<ImageId>> {
        self.0.retain(|image, _| in_use.contains(image));
        let mut questions: BTreeMap<Region, BTreeSet<ImageId>> = BTreeMap::new();
        for one in in_use.iter().filter(|one| self.is_open(one, now)) {
            let images = questions.entry(one.region.clone()).or_default();
            images.insert(one.image.clone());
        }
        questions
    }

    /// What EC2 said of the images of a region that it was asked about.
    pub fn answered(
        &mut self,
        region: &Region,
        asked: &BTreeSet<ImageId>,
        dates: &BTreeMap<ImageId, ImageDates>,
        now: Timestamp,
    ) {
        for image in asked {
            let dates = dates.get(image).copied();
            self.note(region, image, dates, after(now, ASKED_AGAIN_AFTER));
        }
    }

    /// EC2 did not answer.
    pub fn unanswered(&mut self, region: &Region, asked: &BTreeSet<ImageId>, now: Timestamp) {
        for image in asked {
            self.note(region, image, None, after(now, TRIED_AGAIN_AFTER));
        }
    }

    /// The ages of all whose age is known, the one with the oldest runner first.
    pub fn ages(&self, now: Timestamp) -> Vec<ImageAge> {
        let aged = self.0.iter().filter_map(|(image, known)| {
            let dates = known.dates?;
            Some(ImageAge {
                image: image.clone(),
                age: now.duration_since(dates.made_at),
                runner_age: now.duration_since(dates.runner_since()),
            })
        });
        let mut ages: Vec<ImageAge> = aged.collect();
        ages.sort_by_key(|one| std::cmp::Reverse(one.runner_age));
        ages
    }

    /// Those whose runners are older than a limit, of which nobody was told within a day; from now on somebody is.
    #[must_use]
    pub fn to_tell(&mut self, limit: SignedDuration, now: Timestamp) -> Vec<ImageAge> {
        let mut old = self.ages(now);
        old.retain(|one| one.runner_age > limit && self.is_to_be_told(&one.image, now));
        for one in &old {
            if let Some(known) = self.0.get_mut(&one.image) {
                known.told_at = Some(now);
            }
        }
        old
    }

    fn is_open(&self, image: &ImageInUse, now: Timestamp) -> bool {
        let known = self.0.get(image);
        known.is_none_or(|known| known.dates.is_none() && known.ask_at <= now)
    }

    fn is_to_be_told(&self, image: &ImageInUse, now: Timestamp) -> bool {
        let told_at = self.0.get(image).and_then(|known| known.told_at);
        told_at.is_none_or(|told_at| after(told_at, TOLD_EVERY) <= now)
    }

    fn note(
        &mut self,
        region: &Region,
        image: &ImageId,
        dates: Option<ImageDates>,
        ask_at: Timestamp,
    ) {
        let image = ImageInUse {
            region: region.clone(),
            image: image.clone(),
        };
        let known = Known {
            dates,
            ask_at,
            told_at: None,
        };
        self.0.insert(image, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn region(name: &str) -> Region {
        Region::new(name)
    }

    fn image(number: u32) -> ImageId {
        format!("ami-{number:08x}").parse().expect("an id")
    }

    fn in_use(images: &[(&str, u32)]) -> BTreeSet<ImageInUse> {
        let images = images.iter().map(|(name, number)| ImageInUse {
            region: region(name),
            image: image(*number),
        });
        images.collect()
    }

    /// Image 1 of the first region was made at a time, and nothing else is known.
    fn knowing(made_at: Timestamp, now: Timestamp) -> ImageAges {
        let mut ages = ImageAges::default();
        let asked = BTreeSet::from([image(1)]);
        ages.answered(
            &region("a"),
            &asked,
            &[(image(1), made(made_at))].into(),
            now,
        );
        ages
    }

    fn made(at: Timestamp) -> ImageDates {
        ImageDates::new(at, None)
    }

    #[test]
    fn each_region_is_asked_once_for_all_of_its_new_images() {
        let mut ages = ImageAges::default();
        let used = in_use(&[("a", 1), ("a", 2), ("b", 1)]);
        let questions = ages.questions(&used, at(0));
        let expected = [
            (region("a"), BTreeSet::from([image(1), image(2)])),
            (region("b"), BTreeSet::from([image(1)])),
        ];
        assert_eq!(questions, expected.into());
    }

    #[test]
    fn what_is_known_is_never_asked_again_as_long_as_it_is_in_use() {
        let mut ages = knowing(at(0), at(0));
        let used = in_use(&[("a", 1)]);
        assert!(ages.questions(&used, at(400 * DAY)).is_empty());
        assert!(ages.questions(&BTreeSet::new(), at(400 * DAY)).is_empty());
        assert_eq!(ages.questions(&used, at(401 * DAY)).len(), 1, "forgotten");
    }

    #[test]
    fn an_image_that_is_not_shown_is_asked_about_once_a_day_and_a_failure_is_tried_in_an_hour() {
        let mut ages = ImageAges::default();
        let (used, asked) = (in_use(&[("a", 1)]), BTreeSet::from([image(1)]));
        ages.answered(&region("a"), &asked, &BTreeMap::new(), at(0));
        assert!(ages.questions(&used, at(DAY - 1)).is_empty());
        assert_eq!(ages.questions(&used, at(DAY)).len(), 1);
        ages.unanswered(&region("a"), &asked, at(DAY));
        assert!(ages.questions(&used, at(DAY)).is_empty());
        assert_eq!(ages.questions(&used, at(DAY + 1)).len(), 1);
        assert!(ages.ages(at(DAY)).is_empty());
    }

    #[test]
    fn an_old_image_is_told_of_once_a_day_and_a_young_one_never() {
        let mut ages = knowing(at(0), at(0));
        let limit = SignedDuration::from_hours(30 * DAY);
        assert!(ages.to_tell(limit, at(30 * DAY)).is_empty(), "not older");
        let told = ages.to_tell(limit, at(31 * DAY));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].age, SignedDuration::from_hours(31 * DAY));
        assert!(ages.to_tell(limit, at(32 * DAY - 1)).is_empty());
        assert_eq!(ages.to_tell(limit, at(32 * DAY)).len(), 1);
    }

    #[test]
    fn a_new_image_with_an_old_runner_is_as_old_as_that() {
        let mut ages = ImageAges::default();
        let asked = BTreeSet::from([image(1)]);
        let dates = ImageDates {
            made_at: at(30 * DAY),
            runner_released_at: Some(at(0)),
        };
        let dates = [(image(1), dates)].into();
        ages.answered(&region("a"), &asked, &dates, at(30 * DAY));
        let told = ages.to_tell(SignedDuration::from_hours(20 * DAY), at(31 * DAY));
        let (age, runner_age) = (told[0].age, told[0].runner_age);
        assert_eq!((age.as_hours(), runner_age.as_hours()), (DAY, 31 * DAY));
    }

    #[test]
    fn the_oldest_comes_first() {
        let mut ages = knowing(at(10), at(10));
        let asked = BTreeSet::from([image(2)]);
        let dates = [(image(2), made(at(1)))].into();
        ages.answered(&region("a"), &asked, &dates, at(10));
        let sorted: Vec<ImageId> = ages
            .ages(at(20))
            .into_iter()
            .map(|one| one.image.image)
            .collect();
        assert_eq!(sorted, [image(2), image(1)]);
    }
}
