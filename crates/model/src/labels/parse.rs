//! Reads the labels of a job, and collects every mistake in them.

use super::keys::{Key, Meaning, Part, honoured, meaning, nearest_key};
use super::values::{self, did_you_mean, mistake};
use super::volume::volume;
use super::word::{Setting, Word, settings};
use super::{JobLabels, LabelError, LabelErrors, MachineWish, Name, SpotChoice};
use crate::launch::SpotStrategy;
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

/// Reads `KEY=VALUE` settings of a machine as labels have them, for a runner's configuration. The
/// separators between settings are none here, as each comes by itself.
///
/// # Errors
/// All mistakes, each with its setting in place of the label.
pub fn read_wish(settings: &[String]) -> Result<MachineWish, LabelErrors> {
    let mut wish = MachineWish::default();
    let mut errors = Vec::new();
    for setting in settings {
        let setting = Word::alone(setting);
        match meaning(setting.key.text) {
            Some(Meaning::Honoured(Key::Machine(part))) => {
                errors.extend(read_part(&mut wish, part, setting));
            }
            Some(Meaning::Honoured(_) | Meaning::Unsupported { .. } | Meaning::Ignored) => {
                let problem = format!("{} says nothing of a machine", setting.key.text);
                errors.push(mistake(setting.key, problem, "leave it out here"));
            }
            None => errors.push(unknown_key(setting)),
        }
    }
    if errors.is_empty() {
        Ok(wish)
    } else {
        Err(LabelErrors(errors))
    }
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

/// The environment that the labels name, whatever else is wrong with them; `None` where they name none, or
/// none that can be understood: its mistake is told where jobs without one are served.
///
/// Of several installations that hear of a job, only the one whose it is may speak of its mistakes.
pub fn env_of(labels: &[String]) -> Option<Name> {
    let settings = labels.iter().flat_map(|label| settings(label));
    let named = settings
        .filter(|setting| setting.value.is_some())
        .filter(|setting| meaning(setting.key.text) == Some(Meaning::Honoured(Key::Env)));
    values::name(named.last()?, ENV).ok()
}

fn is_ours(label: &str) -> bool {
    settings(label)
        .next()
        .is_some_and(|first| meaning(first.key.text) == Some(Meaning::Honoured(Key::RunsOn)))
}

#[derive(Default)]
struct Reading<'a> {
    labels: JobLabels,
    errors: Vec<LabelError>,
    /// Where `spot=` was said last.
    spot: Option<Word<'a>>,
    /// Whether anything was said, well or badly, that may name types.
    names_types: bool,
}

impl<'a> Reading<'a> {
    fn finish(mut self) -> Result<JobLabels, LabelErrors> {
        self.errors.extend(self.order_of_nothing());
        if self.errors.is_empty() {
            Ok(self.labels)
        } else {
            self.errors.truncate(MOST_ERRORS);
            Err(LabelErrors(self.errors))
        }
    }

    /// A strategy that goes by the order of types, and no types in an order. Where a runner is named,
    /// its configuration may name the types.
    fn order_of_nothing(&self) -> Option<LabelError> {
        let by_order = SpotChoice::On(SpotStrategy::CapacityOptimizedPrioritized);
        let machine = &self.labels.machine;
        let said = self.spot.filter(|_| machine.spot == Some(by_order))?;
        let vague = machine.family.iter().find(|family| !family.is_exact());
        let problem = match vague {
            Some(family) => format!("{} goes by exact types, and {family} is none", said.text),
            None if !self.names_types => {
                format!("{} goes by exact types, and family= names none", said.text)
            }
            None => return None,
        };
        let hint = "write family=c7a.large+c7i.large, in order of preference, or spot=co";
        Some(mistake(said, problem, hint))
    }

