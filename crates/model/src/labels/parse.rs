//! Reads the labels of a job, and collects every mistake in them.

use super::keys::{Key, Meaning, honoured, meaning, nearest_key};
use super::values::{self, did_you_mean, mistake};
use super::word::{Setting, settings};
use super::{JobLabels, LabelError, LabelErrors};
use crate::policy::RetryPolicy;

/// The longest label that is read, in characters: GitHub takes 256. A stranger's label is repeated
/// in each of its errors, so there must be some end to it.
const LONGEST_LABEL: usize = 1024;

/// The most mistakes that are told of one job.
const MOST_ERRORS: usize = 32;

/// Reads the labels of a job: `Ok(None)` when none of them asks for one of our machines.
///
/// A label asks for one when its first setting is `runs-on` or `runs-on=ID`. Beside such a label,
/// others are read where they are settings (`cpu=4`, `spot`); bare words that mean nothing to us,
/// as `self-hosted` or `linux`, are left alone. The last setting of a key wins.
pub fn parse(labels: &[String]) -> Result<Option<JobLabels>, LabelErrors> {
    if !labels.iter().any(|label| is_ours(label)) {
        return Ok(None);
    }
    let mut reading = Reading::default();
    for label in labels {
        reading.label(label);
    }
    reading.finish().map(Some)
}

/// What the labels say of re-runs alone, whatever else is wrong with them; `None` where they say
/// nothing, or where none of them asks for one of our machines.
///
/// A job that runs on somebody else's fleet may have labels in that fleet's own grammar, and what
/// its author says of re-runs holds there too. The last setting wins, as everywhere. One whose
/// value cannot be understood counts as [`RetryPolicy::Never`]: it was written to say something
/// other than the default, and a guess must never re-run more than the author meant.
pub fn retry_of(labels: &[String]) -> Option<RetryPolicy> {
    if !labels.iter().any(|label| is_ours(label)) {
        return None;
    }
    labels
        .iter()
        .flat_map(|label| settings(label))
        .filter(|setting| meaning(setting.key.text) == Some(Meaning::Honoured(Key::Retry)))
        .last()
        .map(|setting| values::retry(setting).unwrap_or(RetryPolicy::Never))
}

fn is_ours(label: &str) -> bool {
    settings(label)
        .next()
        .is_some_and(|first| meaning(first.key.text) == Some(Meaning::Honoured(Key::RunsOn)))
}

#[derive(Default)]
struct Reading {
    labels: JobLabels,
    errors: Vec<LabelError>,
}

impl Reading {
    fn finish(mut self) -> Result<JobLabels, LabelErrors> {
        if self.errors.is_empty() {
            Ok(self.labels)
        } else {
            self.errors.truncate(MOST_ERRORS);
            Err(LabelErrors(self.errors))
        }
    }

    fn label(&mut self, label: &str) {
        if self.errors.len() >= MOST_ERRORS {
            return;
        }
        if label.chars().count() > LONGEST_LABEL {
            self.errors.push(too_long(label));
            return;
        }
        let ours = is_ours(label);
        for setting in settings(label) {
            if ours || is_setting(setting) {
                self.setting(setting);
            }
        }
    }

    fn setting(&mut self, setting: Setting<'_>) {
        match meaning(setting.key.text) {
            Some(Meaning::Honoured(key)) => self.honour(key, setting),
            Some(Meaning::Ignored) => self.labels.ignored.push(setting.whole.text.to_owned()),
            Some(Meaning::Unsupported { instead }) => {
                let problem = format!("{} is not supported", setting.key.text);
                self.errors.push(mistake(setting.key, problem, instead));
            }
            None => self.errors.push(unknown_key(setting)),
        }
    }

    fn honour(&mut self, key: Key, setting: Setting<'_>) {
        let labels = &mut self.labels;
        let outcome = match key {
            Key::RunsOn => values::id(setting).map(|id| labels.id = id),
            Key::Spot => values::spot(setting).map(|spot| labels.spot = spot),
            Key::Retry => values::retry(setting).map(|retry| labels.retry = Some(retry)),
            Key::Cpu => values::range(setting, values::CPU).map(|cpu| labels.cpu = Some(cpu)),
            Key::Ram => values::range(setting, values::RAM).map(|ram| labels.ram = Some(ram)),
            Key::Image => values::image(setting).map(|image| labels.image = Some(image)),
            Key::Family => match values::family(setting) {
                Ok(family) => {
                    labels.family = family;
                    Ok(())
                }
                Err(errors) => return self.errors.extend(errors),
            },
        };
        self.errors.extend(outcome.err());
    }
}

/// Whether a part of a label beside ours is read: `KEY=VALUE`, or a bare key that means something.
/// A bare `image` or `runner` would be an error in our own label; here it is somebody else's word.
fn is_setting(setting: Setting<'_>) -> bool {
    setting.value.is_some()
        || match meaning(setting.key.text) {
            Some(Meaning::Honoured(Key::RunsOn | Key::Spot | Key::Retry) | Meaning::Ignored) => {
                true
            }
            Some(
                Meaning::Honoured(Key::Family | Key::Cpu | Key::Ram | Key::Image)
                | Meaning::Unsupported { .. },
            )
            | None => false,
        }
}

fn unknown_key(setting: Setting<'_>) -> LabelError {
    let key = setting.key.text;
    let known = format!("known keys are {}", honoured());
    if key.is_empty() {
        let problem = "a value without a key".to_owned();
        return mistake(setting.key, problem, known);
    }
    let problem = format!("unknown key {key:?}");
    mistake(setting.key, problem, did_you_mean(nearest_key(key), &known))
}

/// Shows the label's beginning only.
fn too_long(label: &str) -> LabelError {
    LabelError {
        label: label.chars().take(60).collect(),
        position: 1,
        problem: format!("the label that begins so has more than {LONGEST_LABEL} characters"),
        hint: "GitHub takes labels of up to 256 characters".to_owned(),
    }
}
