//! How long the mark of a target stays on it.

use jiff::SignedDuration;
use reprise_model::instance::InstanceSight;

use super::DRILL_TAG;

/// What the mark says for as long as the machine is a target (`terraform/modules/drill`).
pub const MARKED: &str = "true";

/// What takes its place: a later drill must not find the machine again.
pub const OVER: &str = "over";

/// How long the mark stays at most when the watching has ended, where it is not known that the experiment is over.
/// Its targets are looked for when it begins, within seconds.
pub const MARK_STAYS: SignedDuration = SignedDuration::from_secs(30);

/// How long a mark may take until it shows: EC2's tags are eventually consistent, mostly by less than a second
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
pub const MARK_SHOWS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// How far an experiment is that knows its target by the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It was not begun.
    No,
    /// It was asked for, and no answer came.
    Perhaps,
    /// It is under way, and may yet look for the mark.
    UnderWay,
    /// It is over, to whatever end.
    Over,
}

/// Whether an experiment may still look for the mark: without it, it would interrupt nothing.
pub fn needs_mark(begun: Begun) -> bool {
    match begun {
        Begun::No | Begun::Over => false,
        Begun::Perhaps | Begun::UnderWay => true,
    }
}

/// Whether EC2 shows the mark: before, an experiment would find no target.
pub fn shows_mark(sight: &InstanceSight) -> bool {
    match sight {
        InstanceSight::Seen(view) => view.tags.get(DRILL_TAG).map(String::as_str) == Some(MARKED),
        InstanceSight::Absent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::view;

    #[test]
    fn a_mark_is_needed_while_an_experiment_may_look_for_it() {
        assert!(!needs_mark(Begun::No));
        assert!(needs_mark(Begun::Perhaps));
        assert!(needs_mark(Begun::UnderWay));
        assert!(!needs_mark(Begun::Over));
    }

    #[test]
    fn a_mark_shows_when_ec2_tells_of_it_and_not_when_it_is_over() {
        let tagged = |value: Option<&str>| {
            let mut view = view();
            let tag = value.map(|value| (DRILL_TAG.to_owned(), value.to_owned()));
            view.tags.extend(tag);
            shows_mark(&InstanceSight::Seen(view))
        };
        assert!(tagged(Some(MARKED)));
        assert!(!tagged(Some(OVER)));
        assert!(!tagged(None));
        assert!(!shows_mark(&InstanceSight::Absent));
    }
}
