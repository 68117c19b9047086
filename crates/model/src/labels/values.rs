//! What may stand behind each key.

use super::keys::nearest;
use super::word::{Setting, Word};
use super::{FamilyPattern, InvalidFamily, LabelError, Range, SpotChoice};
use crate::policy::RetryPolicy;

/// Every `spot=` value. How EC2 is to choose among spot pools is Reprise's own affair, so each
/// strategy means no more than `true`.
const SPOT: [(&str, SpotChoice); 11] = [
    ("true", SpotChoice::On),
    ("false", SpotChoice::Off),
    ("never", SpotChoice::Off),
    ("pco", SpotChoice::On),
    ("price-capacity-optimized", SpotChoice::On),
    ("co", SpotChoice::On),
    ("capacity-optimized", SpotChoice::On),
    ("lp", SpotChoice::On),
    ("lowest-price", SpotChoice::On),
    ("cop", SpotChoice::On),
    ("capacity-optimized-prioritized", SpotChoice::On),
];

/// Every `retry=` value; `true` is what the bare key means.
const RETRY: [(&str, RetryPolicy); 4] = [
    ("when-interrupted", RetryPolicy::WhenInterrupted),
    ("true", RetryPolicy::WhenInterrupted),
    ("false", RetryPolicy::Never),
    ("0", RetryPolicy::Never),
];

/// A number that a range may be made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantity {
    key: &'static str,
    unit: &'static str,
    most: u32,
}

/// `cpu=`. The most is twice what EC2's largest instance has (1,920 vCPUs).
pub(super) const CPU: Quantity = Quantity {
    key: "cpu",
    unit: "vCPUs",
    most: 4096,
};

/// `ram=`. The most is twice what EC2's largest instance has (32 TiB).
pub(super) const RAM: Quantity = Quantity {
    key: "ram",
    unit: "GiB",
    most: 65_536,
};

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
    choice(setting, &SPOT, hint).map(|found| found.unwrap_or(SpotChoice::On))
}

pub(super) fn retry(setting: Setting<'_>) -> Result<RetryPolicy, LabelError> {
    let hint = "write retry=when-interrupted or retry=false";
    choice(setting, &RETRY, hint).map(|found| found.unwrap_or(RetryPolicy::WhenInterrupted))
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

pub(super) fn image(setting: Setting<'_>) -> Result<String, LabelError> {
    const HINT: &str = "write image= and one configured name";
    let value = given(setting, HINT)?;
    if value.text.contains('+') {
        let problem = format!("{:?} is a list, and a job has one image", value.text);
        return Err(mistake(value, problem, HINT));
    }
    Ok(value.text.to_owned())
}

pub(super) fn range(setting: Setting<'_>, quantity: Quantity) -> Result<Range, LabelError> {
    let Quantity { key, unit, most } = quantity;
    let hint = format!("write a whole number from 1 to {most}, as {key}=4, or two, as {key}=4+16");
    let value = given(setting, &hint)?;
    let numbers = value
        .split(&['+'])
        .map(|word| number(word, quantity, &hint))
        .collect::<Result<Vec<u32>, LabelError>>()?;
    match *numbers {
        [only] => Ok(Range {
            min: only,
            max: only,
        }),
        [min, max] if min <= max => Ok(Range { min, max }),
        [min, max] => Err(mistake(
            value,
            format!("the least, {min} {unit}, is more than the most, {max}"),
            format!("write the least first, as {key}={max}+{min}"),
        )),
        [..] => Err(mistake(
            value,
            format!("{:?} has more than two numbers", value.text),
            hint,
        )),
    }
}

fn number(word: Word<'_>, quantity: Quantity, hint: &str) -> Result<u32, LabelError> {
    let Quantity { unit, most, .. } = quantity;
    let digits = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let problem = match word.text.parse() {
        Ok(number) if digits && (1..=most).contains(&number) => return Ok(number),
        Ok(0) => format!("no machine has 0 {unit}"),
        // Digits that do not parse are too many for the type.
        Ok(_) | Err(_) if digits => format!("no machine has {} {unit}", word.text),
        Ok(_) | Err(_) => format!("{:?} is not a whole number of {unit}", word.text),
    };
    Err(mistake(word, problem, hint))
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

/// The value of a key that cannot do without.
fn given<'a>(setting: Setting<'a>, hint: &str) -> Result<Word<'a>, LabelError> {
    match setting.value {
        Some(value) if !value.text.is_empty() => Ok(value),
        Some(_) | None => Err(empty(setting, hint)),
    }
}

fn empty(setting: Setting<'_>, hint: &str) -> LabelError {
    let problem = format!("{} has no value", setting.key.text);
    mistake(setting.key, problem, hint)
}
