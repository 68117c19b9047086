//! The keys that a label may have, and the nearest word to one that is none.

/// A key that Reprise acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    RunsOn,
    Spot,
    Retry,
    Family,
    Cpu,
    Ram,
    Image,
}

/// What a key is to Reprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Acted on.
    Honoured(Key),
    /// Known from other fleets and chooses the machine: to ignore it would launch the wrong one.
    Unsupported {
        /// What to write instead.
        instead: &'static str,
    },
    /// Known from other fleets and changes nothing about which machine it is: a workflow that
    /// comes from there goes on working.
    Ignored,
}

/// All keys. The honoured ones stand first, in the order in which errors list them.
const KEYS: [(&str, Meaning); 21] = [
    ("runs-on", Meaning::Honoured(Key::RunsOn)),
    ("spot", Meaning::Honoured(Key::Spot)),
    ("retry", Meaning::Honoured(Key::Retry)),
    ("family", Meaning::Honoured(Key::Family)),
    ("cpu", Meaning::Honoured(Key::Cpu)),
    ("ram", Meaning::Honoured(Key::Ram)),
    ("image", Meaning::Honoured(Key::Image)),
    ("runner", unsupported("choose with cpu=, ram= and family=")),
    ("ami", unsupported("use image= with a configured name")),
    ("volume", unsupported(DISK)),
    ("disk", unsupported(DISK)),
    ("hdd", unsupported(DISK)),
    (
        "region",
        unsupported("the region is set in the configuration; leave the key out"),
    ),
    ("env", Meaning::Ignored),
    ("private", Meaning::Ignored),
    ("ssh", Meaning::Ignored),
    ("debug", Meaning::Ignored),
    ("extras", Meaning::Ignored),
    ("pool", Meaning::Ignored),
    ("tag", Meaning::Ignored),
    ("preinstall", Meaning::Ignored),
];

const DISK: &str = "the disk is set in the launch template; use image= with a configured name";

const fn unsupported(instead: &'static str) -> Meaning {
    Meaning::Unsupported { instead }
}

/// What a key means, in any case; `None` for a word that is no key.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    KEYS.iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, meaning)| *meaning)
}

/// The keys that are acted on, as a list for people.
pub(super) fn honoured() -> String {
    let names: Vec<&str> = KEYS
        .iter()
        .filter(|(_, meaning)| matches!(meaning, Meaning::Honoured(_)))
        .map(|(name, _)| *name)
        .collect();
    names.join(", ")
}

/// The key that is likely meant.
pub(super) fn nearest_key(word: &str) -> Option<&'static str> {
    let valid = KEYS
        .iter()
        .filter(|(_, meaning)| !matches!(meaning, Meaning::Unsupported { .. }));
    nearest(word, valid.map(|(name, _)| *name))
}

/// The candidate that differs least, where it differs in a third of the characters at most.
pub(super) fn nearest(
    word: &str,
    candidates: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    /// No word of ours is half as long, and the comparison takes time by length.
    const LONGEST: usize = 40;
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase();
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= length / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
