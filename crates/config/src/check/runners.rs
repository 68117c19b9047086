//! `[runners.NAME]`: what a runner's name stands for, in the words of labels.

use std::collections::BTreeMap;

use reprise_engine::offer::ImageOffer;
use reprise_model::labels::{ImageChoice, LabelErrors, MachineWish, Name, read_wish};
use reprise_model::machine_refusal::Known;
use reprise_model::tags::TagKeys;

use super::images::NAMES;
use crate::checker::Checker;
use crate::error::shown;
use crate::file::{NamedRunner, Said};

pub(super) fn runners(
    checker: &mut Checker<'_>,
    section: BTreeMap<String, NamedRunner>,
    images: &BTreeMap<Name, ImageOffer>,
    tags: &TagKeys,
) -> BTreeMap<Name, MachineWish> {
    let runners = section.into_iter();
    runners
        .filter_map(|(name, runner)| {
            let key = format!("runners.{}", shown(&name));
            let read = name.parse::<Name>().map_err(|_| NAMES.to_owned());
            let name = checker.good(&key, read);
            let wish = wish(checker, &key, runner)?;
            known_image(checker, &key, &wish, images);
            free_tags(checker, &key, &wish, tags);
            Some((name?, wish))
        })
        .collect()
}

fn wish(checker: &mut Checker<'_>, key: &str, runner: NamedRunner) -> Option<MachineWish> {
    let settings = settings(runner);
    if settings.is_empty() {
        checker.wrong(
            key,
            "stands for nothing; give it a cpu, a family or an image",
        );
    }
    match read_wish(&settings) {
        Ok(wish) => Some(wish),
        Err(LabelErrors(errors)) => {
            for error in errors {
                let part = error.label.split('=').next().unwrap_or_default();
                let problem = format!("is wrong: {}; {}", error.problem, error.hint);
                checker.wrong(&format!("{key}.{part}"), problem);
            }
            None
        }
    }
}

/// As labels would say them.
fn settings(runner: NamedRunner) -> Vec<String> {
    let parts = [
        ("cpu", runner.cpu),
        ("ram", runner.ram),
        ("family", runner.family),
        ("image", runner.image),
        ("volume", runner.volume),
        ("spot", runner.spot),
        ("region", runner.region),
        ("private", runner.private),
        ("tag", runner.tag),
    ];
    let said = parts
        .into_iter()
        .filter_map(|(key, value)| value.map(|Said(value)| format!("{key}={value}")));
    said.collect()
}

fn known_image(
    checker: &mut Checker<'_>,
    key: &str,
    wish: &MachineWish,
    images: &BTreeMap<Name, ImageOffer>,
) {
    if let Some(ImageChoice::Named(name)) = &wish.image
        && !images.contains_key(name)
    {
        let known = Known::of(images.keys()).nearest_to(name.as_str());
        let problem = format!("is {name}, which is none of [images]; {known}");
        checker.wrong(&format!("{key}.image"), problem);
    }
}

fn free_tags(checker: &mut Checker<'_>, key: &str, wish: &MachineWish, tags: &TagKeys) {
    for tag in wish.tags.keys().filter(|tag| tags.reserves(tag)) {
        let problem = format!("sets {tag}, which begins as our own tags or those of AWS do");
        checker.wrong(&format!("{key}.tag"), problem);
    }
}