    fn label(&mut self, label: &'a str) {
        if self.errors.len() >= MOST_ERRORS {
            return;
        }
        if label.chars().count() > LONGEST_LABEL {
            self.errors.push(too_long(label));
            return;
        }
        let ours = is_ours(label);
        if !ours && !label.trim().is_empty() && !settings(label).all(is_for_us) {
            self.labels.others.push(label.to_owned());
        }
        for setting in settings(label) {
            if ours || is_setting(setting) {
                self.setting(setting);
            }
        }
    }

    fn setting(&mut self, setting: Setting<'a>) {
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

    fn honour(&mut self, key: Key, setting: Setting<'a>) {
        self.names_types |= matches!(key, Key::Runner | Key::Machine(Part::Family));
        let labels = &mut self.labels;
        let outcome = match key {
            Key::RunsOn => values::id(setting).map(|id| labels.id = id),
            Key::Retry => values::retry(setting).map(|retry| labels.retry = Some(retry)),
            Key::Env => values::name(setting, ENV).map(|env| labels.env = Some(env)),
            Key::Runner => values::name(setting, RUNNER).map(|name| labels.runner = Some(name)),
            Key::Machine(part) => {
                if part == Part::Spot {
                    self.spot = Some(setting.value.unwrap_or(setting.key));
                }
                let errors = read_part(&mut labels.machine, part, setting);
                return self.errors.extend(errors);
            }
        };
        self.errors.extend(outcome.err());
    }
}

const ENV: &str = "write env= and one environment's name, as env=production";

const RUNNER: &str = "write runner= and one configured name, or one as 2cpu-linux-x64";

fn read_part(wish: &mut MachineWish, part: Part, setting: Setting<'_>) -> Vec<LabelError> {
    let outcome = match part {
        Part::Cpu => values::range(setting, values::CPU).map(|cpu| wish.cpu = Some(cpu)),
        Part::Ram => values::range(setting, values::RAM).map(|ram| wish.ram = Some(ram)),
        Part::Image => values::image(setting).map(|image| wish.image = Some(image)),
        Part::Volume => volume(setting).map(|volume| wish.volume = Some(volume)),
        Part::Spot => values::spot(setting).map(|spot| wish.spot = Some(spot)),
        Part::Region => values::region(setting).map(|region| wish.region = Some(region)),
        Part::Private => values::private(setting).map(|private| wish.private = Some(private)),
        Part::Family => return set(&mut wish.family, values::family(setting)),
        Part::Tag => return set(&mut wish.tags, values::tags(setting)),
    };
    outcome.err().into_iter().collect()
}

/// Puts a list in its place, or hands back what is wrong with its members.
fn set<T>(place: &mut T, read: Result<T, Vec<LabelError>>) -> Vec<LabelError> {
    match read {
        Ok(value) => {
            *place = value;
            Vec::new()
        }
        Err(errors) => errors,
    }
}

/// Whether a part of a label beside ours is read: `KEY=VALUE`, or a bare key that means something.
/// A bare `image` or `runner` would be an error in our own label; here it is somebody else's word.
fn is_setting(setting: Setting<'_>) -> bool {
    setting.value.is_some()
        || match meaning(setting.key.text) {
            Some(Meaning::Honoured(key)) => means_something_bare(key),
            Some(Meaning::Ignored) => true,
            Some(Meaning::Unsupported { .. }) | None => false,
        }
}

/// Whether a part of a label beside ours is said to us alone: a setting, and no bare word that may as well
/// be the name that others have for their runners.
fn is_for_us(setting: Setting<'_>) -> bool {
    setting.value.is_some()
        || match meaning(setting.key.text) {
            Some(Meaning::Honoured(key)) => means_something_bare(key),
            Some(Meaning::Ignored | Meaning::Unsupported { .. }) | None => false,
        }
}

fn means_something_bare(key: Key) -> bool {
    match key {
        Key::RunsOn | Key::Retry | Key::Machine(Part::Spot | Part::Private) => true,
        Key::Env
        | Key::Runner
        | Key::Machine(
            Part::Cpu
            | Part::Ram
            | Part::Family
            | Part::Image
            | Part::Volume
            | Part::Region
            | Part::Tag,
        ) => false,
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
