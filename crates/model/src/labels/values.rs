//! What may stand behind each key.

use std::collections::BTreeMap;

use super::keys::nearest;
use super::word::{Setting, Word};
use super::{FamilyPattern, ImageChoice, InvalidFamily, LabelError, Name, Range, SpotChoice};
use crate::ids::{ImageId, Region};
use crate::launch::SpotStrategy;
use crate::policy::{NoRetryPolicy, RetryPolicy};

/// Every `spot=` value.
const SPOT: [(&str, SpotChoice); 11] = [
    ("true", SpotChoice::On(SpotStrategy::PriceCapacityOptimized)),
    ("false", SpotChoice::Off),
    ("never", SpotChoice::Off),
    ("pco", SpotChoice::On(SpotStrategy::PriceCapacityOptimized)),
    (
        "price-capacity-optimized",
        SpotChoice::On(SpotStrategy::PriceCapacityOptimized),
    ),
    ("co", SpotChoice::On(SpotStrategy::CapacityOptimized)),
    (
        "capacity-optimized",
        SpotChoice::On(SpotStrategy::CapacityOptimized),
    ),
    ("lp", SpotChoice::On(SpotStrategy::LowestPrice)),
    ("lowest-price", SpotChoice::On(SpotStrategy::LowestPrice)),
    (
        "cop",
        SpotChoice::On(SpotStrategy::CapacityOptimizedPrioritized),
    ),
    (
        "capacity-optimized-prioritized",
        SpotChoice::On(SpotStrategy::CapacityOptimizedPrioritized),
    ),
];

/// Yes and no.
const BOOLEAN: [(&str, bool); 2] = [("true", true), ("false", false)];

/// A number that a value may be made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantity {
    key: &'static str,
    unit: &'static str,
    most: u32,
}

/// `cpu=`. The most is twice what EC2's largest instance has (1,920 vCPUs).
pub(super) const CPU: Quantity = Quantity::new("cpu", "vCPUs", 4096);

/// `ram=`. The most is twice what EC2's largest instance has (32 TiB).
pub(super) const RAM: Quantity = Quantity::new("ram", "GiB", 65_536);

impl Quantity {
    pub(super) const fn new(key: &'static str, unit: &'static str, most: u32) -> Self {
        Self { key, unit, most }
    }

    /// A whole number within the bounds.
    pub(super) fn read(self, text: &str) -> Option<u32> {
        let number = text.parse().ok()?;
        (is_digits(text) && (1..=self.most).contains(&number)).then_some(number)
    }

