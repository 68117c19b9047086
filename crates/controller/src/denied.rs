//! What the App lacks the permission for is left for a while, and told once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_model::reason::{Refusal, RefusalKind};

/// After so long it is tried again: somebody may have granted the permission.
const LEFT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A permission that may be missing.
#[derive(Debug, Default)]
pub(crate) struct Denied(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    until: Option<(Timestamp, Refusal)>,
    is_told: bool,
}

impl Denied {
    /// GitHub's no, while it need not be asked again.
    pub(crate) fn at(&self, now: Timestamp) -> Option<Refusal> {
        let state = self.lock();
        let denied = state.until.as_ref().filter(|(until, _)| now < *until);
        denied.map(|(_, refusal)| refusal.clone())
    }

    /// GitHub said no. Whether that is to be told: it is one for lack of a permission, and the first.
    pub(crate) fn note(&self, refusal: &Refusal, now: Timestamp) -> bool {
        if refusal.kind != RefusalKind::MissingPermission {
            return false;
        }
        let mut state = self.lock();
        state.until = Some((after(now, LEFT_FOR), refusal.clone()));
        !std::mem::replace(&mut state.is_told, true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: RefusalKind) -> Refusal {
        Refusal {
            kind,
            message: "Resource not accessible by integration".to_owned(),
        }
    }

    #[test]
    fn a_missing_permission_is_told_once_and_not_asked_for_again_for_an_hour() {
        let denied = Denied::default();
        let refusal = refusal(RefusalKind::MissingPermission);
        assert!(denied.note(&refusal, at(0)));
        assert!(!denied.note(&refusal, at(1)));
        assert_eq!(denied.at(at(3_600)), Some(refusal));
        assert_eq!(denied.at(at(3_601)), None);
    }

    #[test]
    fn another_no_is_of_its_own_case_alone() {
        let denied = Denied::default();
        assert!(!denied.note(&refusal(RefusalKind::NotFound), at(0)));
        assert_eq!(denied.at(at(1)), None);
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
    }
}
