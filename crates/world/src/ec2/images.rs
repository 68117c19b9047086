//! DescribeImages: some images, each with its owner and what it is for. Their ids are made up.
//!
//! A launch takes any image, listed here or not.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reprise_model::machine::Architecture;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::describe::{Page, page};
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::query::Params;
use super::state::Ec2;
use super::xml::{Xml, millis};

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
    /// The owner's alias, where it has one.
    pub owner_alias: Option<String>,
    /// What it is for.
    pub architecture: Architecture,
    /// The device of its root volume.
    pub root_device: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribeImages {
    /// By owner: accounts, aliases, `self`; any where it is empty.
    pub owners: Vec<String>,
    /// By filter.
    pub filters: Vec<Filter>,
    /// Images a page.
    pub max_results: Option<usize>,
    /// Where the last page ended.
    pub next_token: Option<String>,
}

/// Two of Ubuntu for one architecture, of which one is newer, one for the other, and one of Amazon.
pub(super) fn usual_images() -> Vec<Image> {
    let (x64, arm) = (Architecture::X64, Architecture::Arm64);
    vec![
        ubuntu("ami-0b0b0000000000001", x64, "20251101", NOVEMBER),
        ubuntu("ami-0a0a0000000000002", x64, "20251201", DECEMBER),
        ubuntu("ami-0c0c0000000000003", arm, "20251201", DECEMBER),
        Image {
            id: "ami-0d0d0000000000004".to_owned(),
            name: "al2023-ami-2023.9.20251201.0-kernel-6.1-x86_64".to_owned(),
            owner: "137112412989".to_owned(),
            owner_alias: Some("amazon".to_owned()),
            architecture: x64,
            root_device: "/dev/xvda".to_owned(),
            created_at: at(DECEMBER),
        },
    ]
}

/// The first of November 2025, in seconds of the epoch.
const NOVEMBER: i64 = 1_761_955_200;

/// The first of December 2025.
const DECEMBER: i64 = 1_764_547_200;

fn ubuntu(id: &str, architecture: Architecture, day: &str, seconds: i64) -> Image {
    let kind = match architecture {
        Architecture::X64 => "amd64",
        Architecture::Arm64 => "arm64",
    };
    Image {
        id: id.to_owned(),
        name: format!("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{kind}-server-{day}"),
        owner: "099720109477".to_owned(),
        owner_alias: None,
        architecture,
        root_device: "/dev/sda1".to_owned(),
        created_at: at(seconds),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

impl Ec2 {
    /// Describes images by their ids, and tells where the next page begins, if there is one.
    pub fn describe_images(
        &mut self,
        call: &Call,
        request: &DescribeImages,
    ) -> Result<(Vec<Image>, Option<String>), Ec2Error> {
        let action = Action::DescribeImages;
        let narrowed = !request.owners.is_empty()
            || !request.filters.is_empty()
            || request.max_results.is_some();
        let bucket = if narrowed {
            Bucket::Calls(action)
        } else {
            Bucket::UnfilteredCalls(action)
        };
        let Page { items, next_token } = self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&request.filters)?;
            let mut matching = ec2.matching_images(request)?;
            call.unless_dry()?;
            matching.sort_by(|one, other| one.id.cmp(&other.id));
            let token = request.next_token.as_deref();
            page(matching, |image| &image.id, request.max_results, token)
        })?;
        Ok((items, next_token))
    }

    fn matching_images(&self, request: &DescribeImages) -> Result<Vec<Image>, Ec2Error> {
        let owners: BTreeSet<&str> = request
            .owners
            .iter()
            .map(|owner| match owner.as_str() {
                "self" => self.settings.account.as_str(),
                other => other,
            })
            .collect();
        let owned = |image: &Image| {
            let alias = image.owner_alias.as_deref();
            owners.is_empty()
                || owners.contains(image.owner.as_str())
                || alias.is_some_and(|alias| owners.contains(alias))
        };
        let mut matching = Vec::new();
        for image in &self.settings.images {
            if owned(image) && passes(image, &request.filters)? {
                matching.push(image.clone());
            }
        }
        Ok(matching)
    }

    pub(super) fn describe_images_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let request = DescribeImages {
            owners: params.list("Owner").collect(),
            filters: Filter::read_all(params)?,
            max_results: params.number("MaxResults")?,
            next_token: params.get("NextToken").map(str::to_owned),
        };
        let (images, next_token) = self.describe_images(call, &request)?;
        let mut xml = Xml::default();
        xml.items("imagesSet", &images, render);
        xml.maybe("nextToken", next_token.as_deref());
        Ok(xml)
    }
}

fn passes(image: &Image, filters: &[Filter]) -> Result<bool, Ec2Error> {
    for filter in filters {
        let admitted = match filter.name.as_str() {
            "architecture" => filter.admits(architecture(image)),
            "image-id" => filter.admits(&image.id),
            "name" => filter.admits(&image.name),
            "owner-id" => filter.admits(&image.owner),
            "state" => filter.admits("available"),
            _ => return Err(filter.unknown()),
        };
        if !admitted {
            return Ok(false);
        }
    }
    Ok(true)
}

fn architecture(image: &Image) -> &'static str {
    match image.architecture {
        Architecture::X64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

fn render(xml: &mut Xml, image: &Image) {
    xml.text("imageId", &image.id);
    xml.text("imageState", "available");
    xml.text("imageOwnerId", &image.owner);
    xml.maybe("imageOwnerAlias", image.owner_alias.as_deref());
    xml.text("name", &image.name);
    xml.text("architecture", architecture(image));
    xml.text("creationDate", &millis(image.created_at));
    xml.text("rootDeviceName", &image.root_device);
    xml.text("rootDeviceType", "ebs");
}
