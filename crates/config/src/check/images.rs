//! `[images.NAME]`: images that labels may choose by name.

use std::collections::BTreeMap;

use reprise_engine::offer::{ImageOffer, ImageSource};
use reprise_model::ids::ImageId;
use reprise_model::labels::Name;

use crate::check::limits::is_owner;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;

pub(super) fn images(
    checker: &mut Checker<'_>,
    section: BTreeMap<String, file::Image>,
) -> BTreeMap<Name, ImageOffer> {
    let images = section.into_iter();
    images
        .filter_map(|(name, image)| {
            let key = format!("images.{}", shown(&name));
            let name = named(checker, &key, &name);
            let source = source(checker, &key, &image);
            let architecture = image.architecture.unwrap_or_default();
            let image = ImageOffer {
                source: source?,
                architecture,
            };
            Some((name?, image))
        })
        .collect()
}

/// A name that labels can say and that is no AMI's id to them.
fn named(checker: &mut Checker<'_>, key: &str, name: &str) -> Option<Name> {
    let read = name.parse::<Name>().map_err(|_| NAMES.to_owned());
    let name = checker.good(key, read)?;
    if name.as_str().starts_with(ImageId::PREFIX) {
        let problem = "begins as an AMI's id does, and a label would mean that one; rename it";
        checker.wrong(key, problem);
        return None;
    }
    Some(name)
}

/// What is wrong with a name that labels cannot say.
pub(super) const NAMES: &str =
    "is no name that a label can say; write letters, digits, -, _ and ., 64 at most";

fn source(checker: &mut Checker<'_>, key: &str, image: &file::Image) -> Option<ImageSource> {
    match (&image.ami, &image.owner, &image.name) {
        (Some(ami), None, None) => {
            let read = ami.parse().map(ImageSource::Ami);
            let problem = format!(
                "is {}; write an AMI's id, as ami-0123456789abcdef0",
                shown(ami)
            );
            checker.good(&format!("{key}.ami"), read.map_err(|_| problem))
        }
        (None, Some(owner), Some(name)) => newest(checker, key, owner, name),
        _ => {
            checker.wrong(
                key,
                "wants either an ami, or an owner and a name; write one of the two",
            );
            None
        }
    }
}

fn newest(checker: &mut Checker<'_>, key: &str, owner: &str, name: &str) -> Option<ImageSource> {
    let right = "write the image's name; * stands for any text";
    checker.filled(&format!("{key}.name"), name, right);
    if !is_owner(owner) {
        let problem = format!(
            "is {}; write an account's twelve digits, self, amazon or aws-marketplace",
            shown(owner)
        );
        checker.wrong(&format!("{key}.owner"), problem);
        return None;
    }
    Some(ImageSource::Newest {
        owner: owner.to_owned(),
        name: name.to_owned(),
    })
}
