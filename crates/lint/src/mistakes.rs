//! What the grammar has to say of labels of ours.

use reprise_model::labels::{self, JobLabels, LabelError, LabelPattern};
use reprise_model::tags::TagKeys;

use crate::finding::{Code, Place, ShownLabel};
use crate::value::{Text, Unknowns, is_unknown};
use crate::wanted::Wanted;

/// Something wrong with one label.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) label: ShownLabel,
}

/// All mistakes that are mistakes whatever the unknown parts come to.
pub(crate) fn of(wanted: &Wanted, unknowns: &Unknowns) -> Vec<Mistake> {
    match labels::parse(&wanted.readable()) {
        Ok(None) => Vec::new(),
        Ok(Some(read)) => of_the_readable(wanted, unknowns, &read),
        Err(errors) => {
            let known = errors.0.iter();
            known
                .filter_map(|error| mistake(wanted, unknowns, error))
                .collect()
        }
    }
}

/// What stands in labels that can be read, and is refused or changes nothing all the same.
fn of_the_readable(wanted: &Wanted, unknowns: &Unknowns, read: &JobLabels) -> Vec<Mistake> {
    let usual = TagKeys::default();
    let tags = read.machine.tags.keys().filter(|key| usual.reserves(key));
    let reserved = tags.filter_map(|key| {
        let what = About {
            code: Code::BadLabel,
            text: &format!("tag={key}"),
            message: format!(
                "tag={key} is reserved: its key begins as those of Reprise or of AWS do"
            ),
            hint: Some("write a key of your own"),
        };
        what.found_in(wanted, unknowns)
    });
    let foreign = read
        .others
        .iter()
        .filter(|label| !LabelPattern::is_plain(label) && !read.ignored.contains(label));
    let foreign = foreign.filter_map(|label| foreign_label(wanted, unknowns, label));
    let ignored = read.ignored.iter().filter_map(|setting| {
        let key = setting.split('=').next().unwrap_or(setting);
        let what = About {
            code: Code::NoEffect,
            text: setting,
            message: format!("{key} is a setting of other fleets and changes nothing here"),
            hint: None,
        };
        what.found_in(wanted, unknowns)
    });
    reserved.chain(foreign).chain(ignored).collect()
}

/// A whole label; what is known only when the workflow runs may be any.
fn foreign_label(wanted: &Wanted, unknowns: &Unknowns, text: &str) -> Option<Mistake> {
    let readable = wanted.readable();
    let mut places = readable.iter().zip(&wanted.labels);
    let (_, label) = places
        .find(|(readable, label)| *readable == text && !label.string.chars().any(is_unknown))?;
    Some(Mistake {
        code: Code::ForeignLabel,
        place: label.place(0),
        message: format!(
            "{text} is no label of Reprise, and its runners bear it only where limits.labels allows it"
        ),
        hint: Some("take it out, or ask who runs the controller to allow it".to_owned()),
        label: shown(label, unknowns, 0),
    })
}

/// What is to be said about a text in one of the labels.
struct About<'a> {
    code: Code,
    text: &'a str,
    message: String,
    hint: Option<&'static str>,
}

impl About<'_> {
    fn found_in(self, wanted: &Wanted, unknowns: &Unknowns) -> Option<Mistake> {
        let readable = wanted.readable();
        let mut places = readable.iter().zip(&wanted.labels);
        let (at, label) = places.find_map(|(readable, label)| {
            let bytes = readable.find(self.text)?;
            Some((readable[..bytes].chars().count(), label))
        })?;
        Some(Mistake {
            code: self.code,
            place: label.place(at),
            message: self.message,
            hint: self.hint.map(str::to_owned),
            label: shown(label, unknowns, at),
        })
    }
}

fn mistake(wanted: &Wanted, unknowns: &Unknowns, error: &LabelError) -> Option<Mistake> {
    let readable = wanted.readable();
    let index = readable
        .iter()
        .position(|label| *label == error.label)
        .or_else(|| {
            readable
                .iter()
                .position(|label| label.starts_with(&error.label))
        })?;
    let label = &wanted.labels[index];
    let at = error.position.saturating_sub(1);
    let setting = Setting::at(label, at);
    if setting.may_be_right(at) || (wanted.is_partly_unknown() && setting.is_right_in_company()) {
        return None;
    }
    Some(Mistake {
        code: Code::BadLabel,
        place: label.place(at),
        message: error.problem.clone(),
        hint: Some(error.hint.clone()),
        label: shown(label, unknowns, at),
    })
}

/// The setting of a label that a mistake is about.
struct Setting {
    key: Vec<char>,
    /// With its `=`.
    value: Vec<char>,
    begin: usize,
}

impl Setting {
    fn at(label: &Text, at: usize) -> Self {
        let letters: Vec<char> = label.string.chars().collect();
        let separates = |letter: &char| matches!(letter, '/' | ',');
        let before = &letters[..at.min(letters.len())];
        let begin = before
            .iter()
            .rposition(separates)
            .map_or(0, |index| index + 1);
        let rest = &letters[begin..];
        let whole = &rest[..rest.iter().position(separates).unwrap_or(rest.len())];
        let equals = whole.iter().position(|letter| *letter == '=');
        let (key, value) = whole.split_at(equals.unwrap_or(whole.len()));
        Self {
            key: key.to_vec(),
            value: value.to_vec(),
            begin,
        }
    }

    /// Whether a mistake at this place may be none once the unknown parts are known: it is in a key
    /// that has any, or in a value that has any.
    fn may_be_right(&self, at: usize) -> bool {
        let has_unknown = |part: &[char]| part.iter().any(|letter| is_unknown(*letter));
        let in_value = at >= self.begin + self.key.len() && !self.value.is_empty();
        has_unknown(&self.key) || (in_value && has_unknown(&self.value))
    }

    /// Whether it is only wrong by what the other settings say, or do not say.
    fn is_right_in_company(&self) -> bool {
        let setting: String = self.key.iter().chain(&self.value).collect();
        let company = "runs-on=1/family=c7a.large".to_owned();
        labels::parse(&[company, setting]).is_ok()
    }
}

/// The label as people read it, with the place moved along.
pub(crate) fn shown(label: &Text, unknowns: &Unknowns, at: usize) -> ShownLabel {
    let before: String = label.string.chars().take(at).collect();
    ShownLabel {
        text: unknowns.shown(&label.string),
        position: unknowns.shown(&before).chars().count() + 1,
    }
}

/// The settings whose values are unknown, with the place of each: all but the one that makes the
/// label unique.
pub(crate) fn unknown_settings(label: &Text) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    for setting in label.string.split(['/', ',']) {
        let key = setting.split('=').next().unwrap_or_default().trim();
        if setting.contains(is_unknown) && !key.eq_ignore_ascii_case("runs-on") {
            let blanks = setting.chars().take_while(|letter| letter.is_whitespace());
            found.push((at + blanks.count(), setting.trim().to_owned()));
        }
        at += setting.chars().count() + 1;
    }
    found
}
