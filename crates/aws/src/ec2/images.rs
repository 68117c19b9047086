//! DescribeImages: whose an image is, what it is for, and the newest of a name.
//!
//! Always by filter, so that an image that is not there is an answer and not an error. Only images
//! for our architectures are images here.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{ArchitectureValues, Image as Ec2Image};
use reprise_model::ids::{AccountId, ImageId};
use reprise_model::image::{ImageDates, RUNNER_RELEASED_TAG};
use reprise_model::machine::Architecture;

use super::Scope;
use super::describe::filter;
use crate::error::CallError;

/// The most that is asked for on one page.
const PAGE: i32 = 500;

/// EC2 takes at most 200 values in a filter.
const VALUES: usize = 200;

/// Which image is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageQuery {
    /// This one, whoever owns it.
    Id(String),
    /// The newest of an owner with such a name, for this architecture.
    Newest {
        /// The owner: an account, or an alias as `amazon` and `self`.
        owner: String,
        /// The name; `*` stands for any text, `?` for any character.
        name: String,
        /// What it is for.
        architecture: Architecture,
    },
}

/// What EC2 says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id, as `ami-0123456789abcdef0`.
    pub id: String,
    /// The account that owns it.
    pub owner: AccountId,
    /// The owner's alias, as `amazon`.
    pub owner_alias: Option<String>,
    /// What it is for.
    pub architecture: Architecture,
    /// The device of its root volume, as `/dev/sda1`: a volume of another size must name it.
    pub root_device: Option<String>,
}

/// Looks the image up; `None` where there is none that can be launched.
pub(super) async fn find(scope: &Scope, query: &ImageQuery) -> Result<Option<Image>, CallError> {
    let mut pages = scope
        .client
        .describe_images()
        .filters(filter("state", vec!["available".to_owned()]))
        .max_results(PAGE);
    pages = match query {
        ImageQuery::Id(id) => pages.filters(filter("image-id", vec![id.clone()])),
        ImageQuery::Newest {
            owner,
            name,
            architecture,
        } => pages
            .owners(owner)
            .filters(filter("name", vec![name.clone()]))
            .filters(filter("architecture", vec![word(*architecture).to_owned()])),
    };
    let mut pages = pages.into_paginator().send();
    let mut newest: Option<Ec2Image> = None;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            CallError::from_sdk(format!("describe images in {}", scope.region), &error)
        })?;
        let here = page.images.unwrap_or_default();
        newest = newest
            .into_iter()
            .chain(here)
            .max_by(|one, other| age(one).cmp(&age(other)));
    }
    Ok(newest.as_ref().and_then(image))
}

/// When each of these images was made, and its runner; those that EC2 does not show are left out.
pub(super) async fn dates(
    scope: &Scope,
    images: &BTreeSet<ImageId>,
) -> Result<BTreeMap<ImageId, ImageDates>, CallError> {
    let ids: Vec<String> = images.iter().map(|id| id.as_str().to_owned()).collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(VALUES) {
        let answer = scope
            .client
            .describe_images()
            // What is old may be deprecated, and is not shown to others than its owner then.
            .include_deprecated(true)
            .filters(filter("image-id", ids.to_vec()))
            .send()
            .await
            .map_err(|error| {
                CallError::from_sdk(format!("describe images in {}", scope.region), &error)
            })?;
        found.extend(answer.images().iter().filter_map(dates_of));
    }
    Ok(found)
}

fn dates_of(image: &Ec2Image) -> Option<(ImageId, ImageDates)> {
    let made_at = image.creation_date()?.parse().ok()?;
    let mut tags = image.tags().iter();
    let released = tags.find(|tag| tag.key() == Some(RUNNER_RELEASED_TAG));
    let dates = ImageDates::new(made_at, released.and_then(|tag| tag.value()));
    Some((image.image_id()?.parse().ok()?, dates))
}

/// EC2 writes all dates alike, so that their order is that of their letters. The id decides between
/// images of one moment, that the choice stays the same.
fn age(image: &Ec2Image) -> (Option<&str>, Option<&str>) {
    (image.creation_date(), image.image_id())
}

fn image(ec2: &Ec2Image) -> Option<Image> {
    Some(Image {
        id: ec2.image_id()?.to_owned(),
        owner: AccountId::new(ec2.owner_id()?),
        owner_alias: ec2.image_owner_alias().map(str::to_owned),
        architecture: architecture(ec2.architecture()?)?,
        root_device: ec2.root_device_name().map(str::to_owned),
    })
}

fn architecture(ec2: &ArchitectureValues) -> Option<Architecture> {
    [Architecture::X64, Architecture::Arm64]
        .into_iter()
        .find(|one| word(*one) == ec2.as_str())
}

fn word(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn ec2(id: &str, created: &str) -> Ec2Image {
        Ec2Image::builder()
            .image_id(id)
            .owner_id("099720109477")
            .architecture(ArchitectureValues::X8664)
            .creation_date(created)
            .root_device_name("/dev/sda1")
            .build()
    }

    #[test]
    fn an_image_is_read_with_its_owner_architecture_and_root_device() {
        let expected = Image {
            id: "ami-1".to_owned(),
            owner: AccountId::new("099720109477"),
            owner_alias: None,
            architecture: Architecture::X64,
            root_device: Some("/dev/sda1".to_owned()),
        };
        assert_eq!(
            image(&ec2("ami-1", "2026-01-01T00:00:00.000Z")),
            Some(expected)
        );
    }

    #[test]
    fn an_images_dates_are_read_with_the_tag_of_its_runner() {
        let tag = |key, value| Tag::builder().key(key).value(value).build();
        let mut image = ec2("ami-0123456789abcdef0", "2026-11-10T12:00:00.000Z");
        image.tags = Some(vec![
            tag("Name", "a runner"),
            tag("reprise-runner-released", "2026-11-01"),
        ]);
        let (_, dates) = dates_of(&image).expect("whole");
        let expected = ImageDates {
            made_at: "2026-11-10T12:00:00Z".parse().expect("a time"),
            runner_released_at: "2026-11-01T00:00:00Z".parse().ok(),
        };
        assert_eq!(dates, expected);
        image.creation_date = None;
        assert_eq!(dates_of(&image), None);
    }

    #[test]
    fn an_image_for_a_mac_is_none() {
        let mut mac = ec2("ami-1", "2026-01-01T00:00:00.000Z");
        mac.architecture = Some(ArchitectureValues::Arm64Mac);
        assert_eq!(image(&mac), None);
    }

    #[test]
    fn the_newest_is_the_one_made_last_and_of_one_moment_always_the_same() {
        let old = ec2("ami-9", "2025-12-31T23:59:59.000Z");
        let (new, twin) = (
            ec2("ami-1", "2026-01-01T00:00:00.000Z"),
            ec2("ami-2", "2026-01-01T00:00:00.000Z"),
        );
        assert!(age(&old) < age(&new));
        assert!(age(&new) < age(&twin));
    }
}