    pub(super) fn number(self, word: Word<'_>, hint: &str) -> Result<u32, LabelError> {
        let Self { unit, .. } = self;
        self.read(word.text).ok_or_else(|| {
            let problem = if is_digits(word.text) {
                format!("nothing has {} {unit}", word.text)
            } else {
                format!("{:?} is not a whole number of {unit}", word.text)
            };
            mistake(word, problem, hint)
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A mistake at a word.
pub(super) fn mistake(at: Word<'_>, problem: String, hint: impl Into<String>) -> LabelError {
    LabelError {
        label: at.label().to_owned(),
        position: at.position(),
        problem,
        hint: hint.into(),
    }
}

pub(super) fn id(setting: Setting<'_>) -> Result<Option<String>, LabelError> {
    const HINT: &str = "write something that is unique to the run and job, \
                        as runs-on=${{ github.run_id }}";
    match setting.value {
        None => Ok(None),
        Some(value) if value.text.is_empty() => Err(empty(setting, HINT)),
        Some(value) => Ok(Some(value.text.to_owned())),
    }
}

pub(super) fn spot(setting: Setting<'_>) -> Result<SpotChoice, LabelError> {
    let hint = "write spot=true or spot=false, or a strategy: pco, co, lp or cop";
    choice(setting, &SPOT, hint).map(Option::unwrap_or_default)
}

/// The bare key means what holds where nothing is said.
pub(super) fn retry(setting: Setting<'_>) -> Result<RetryPolicy, LabelError> {
    let hint = "write retry=when-interrupted, retry=N for at most N re-runs (up to 5), \
                retry=when-failed, retry=when-transient, retry=ask:NAME, or retry=false";
    if setting.value.is_none() {
        return Ok(RetryPolicy::USUAL);
    }
    let value = given(setting, hint)?;
    value.text.parse().map_err(|error| {
        let (problem, near) = match &error {
            NoRetryPolicy::Unknown(text) => (
                format!("{text:?} is no value of {}", setting.key.text),
                nearest(text, RetryPolicy::WORDS.into_iter()),
            ),
            NoRetryPolicy::Number { .. } | NoRetryPolicy::Endpoint(_) => (error.to_string(), None),
        };
        mistake(value, problem, did_you_mean(near, hint))
    })
}

pub(super) fn family(setting: Setting<'_>) -> Result<Vec<FamilyPattern>, Vec<LabelError>> {
    const HINT: &str = "write family=c7a, family=c7a+m7, family=c7a.* or family=c7a.large";
    let value = given(setting, HINT).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut families = Vec::new();
    for word in value.split(&['+']) {
        match FamilyPattern::new(word.text) {
            Ok(family) => families.push(family),
            Err(InvalidFamily { text }) => {
                let problem = format!("{text:?} is not a family of instance types");
                errors.push(mistake(word, problem, HINT));
            }
        }
    }
    if errors.is_empty() {
        Ok(families)
    } else {
        Err(errors)
    }
}

/// `image=` or `ami=`. What begins as an AMI's id is one.
pub(super) fn image(setting: Setting<'_>) -> Result<ImageChoice, LabelError> {
    const HINT: &str = "write image= and one configured name, or ami=ami-0123456789abcdef0";
    let value = given(setting, HINT)?;
    if value.text.contains('+') {
        let problem = format!("{:?} is a list, and a job has one image", value.text);
        return Err(mistake(value, problem, HINT));
    }
    let folded = value.text.to_ascii_lowercase();
    if folded.starts_with(ImageId::PREFIX) {
        let id = folded.parse().map(ImageChoice::Ami);
        id.map_err(|_| not(value, "an AMI's id", HINT))
    } else {
        name_in(value, HINT).map(ImageChoice::Named)
    }
}

pub(super) fn name(setting: Setting<'_>, hint: &str) -> Result<Name, LabelError> {
    name_in(given(setting, hint)?, hint)
}

fn name_in(value: Word<'_>, hint: &str) -> Result<Name, LabelError> {
    value.text.parse().map_err(|_| not(value, "a name", hint))
}

pub(super) fn private(setting: Setting<'_>) -> Result<bool, LabelError> {
    let hint = "write private=true or private=false";
    choice(setting, &BOOLEAN, hint).map(|found| found.unwrap_or(true))
}

pub(super) fn region(setting: Setting<'_>) -> Result<Region, LabelError> {
    const HINT: &str = "write one region, as region=eu-west-1";
    let value = given(setting, HINT)?;
    let folded = value.text.to_ascii_lowercase();
    if is_region(&folded) {
        Ok(Region::new(folded))
    } else {
        Err(not(value, "a region", HINT))
    }
}

/// Words of letters with a number at the end, as `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match text.rsplit_once('-') {
        Some((words, number)) => {
            words.contains('-') && words.split('-').all(is_word) && is_digits(number)
        }
        None => false,
    }
}

/// `tag=team:shop+purpose:build`; without a value it is empty.
pub(super) fn tags(setting: Setting<'_>) -> Result<BTreeMap<String, String>, Vec<LabelError>> {
    const HINT: &str = "write a key and a value, as tag=team:shop, or several, \
                        as tag=team:shop+purpose:build";
    let value = given(setting, HINT).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut tags = BTreeMap::new();
    for word in value.split(&['+']) {
        let (key, value) = word.text.split_once(':').unwrap_or((word.text, ""));
        if is_tag(key, value) {
            tags.insert(key.to_owned(), value.to_owned());
        } else {
            errors.push(not(word, "a tag that EC2 takes", HINT));
        }
    }
    if errors.is_empty() {
        Ok(tags)
    } else {
        Err(errors)
    }
}

/// The lengths and characters are EC2's; a label cannot hold its `+`, `/` and `,`.
fn is_tag(key: &str, value: &str) -> bool {
    let known =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '=' | '.' | '_' | ':' | '@');
    !key.is_empty()
        && key.chars().count() <= 128
        && value.chars().count() <= 256
        && key.chars().chain(value.chars()).all(known)
}

/// A list means everything from its least number to its greatest.
pub(super) fn range(setting: Setting<'_>, quantity: Quantity) -> Result<Range, LabelError> {
    let Quantity { key, most, .. } = quantity;
    let hint = format!(
        "write a whole number from 1 to {most}, as {key}=4, or the least and the most, as {key}=4+16"
    );
    let value = given(setting, &hint)?;
    let mut range: Option<Range> = None;
    for word in value.split(&['+']) {
        let number = quantity.number(word, &hint)?;
        let (min, max) = range.map_or((number, number), |range| (range.min, range.max));
        range = Some(Range {
            min: min.min(number),
            max: max.max(number),
        });
    }
    range.ok_or_else(|| empty(setting, &hint))
}

/// The meaning of a word from a table; `None` for a bare key.
fn choice<T: Copy>(
    setting: Setting<'_>,
    table: &'static [(&'static str, T)],
    hint: &str,
) -> Result<Option<T>, LabelError> {
    if setting.value.is_none() {
        return Ok(None);
    }
    let value = given(setting, hint)?;
    let found = table
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(value.text));
    match found {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let near = nearest(value.text, table.iter().map(|(word, _)| *word));
            let problem = format!("{:?} is no value of {}", value.text, setting.key.text);
            Err(mistake(value, problem, did_you_mean(near, hint)))
        }
    }
}

/// A hint that begins with the nearest word, where there is one.
pub(super) fn did_you_mean(near: Option<&str>, hint: &str) -> String {
    match near {
        Some(word) => format!("did you mean {word:?}? {hint}"),
        None => hint.to_owned(),
    }
}

fn not(word: Word<'_>, wanted: &str, hint: &str) -> LabelError {
    mistake(word, format!("{:?} is not {wanted}", word.text), hint)
}

/// The value of a key that cannot do without.
pub(super) fn given<'a>(setting: Setting<'a>, hint: &str) -> Result<Word<'a>, LabelError> {
    match setting.value {
        Some(value) if !value.text.is_empty() => Ok(value),
        Some(_) | None => Err(empty(setting, hint)),
    }
}

fn empty(setting: Setting<'_>, hint: &str) -> LabelError {
    let problem = format!("{} has no value", setting.key.text);
    mistake(setting.key, problem, hint)
}
