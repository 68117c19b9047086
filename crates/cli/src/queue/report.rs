//! What became of each message, told as it happens, and the sum at the end.
//!
//! Messages are not left half done because nobody reads on: a line that cannot be written is
//! remembered, and the work goes on.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;

use super::Name;
use crate::output::{harmless, say};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It lies in the queue that it came from, and here no more.
    Sent,
    /// It would be sent back.
    WouldSend,
    /// It was left alone, as nothing would come of it.
    Kept,
    /// Something went wrong with it.
    Failed,
    /// It is not there.
    NotFound,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent back",
            Self::WouldSend => "would be sent back",
            Self::Kept => "left here",
            Self::Failed => "failed",
            Self::NotFound => "not found",
        }
    }

    /// Whether the message is where it was wanted.
    fn is_good(self) -> bool {
        match self {
            Self::Sent | Self::WouldSend => true,
            Self::Kept | Self::Failed | Self::NotFound => false,
        }
    }
}

/// What was told so far.
#[derive(Debug)]
pub(super) struct Report {
    tally: BTreeMap<Fate, usize>,
    written: Result<()>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            tally: BTreeMap::new(),
            written: Ok(()),
        }
    }
}

impl Report {
    pub(super) fn tell(&mut self, fate: Fate, id: &str, queue: Option<Name>, words: &str) {
        *self.tally.entry(fate).or_default() += 1;
        self.write(&line(fate, id, queue, words));
    }

    /// The sum, as `2 sent back, 1 left here`.
    pub(super) fn total(&mut self) {
        self.write(&sum(&self.tally));
    }

    /// The sum before an error, which says nothing where nothing was done.
    pub(super) fn total_so_far(&mut self) {
        if let Some(sum) = sum_so_far(&self.tally) {
            self.write(&sum);
        }
    }

    /// Good only if every message is where it was wanted.
    pub(super) fn exit_code(self) -> Result<ExitCode> {
        self.written?;
        let good = self.tally.keys().all(|fate| fate.is_good());
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn write(&mut self, text: &str) {
        if self.written.is_ok() {
            self.written = say(text);
        }
    }
}

fn line(fate: Fate, id: &str, queue: Option<Name>, words: &str) -> String {
    let place = queue.map_or_else(String::new, |queue| format!("  {}", queue.as_str()));
    harmless(&format!("{:9}  {id}{place}  {words}", fate.as_str()))
}

fn sum(tally: &BTreeMap<Fate, usize>) -> String {
    sum_so_far(tally).unwrap_or_else(|| "nothing to send back".to_owned())
}

fn sum_so_far(tally: &BTreeMap<Fate, usize>) -> Option<String> {
    let parts: Vec<String> = tally
        .iter()
        .map(|(fate, count)| format!("{count} {}", fate.as_str()))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_became_of_which_message_and_obeys_no_stranger() {
        assert_eq!(
            line(Fate::Sent, "m-1", Some(Name::Webhooks), "push \u{7}"),
            "sent back  m-1  webhooks  push \\u{7}"
        );
        assert_eq!(
            line(Fate::NotFound, "m-2", None, "no such dead letter"),
            "not found  m-2  no such dead letter"
        );
    }

    #[test]
    fn the_sum_names_only_what_happened() {
        let tally = BTreeMap::from([(Fate::Kept, 1), (Fate::Sent, 2)]);
        assert_eq!(sum(&tally), "2 sent back, 1 left here");
        assert_eq!(sum(&BTreeMap::new()), "nothing to send back");
        // An error that follows tells why; that there were none is not known then.
        assert_eq!(sum_so_far(&BTreeMap::new()), None);
    }
}
