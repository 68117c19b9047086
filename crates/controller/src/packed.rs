//! Instances in little room: thousands of them have the same few zones, types and tags.
//!
//! Ten thousand instances as EC2 tells of them, with eight tags each, are more than 20 MB; here each text
//! stands once. Nothing is left out: what is taken out is what was put in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::{AccountId, ImageId, InstanceId, Region};
use reprise_model::instance::{Capacity, Instance, InstanceState, InstanceView};

/// Instances in the order of their ids.
#[derive(Debug)]
pub(crate) struct Packed {
    texts: Vec<Box<str>>,
    views: Vec<PackedView>,
}

/// Puts instances in.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    numbers: BTreeMap<Box<str>, Text>,
    views: Vec<PackedView>,
}

/// The number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text(u32);

#[derive(Debug)]
struct PackedView {
    id: InstanceId,
    account: Text,
    region: Text,
    capacity: Capacity,
    state: InstanceState,
    state_reason: Option<Text>,
    tags: Box<[(Text, Text)]>,
    instance_type: Text,
    zone: Option<Text>,
    subnet: Option<Text>,
    launched_at: Option<Timestamp>,
    image: Option<ImageId>,
}

impl Packer {
    /// Puts one in.
    pub(crate) fn add(&mut self, view: InstanceView) {
        let tags = view.tags.iter();
        let packed = PackedView {
            tags: tags
                .map(|(key, value)| (self.text(key), self.text(value)))
                .collect(),
            account: self.text(view.instance.account.as_str()),
            region: self.text(view.instance.region.as_str()),
            id: view.instance.id,
            capacity: view.capacity,
            state: view.state,
            state_reason: view.state_reason.map(|text| self.text(&text)),
            instance_type: self.text(&view.instance_type),
            zone: view.zone.map(|text| self.text(&text)),
            subnet: view.subnet.map(|text| self.text(&text)),
            launched_at: view.launched_at,
            image: view.image,
        };
        self.views.push(packed);
    }

    /// All that was put in.
    pub(crate) fn packed(self) -> Packed {
        let Self { numbers, mut views } = self;
        views.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        views.shrink_to_fit();
        let mut texts: Vec<(Text, Box<str>)> = numbers
            .into_iter()
            .map(|(text, number)| (number, text))
            .collect();
        texts.sort_unstable_by_key(|(number, _)| number.0);
        Packed {
            texts: texts.into_iter().map(|(_, text)| text).collect(),
            views,
        }
    }

    fn text(&mut self, text: &str) -> Text {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // No answer of EC2's holds four thousand million texts.
        let number = Text(u32::try_from(self.numbers.len()).unwrap_or(u32::MAX));
        self.numbers.insert(text.into(), number);
        number
    }
}

impl Packed {
    /// All of them, one at a time.
    pub(crate) fn views(&self) -> impl Iterator<Item = InstanceView> {
        self.views.iter().map(|packed| self.unpacked(packed))
    }

    /// One of them.
    pub(crate) fn get(&self, id: &InstanceId) -> Option<InstanceView> {
        let place = self.place(id)?;
        self.views.get(place).map(|packed| self.unpacked(packed))
    }

    /// Whether it is among them.
    pub(crate) fn contains(&self, id: &InstanceId) -> bool {
        self.place(id).is_some()
    }

    fn place(&self, id: &InstanceId) -> Option<usize> {
        self.views.binary_search_by(|packed| packed.id.cmp(id)).ok()
    }

    fn unpacked(&self, packed: &PackedView) -> InstanceView {
        let text = |text: Text| self.text(text).to_owned();
        InstanceView {
            instance: Instance {
                account: AccountId::new(self.text(packed.account)),
                region: Region::new(self.text(packed.region)),
                id: packed.id.clone(),
            },
            capacity: packed.capacity,
            state: packed.state,
            state_reason: packed.state_reason.map(text),
            tags: packed
                .tags
                .iter()
                .map(|(key, value)| (text(*key), text(*value)))
                .collect(),
            instance_type: text(packed.instance_type),
            zone: packed.zone.map(text),
            subnet: packed.subnet.map(text),
            launched_at: packed.launched_at,
            image: packed.image.clone(),
        }
    }

    /// Each number was given out for a text.
    fn text(&self, Text(number): Text) -> &str {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.texts.get(place).map_or("", |text| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(number: u8) -> InstanceView {
        let tags = [
            ("runs-on-stack-name", "prod".to_owned()),
            ("runs-on-workflow-job-id", number.to_string()),
        ];
        InstanceView {
            instance: Instance {
                account: AccountId::new("111111111111"),
                region: Region::new("eu-west-1"),
                id: id(number),
            },
            capacity: Capacity::Spot,
            state: InstanceState::Terminated,
            state_reason: Some("Server.SpotInstanceTermination".to_owned()),
            tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
            instance_type: "c7a.large".to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            subnet: None,
            launched_at: Some(Timestamp::from_second(1_700_000_000).expect("a time")),
            image: Some("ami-0123456789abcdef0".parse().expect("an image id")),
        }
    }

    fn id(number: u8) -> InstanceId {
        format!("i-{number:017x}").parse().expect("an instance id")
    }

    fn packed(views: impl IntoIterator<Item = InstanceView>) -> Packed {
        let mut packer = Packer::default();
        views.into_iter().for_each(|view| packer.add(view));
        packer.packed()
    }

    #[test]
    fn what_is_taken_out_is_what_was_put_in() {
        let packed = packed([view(3), view(1), view(2)]);
        let all: Vec<InstanceView> = packed.views().collect();
        assert_eq!(all, [view(1), view(2), view(3)]);
        assert_eq!(packed.get(&id(2)), Some(view(2)));
        assert_eq!(packed.get(&id(9)), None);
        assert!(packed.contains(&id(3)) && !packed.contains(&id(9)));
    }

    #[test]
    fn each_text_stands_once() {
        let packed = packed((0..100).map(view));
        // Of a hundred instances only the job differs.
        assert_eq!(packed.texts.len(), 100 + 8);
    }
}
