//! Pieces of a label that know where they stand.

/// A piece of a label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    label: &'a str,
    /// The piece itself, without white space around it.
    pub(super) text: &'a str,
    /// Where the piece begins: bytes from 0.
    at: usize,
}

/// One setting: `KEY` or `KEY=VALUE`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// All of it.
    pub(super) whole: Word<'a>,
    /// What stands before the first `=`.
    pub(super) key: Word<'a>,
    /// What stands behind it; `None` without a `=`.
    pub(super) value: Option<Word<'a>>,
}

/// The settings of a label. Both separators are in use, also in one label; what is empty between
/// two of them says nothing.
pub(super) fn settings(label: &str) -> impl Iterator<Item = Setting<'_>> {
    Word::whole(label)
        .split(&['/', ','])
        .filter(|word| !word.text.is_empty())
        .map(Word::setting)
}

impl<'a> Word<'a> {
    fn whole(label: &'a str) -> Self {
        Self {
            label,
            text: label,
            at: 0,
        }
    }

    /// The label that it is a piece of.
    pub(super) fn label(self) -> &'a str {
        self.label
    }

    /// Where it begins, in characters from 1; what is empty at the very end is shown at the last
    /// character, so that a position always lies inside the label.
    pub(super) fn position(self) -> usize {
        let before = self
            .label
            .char_indices()
            .take_while(|(index, _)| *index < self.at)
            .count();
        (before + 1).min(self.label.chars().count().max(1))
    }

    /// The pieces between separators, each of which is one byte long.
    pub(super) fn split(self, separators: &'a [char]) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separators).map(move |text| {
            let word = Self { text, at, ..self };
            at += text.len() + 1;
            word.trimmed()
        })
    }

    /// Without what it ends with, in any case; `None` where it ends otherwise.
    pub(super) fn without_suffix(self, suffix: &str) -> Option<Self> {
        let at = self.text.len().checked_sub(suffix.len())?;
        let (text, end) = self.text.split_at_checked(at)?;
        end.eq_ignore_ascii_case(suffix)
            .then_some(Self { text, ..self })
    }

    /// A setting that is read by itself, whatever separators its value holds.
    pub(super) fn alone(setting: &'a str) -> Setting<'a> {
        Self::whole(setting).setting()
    }

    fn setting(self) -> Setting<'a> {
        let (key, value) = match self.text.split_once('=') {
            Some((key, value)) => (key, Some((value, key.len() + 1))),
            None => (self.text, None),
        };
        Setting {
            whole: self,
            key: Self { text: key, ..self }.trimmed(),
            value: value.map(|(text, offset)| {
                let at = self.at + offset;
                Self { text, at, ..self }.trimmed()
            }),
        }
    }

    fn trimmed(self) -> Self {
        let text = self.text.trim_start();
        Self {
            at: self.at + self.text.len() - text.len(),
            text: text.trim_end(),
            ..self
        }
    }
}
