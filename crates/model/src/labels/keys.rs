//! The keys that a label may have, and the nearest word to one that is none.

/// A key that Reprise acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Says that a job is ours.
    RunsOn,
    /// Says whether it is re-run.
    Retry,
    /// Says whose it is, where several installations hear of it.
    Env,
    /// Says which machine stands for the rest.
    Runner,
    /// Says a part of the machine.
    Machine(Part),
}

/// A part of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Cpu,
    Ram,
    Family,
    Image,
    Volume,
    Spot,
    Region,
    Private,
    Tag,
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
const KEYS: [(&str, Meaning); 22] = [
    ("runs-on", Meaning::Honoured(Key::RunsOn)),
    ("runner", Meaning::Honoured(Key::Runner)),
    ("cpu", part(Part::Cpu)),
    ("ram", part(Part::Ram)),
    ("family", part(Part::Family)),
    ("image", part(Part::Image)),
    ("ami", part(Part::Image)),
    ("volume", part(Part::Volume)),
    ("spot", part(Part::Spot)),
    ("retry", Meaning::Honoured(Key::Retry)),
    ("env", Meaning::Honoured(Key::Env)),
    ("region", part(Part::Region)),
    ("private", part(Part::Private)),
    ("tag", part(Part::Tag)),
    ("disk", DISK),
    ("hdd", DISK),
    ("ssh", Meaning::Ignored),
    ("debug", Meaning::Ignored),
    ("extras", Meaning::Ignored),
    ("pool", Meaning::Ignored),
    ("preinstall", Meaning::Ignored),
    ("run-id", Meaning::Ignored),
];

const DISK: Meaning = Meaning::Unsupported {
    instead: "say how large the disk is, as volume=80gb",
};

const fn part(part: Part) -> Meaning {
    Meaning::Honoured(Key::Machine(part))
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
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
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
