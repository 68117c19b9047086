//! What is right and wrong with a set-up, from what was read of it: the judgements of `reprise doctor`.
//!
//! Each finding is one line: it is so, or what to do. What cannot be told now says how it could be, and is no
//! fault by itself: a fleet at rest has no instance that could be asked about.

mod app;
mod caller;
mod queue;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use app::{Grant, Hook, Needs, app, deliveries, hook, installation, repositories};
pub use caller::caller;
pub use queue::{Dead, Queue, Rule, dead_letters, queue, rules};

/// How far this machine's clock may be off: replicas judge a lease of 20 s by theirs, and sweep in turn.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(10);

/// How old the image of a runner may be: GitHub gives runners no jobs any more that are 30 days behind
/// (<https://docs.github.com/en/actions/reference/runners/self-hosted-runners>).
const IMAGE_AGE: SignedDuration = SignedDuration::from_hours(20 * 24);

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it is to be.
    Ok,
    /// It cannot be told now.
    Unknown,
    /// Something is to be done.
    Wrong,
}

impl Health {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    /// What, in a word or two.
    pub check: &'static str,
    /// How it stands.
    pub health: Health,
    /// What was seen.
    pub says: String,
    /// What to do, where something is.
    pub advice: Option<String>,
}

impl Finding {
    /// It is as it is to be.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self {
            check,
            health: Health::Ok,
            says: says.into(),
            advice: None,
        }
    }

    /// It is not.
    pub fn wrong(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            health: Health::Wrong,
            says: says.into(),
            advice: Some(advice.into()),
        }
    }

    /// It cannot be told now.
    pub fn unknown(
        check: &'static str,
        says: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            health: Health::Unknown,
            ..Self::wrong(check, says, advice)
        }
    }

    /// It was not looked at, since something else must be mended first, of which another finding tells.
    pub fn not_checked(check: &'static str, why: &str) -> Self {
        Self {
            check,
            health: Health::Unknown,
            says: format!("not checked: {why}"),
            advice: None,
        }
    }
}

/// Whether everything that could be told is as it is to be.
pub fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|one| one.health != Health::Wrong)
}

/// This machine's clock beside GitHub's, whose answers tell whole seconds.
pub fn clock(here: Timestamp, at_github: Option<Timestamp>) -> Finding {
    const CHECK: &str = "clock";
    let Some(there) = at_github else {
        let advice = "look at this machine's clock by hand (`timedatectl`)";
        return Finding::unknown(CHECK, "GitHub's answer tells no time", advice);
    };
    let off = here.duration_since(there);
    if off.abs() <= CLOCK_OFF {
        return Finding::ok(
            CHECK,
            format!("within {} s of GitHub's", CLOCK_OFF.as_secs()),
        );
    }
    let way = if off.is_positive() {
        "ahead of"
    } else {
        "behind"
    };
    Finding::wrong(
        CHECK,
        format!("{} s {way} GitHub's", off.abs().as_secs()),
        "set the clock, by NTP; AWS and GitHub refuse signatures that are minutes off, and replicas take turns by it",
    )
}

/// The images that instances of the stack run from: how many there are, and when the oldest was made.
pub fn images(count: usize, oldest: Option<Timestamp>, now: Timestamp) -> Finding {
    const CHECK: &str = "runner images";
    let Some(oldest) = oldest.filter(|_| count > 0) else {
        let advice = "run a job, and ask again while its machine is there";
        return Finding::unknown(CHECK, "no instance of the stack shows its image", advice);
    };
    let age = now.duration_since(oldest);
    let days = age.as_hours() / 24;
    if age <= IMAGE_AGE {
        return Finding::ok(CHECK, format!("the oldest in use is {days} d old"));
    }
    Finding::wrong(
        CHECK,
        format!("the oldest in use is {days} d old"),
        "build a new one: GitHub gives no jobs to runners that are 30 days behind, unless they update themselves",
    )
}
