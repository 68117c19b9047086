//! TerminateInstances for many ids, split where EC2 rejects some of them.
//!
//! EC2 ends none of a call's instances when it rejects one, and names those that it rejects. Ids
//! that it does not know are ended as far as anybody can tell; an instance that it refuses to end
//! (termination protection) fails alone; the rest is asked for again.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::operation::terminate_instances::TerminateInstancesError;
use reprise_model::ids::InstanceId;

use super::Scope;
use super::once::no_repeat_of_throttles;
use crate::error::{CallError, Ec2Error, FailureKind};

/// How often a batch is repeated without the ids that were named. EC2 names all unknown ids at
/// once but protected ones singly; what is left after this fails with the last error, and its
/// callers come again.
const SPLITS: usize = 16;

/// The codes that mean "there is no such instance".
const GONE: [&str; 2] = ["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"];

type Answers = BTreeMap<InstanceId, Result<(), Ec2Error>>;

/// Ends what can be ended and answers for each id.
pub(super) async fn terminate(scope: Scope, ids: Vec<InstanceId>) -> Answers {
    let mut left: BTreeSet<_> = ids.into_iter().collect();
    let mut answers = Answers::new();
    for round in 0..=SPLITS {
        let Err(error) = call(&scope, &left).await else {
            answers.extend(left.into_iter().map(|id| (id, Ok(()))));
            return answers;
        };
        let settled = settled_by(&error, &left, round < SPLITS);
        left.retain(|id| !settled.contains_key(id));
        answers.extend(settled);
        if left.is_empty() {
            break;
        }
    }
    answers
}

async fn call(scope: &Scope, ids: &BTreeSet<InstanceId>) -> Result<(), CallError> {
    let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
    let request = scope.client.terminate_instances();
    let request = request.set_instance_ids(Some(ids)).customize();
    let config = no_repeat_of_throttles::<TerminateInstancesError>();
    match request.config_override(config).send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(CallError::from_sdk(
            format!("terminate instances in {}", scope.region),
            &error,
        )),
    }
}

/// The answers that a failed call gives: for the ids that it names, or for all if it names none
/// or the batch must not be split again.
fn settled_by(error: &CallError, ids: &BTreeSet<InstanceId>, may_split: bool) -> Answers {
    let code = error.code.as_deref();
    let gone = code.is_some_and(|code| GONE.contains(&code));
    let named = match error.kind {
        FailureKind::Refused => named_in(&error.detail, ids),
        // A call that may pass as it is needs no splitting.
        FailureKind::Throttled | FailureKind::Unclear => BTreeSet::new(),
    };
    let failed = || Err(error.clone().into());
    let answer = |id: &InstanceId| match named.contains(id) {
        true if gone => Ok(()),
        true | false => failed(),
    };
    let split = may_split && !named.is_empty();
    ids.iter()
        .filter(|id| !split || named.contains(*id))
        .map(|id| (id.clone(), answer(id)))
        .collect()
}

/// The ids of the batch that a message names, as `The instance IDs 'i-a, i-b' do not exist`.
fn named_in(message: &str, ids: &BTreeSet<InstanceId>) -> BTreeSet<InstanceId> {
    message
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter_map(|word| word.parse().ok())
        .filter(|id| ids.contains(id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "i-0000000000000001a";
    const TWO: &str = "i-0000000000000002b";
    const THREE: &str = "i-0000000000000003c";

    fn ids(texts: &[&str]) -> BTreeSet<InstanceId> {
        texts.iter().map(|text| id(text)).collect()
    }

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an instance id")
    }

    fn error(code: &str, message: &str) -> CallError {
        CallError::of_entry("terminate instances", code, Some(message), true)
    }

    #[test]
    fn the_ids_that_ec2_does_not_know_count_as_ended_and_the_rest_is_left_to_repeat() {
        let error = error(
            "InvalidInstanceID.NotFound",
            "The instance IDs 'i-0000000000000001a, i-0000000000000003c' do not exist",
        );
        let settled = settled_by(&error, &ids(&[ONE, TWO, THREE]), true);
        assert_eq!(
            settled,
            BTreeMap::from([(id(ONE), Ok(())), (id(THREE), Ok(()))])
        );
    }

    #[test]
    fn a_single_unknown_id_is_read_from_the_singular_message() {
        let error = error(
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-0000000000000002b' does not exist",
        );
        let settled = settled_by(&error, &ids(&[ONE, TWO]), true);
        assert_eq!(settled, BTreeMap::from([(id(TWO), Ok(()))]));
    }

    #[test]
    fn a_malformed_id_is_read_from_its_message() {
        let error = error(
            "InvalidInstanceID.Malformed",
            "Invalid id: \"i-0000000000000002b\"",
        );
        let settled = settled_by(&error, &ids(&[ONE, TWO]), true);
        assert_eq!(settled, BTreeMap::from([(id(TWO), Ok(()))]));
    }

    #[test]
    fn a_short_id_is_not_found_within_a_long_one() {
        let message = "The instance ID 'i-0123456789abcdef0' does not exist";
        assert_eq!(named_in(message, &ids(&["i-01234567"])), BTreeSet::new());
    }

    #[test]
    fn a_protected_instance_fails_alone() {
        let error = error(
            "OperationNotPermitted",
            "The instance 'i-0000000000000001a' may not be terminated. Modify its \
             'disableApiTermination' instance attribute and try again.",
        );
        let settled = settled_by(&error, &ids(&[ONE, TWO]), true);
        assert_eq!(settled, BTreeMap::from([(id(ONE), Err(error.into()))]));
    }

    #[test]
    fn an_error_that_names_none_of_the_ids_fails_them_all() {
        for (code, message) in [
            ("UnauthorizedOperation", "You are not authorized"),
            (
                "InvalidInstanceID.NotFound",
                "The instance ID does not exist",
            ),
            ("RequestLimitExceeded", "Request limit exceeded."),
        ] {
            let error = error(code, message);
            let settled = settled_by(&error, &ids(&[ONE, TWO]), true);
            let failed = Err(Ec2Error::from(error));
            assert_eq!(
                settled,
                BTreeMap::from([(id(ONE), failed.clone()), (id(TWO), failed)]),
                "{code}"
            );
        }
    }

    #[test]
    fn a_batch_that_was_split_often_enough_fails_but_for_what_is_gone() {
        let error = error(
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-0000000000000002b' does not exist",
        );
        let settled = settled_by(&error, &ids(&[ONE, TWO]), false);
        assert_eq!(
            settled,
            BTreeMap::from([(id(ONE), Err(error.into())), (id(TWO), Ok(()))])
        );
    }
}
