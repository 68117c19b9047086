//! Labels that are not ours, and look as if they were meant to be.
//!
//! A workflow has labels of many fleets, and to speak of those that mean nothing to us would be
//! noise. So only two things count: a key that is almost `runs-on`, and settings that choose one of
//! our machines while no label says that one is wanted.

use reprise_model::labels;

use crate::value::{Text, Unknowns};
use crate::wanted::Wanted;

/// The keys that choose a machine of ours. Other keys of ours (`env`, `region`, `tag`) are words
/// that anybody may use.
const MACHINE: [&str; 8] = [
    "cpu", "ram", "family", "spot", "retry", "image", "runner", "volume",
];

/// What was found, and which label it is.
pub(crate) struct NearMiss<'a> {
    pub(crate) label: &'a Text,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// Looks at labels that are not ours.
pub(crate) fn of<'a>(wanted: &'a Wanted, unknowns: &Unknowns) -> Option<NearMiss<'a>> {
    wanted.labels.iter().find_map(|label| {
        let text = &label.string;
        let (message, hint) = misspelt(text).or_else(|| unannounced(text))?;
        Some(NearMiss {
            label,
            message,
            hint: unknowns.shown(&hint),
        })
    })
}

fn misspelt(label: &str) -> Option<(String, String)> {
    let first = label.split(['/', ',']).next()?.trim();
    let end = first.find(['=', ':']).unwrap_or(first.len());
    let key = first[..end].trim();
    let letters = key.chars().filter(|letter| letter.is_alphanumeric());
    let letters: String = letters.collect::<String>().to_lowercase();
    let has_more = end < label.trim().len();
    let is_near = letters == "runson"
        || letters == "runon"
        || (has_more && labels::nearest(key, ["runs-on"].into_iter()).is_some());
    is_near.then(|| {
        let rest = label.trim_start()[end..].trim_start_matches([':', '=', ' ']);
        let right = if rest.is_empty() || rest.starts_with(['/', ',']) {
            format!("runs-on=${{{{ github.run_id }}}}{rest}")
        } else {
            format!("runs-on={rest}")
        };
        (
            format!("{key:?} is almost our label runs-on, and gets no machine of ours"),
            format!("did you mean {right}?"),
        )
    })
}

fn unannounced(label: &str) -> Option<(String, String)> {
    let setting = label
        .split(['/', ','])
        .find(|setting| is_of_ours(setting))?;
    let key = setting.split('=').next().unwrap_or(setting).trim();
    Some((
        format!("{key}= is a setting of our labels, and no label begins with runs-on"),
        format!(
            "begin a label with runs-on, as runs-on=${{{{ github.run_id }}}}/{}",
            setting.trim()
        ),
    ))
}

/// `KEY=VALUE` that chooses a machine of ours and could stand beside a label of ours.
fn is_of_ours(setting: &str) -> bool {
    let Some((key, _)) = setting.split_once('=') else {
        return false;
    };
    let key = key.trim().to_lowercase();
    MACHINE.contains(&key.as_str())
        && labels::parse(&["runs-on=1".to_owned(), setting.trim().to_owned()]).is_ok()
}
