//! Which image a machine starts from, and whose it may be.

use reprise_model::ids::{ImageId, Region};
use reprise_model::labels::{ImageChoice, Name};
use reprise_model::machine::Architecture;
use reprise_model::machine_refusal::{Known, MachineRefusal};

use super::choice::Choice;
use super::{ImageQuery, ImageView, Need};
use crate::offer::{ImageOffer, ImageSource};

/// The image, as far as it is known.
#[derive(Default)]
pub(super) struct Image {
    /// `None` for that of the launch template.
    pub(super) id: Option<ImageId>,
    /// `None` where it is not known yet.
    pub(super) architecture: Option<Architecture>,
    /// `None` where it is not known.
    pub(super) root_device: Option<String>,
}

impl Choice<'_> {
    /// `with_root` says that its root device must be known.
    pub(super) fn image(
        &mut self,
        choice: Option<&ImageChoice>,
        region: &Region,
        with_root: bool,
    ) -> Image {
        match choice {
            None => Image {
                id: None,
                architecture: Some(self.facts.offer.architecture),
                root_device: self.facts.offer.root_device.clone(),
            },
            Some(ImageChoice::Named(name)) => self.named(name, region, with_root),
            Some(ImageChoice::Ami(id)) => self.by_id(id, region),
        }
    }

    fn named(&mut self, name: &Name, region: &Region, with_root: bool) -> Image {
        let images = &self.facts.offer.images;
        let Some(image) = images.get(name) else {
            self.refuse(MachineRefusal::UnknownImage {
                asked: name.clone(),
                known: Known::of(images.keys()).nearest_to(name.as_str()),
            });
            return Image::default();
        };
        match &image.source {
            ImageSource::Ami(id) => {
                let found = self.configured(id, image.architecture, region);
                Image {
                    root_device: with_root
                        .then(|| self.view(id, region))
                        .flatten()
                        .and_then(|view| view.root_device),
                    ..found
                }
            }
            ImageSource::Newest { .. } => self.newest(image, region),
        }
    }

    /// An AMI's id holds in one region: configuration means that of the fleet.
    fn configured(&mut self, id: &ImageId, architecture: Architecture, region: &Region) -> Image {
        if *region != self.facts.offer.region {
            self.no_such(id.to_string(), region);
        }
        Image {
            id: Some(id.clone()),
            architecture: Some(architecture),
            root_device: None,
        }
    }

    fn newest(&mut self, image: &ImageOffer, region: &Region) -> Image {
        let view = self.look(ImageQuery {
            region: region.clone(),
            source: image.source.clone(),
            architecture: Some(image.architecture),
        });
        Image {
            id: view.as_ref().map(|view| view.id.clone()),
            architecture: Some(image.architecture),
            root_device: view.and_then(|view| view.root_device),
        }
    }

    /// Whoever opens a pull request may write any id: without an owner that is allowed it is not even
    /// looked at. One that configuration names for a runner may be anybody's.
    fn by_id(&mut self, id: &ImageId, region: &Region) -> Image {
        let by_label = self.facts.labels.machine.image.is_some();
        if by_label && self.facts.offer.limits.image_owners.is_empty() {
            let asked = id.clone();
            self.refuse(MachineRefusal::NoImageOwners { asked });
            return Image::default();
        }
        let view = self.view(id, region);
        if let Some(view) = &view
            && by_label
            && !self.is_allowed(view, region)
        {
            self.refuse(MachineRefusal::ImageOwner {
                asked: id.clone(),
                owner: view.owner.to_string(),
                allowed: Known::of(&self.facts.offer.limits.image_owners),
            });
        }
        Image {
            architecture: view.as_ref().map(|view| view.architecture),
            root_device: view.as_ref().and_then(|view| view.root_device.clone()),
            id: view.map(|view| view.id),
        }
    }

    fn view(&mut self, id: &ImageId, region: &Region) -> Option<ImageView> {
        self.look(ImageQuery {
            region: region.clone(),
            source: ImageSource::Ami(id.clone()),
            architecture: None,
        })
    }

    fn is_allowed(&self, view: &ImageView, region: &Region) -> bool {
        let offer = self.facts.offer;
        let here = offer.regions.iter().find(|one| one.region == *region);
        let is_ours = here.is_some_and(|here| here.account == view.owner);
        offer.limits.image_owners.iter().any(|owner| {
            *owner == view.owner.as_str()
                || view.owner_alias.as_ref() == Some(owner)
                || (owner == "self" && is_ours)
        })
    }

    /// What EC2 says of an image; `None` where that is to be read first, or is nothing.
    fn look(&mut self, query: ImageQuery) -> Option<ImageView> {
        match self.facts.ec2.images.get(&query) {
            Some(Some(view)) => Some(view.clone()),
            Some(None) => {
                self.no_such(query.source.to_string(), &query.region);
                None
            }
            None => {
                self.needs.push(Need::Image(query));
                None
            }
        }
    }

    fn no_such(&mut self, asked: String, region: &Region) {
        let region = region.clone();
        self.refuse(MachineRefusal::NoSuchImage { asked, region });
    }
}
