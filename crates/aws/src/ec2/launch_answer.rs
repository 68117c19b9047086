//! What EC2's answer to CreateFleet means for the launch.
//!
//! An instant fleet answers 200 also when it launched nothing, with one error a pool, so that the
//! answer is judged over all pools:
//!
//! | no instance, and among the pools' errors | answer |
//! | --- | --- |
//! | a throttle or a fault of EC2's own | throttled: later |
//! | a quota, a permission, an invalid request | refused, with all of EC2's words |
//! | a shortage, alone or beside pools that cannot serve | no capacity |
//! | only pools that cannot serve | refused: neither time nor on-demand helps |
//!
//! An error of the whole call is an answer to that call alone. One that was throttled, or whose
//! client token EC2 knows with other parameters, says nothing of an earlier call under the token,
//! whose answer may be what was lost: both are unclear, and the token stays.

use std::collections::BTreeSet;

use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::types::{CreateFleetError as PoolError, InstanceLifecycle};
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use reprise_model::ledger::LaunchAnswer;

use crate::error::{CallError, FailureKind, code_and_words, kind_of};

/// Reads a 200. An instance counts, whatever errors stand beside it.
pub(super) fn read(output: &CreateFleetOutput, asked: Capacity) -> LaunchAnswer {
    match launched(output, asked) {
        Some((instance, capacity)) => LaunchAnswer::Launched { instance, capacity },
        None => nothing_launched(output),
    }
}

/// EC2 knows the client token with other parameters: an earlier call under it was taken, and the
/// configuration has changed since. Another token could launch a second instance for the same job,
/// so the claim keeps its own, until its tries are used up and these words are the last.
const TOKEN_TAKEN: &str = "IdempotentParameterMismatch";

/// Reads an error of the whole call.
pub(super) fn read_error(error: CallError) -> LaunchAnswer {
    if error.code.as_deref() == Some(TOKEN_TAKEN) {
        return LaunchAnswer::Unclear {
            message: error.detail,
        };
    }
    if let Some(code) = error
        .code
        .filter(|code| CAPACITY_CODES.contains(&code.as_str()))
    {
        return LaunchAnswer::NoCapacity { codes: vec![code] };
    }
    match error.kind {
        FailureKind::Refused => LaunchAnswer::Refused {
            message: error.detail,
        },
        FailureKind::Throttled | FailureKind::Unclear => LaunchAnswer::Unclear {
            message: error.detail,
        },
    }
}

fn launched(output: &CreateFleetOutput, asked: Capacity) -> Option<(InstanceId, Capacity)> {
    output.instances().iter().find_map(|group| {
        let id = group.instance_ids().first()?.parse().ok()?;
        let capacity = match group.lifecycle() {
            Some(InstanceLifecycle::Spot) => Capacity::Spot,
            Some(_) => Capacity::OnDemand,
            None => asked,
        };
        Some((id, capacity))
    })
}

/// One `No` outweighs everything but "later": an operator must see it. A shortage needs no more
/// than pools that cannot serve beside it.
fn nothing_launched(output: &CreateFleetOutput) -> LaunchAnswer {
    let verdicts: Vec<_> = output.errors().iter().map(pool_verdict).collect();
    if verdicts.contains(&PoolVerdict::Later) {
        LaunchAnswer::Throttled
    } else if verdicts.contains(&PoolVerdict::Short) && !verdicts.contains(&PoolVerdict::No) {
        LaunchAnswer::NoCapacity {
            codes: codes(output.errors()),
        }
    } else {
        LaunchAnswer::Refused {
            message: refusal(output),
        }
    }
}

fn codes(errors: &[PoolError]) -> Vec<String> {
    let codes: BTreeSet<_> = errors.iter().filter_map(PoolError::error_code).collect();
    codes.into_iter().map(str::to_owned).collect()
}

fn refusal(output: &CreateFleetOutput) -> String {
    let words: BTreeSet<_> = output
        .errors()
        .iter()
        .map(|error| code_and_words(error.error_code(), error.error_message()))
        .collect();
    if words.is_empty() {
        let fleet = output.fleet_id().unwrap_or("without an id");
        return format!("EC2 made fleet {fleet} with neither an instance nor an error");
    }
    words.into_iter().collect::<Vec<_>>().join("; ")
}

/// What one pool's error says about the launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PoolVerdict {
    /// EC2 has none of it now.
    Short,
    /// The pool cannot serve, for a reason that says nothing of the others.
    Unusable,
    /// EC2 did not get to it; later.
    Later,
    /// A quota, a permission or an invalid request.
    No,
}

/// The codes by which EC2 says that it has no machine. A quota (`VcpuLimitExceeded`,
/// `MaxSpotInstanceCountExceeded`) or a price limit of the operator's own (`SpotMaxPriceTooLow`) is
/// none of them: falling back to on-demand would hide what an operator must decide.
const CAPACITY_CODES: [&str; 4] = [
    "InsufficientCapacity",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "UnfulfillableCapacity",
];

/// The codes of a pool that cannot serve: a type that its zone does not offer, a subnet that is
/// full. Beside a shortage elsewhere they change nothing; alone they are for the operator, since
/// neither time nor on-demand helps.
const UNUSABLE_CODES: [&str; 2] = ["InsufficientFreeAddressesInSubnet", "Unsupported"];

/// How CreateFleet words `Unsupported`, under the general code of an invalid configuration.
const UNSUPPORTED_HERE: &str = "not supported in your requested Availability Zone";

fn pool_verdict(error: &PoolError) -> PoolVerdict {
    let code = error.error_code().unwrap_or_default();
    let message = error.error_message().unwrap_or_default();
    if CAPACITY_CODES.contains(&code) {
        return PoolVerdict::Short;
    }
    if UNUSABLE_CODES.contains(&code) || message.contains(UNSUPPORTED_HERE) {
        return PoolVerdict::Unusable;
    }
    match kind_of(error.error_code(), None) {
        // The fleet was answered, so its token brings the same answer again: not `Unclear`.
        FailureKind::Throttled | FailureKind::Unclear => PoolVerdict::Later,
        FailureKind::Refused => PoolVerdict::No,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::CreateFleetInstance;

    use super::*;

    const ID: &str = "i-0123456789abcdef0";

    fn failed(errors: &[(&str, &str)]) -> LaunchAnswer {
        read(&output(None, errors), Capacity::Spot)
    }

    fn output(lifecycle: Option<&str>, errors: &[(&str, &str)]) -> CreateFleetOutput {
        let instance = lifecycle.map(|word| {
            let lifecycle = InstanceLifecycle::from(word);
            let group = CreateFleetInstance::builder().lifecycle(lifecycle);
            group.instance_ids(ID).build()
        });
        let errors = errors.iter().map(|(code, message)| {
            let error = PoolError::builder().error_code(*code);
            error.error_message(*message).build()
        });
        CreateFleetOutput::builder()
            .fleet_id("fleet-1")
            .set_instances(instance.map(|one| vec![one]))
            .set_errors(Some(errors.collect()))
            .build()
    }

    const SHORT: (&str, &str) = ("InsufficientInstanceCapacity", "there is none");

    #[test]
    fn an_instance_counts_whatever_errors_stand_beside_it() {
        let answer = read(&output(Some("spot"), &[SHORT]), Capacity::Spot);
        let expected = LaunchAnswer::Launched {
            instance: ID.parse().expect("an instance id"),
            capacity: Capacity::Spot,
        };
        assert_eq!(answer, expected);
    }

    #[test]
    fn the_capacity_is_what_ec2_says_it_launched() {
        let answer = read(&output(Some("on-demand"), &[]), Capacity::Spot);
        assert!(matches!(
            answer,
            LaunchAnswer::Launched {
                capacity: Capacity::OnDemand,
                ..
            }
        ));
    }

    #[test]
    fn a_shortage_in_every_pool_is_no_capacity_and_each_code_is_told_once() {
        let answer = failed(&[SHORT, SHORT, ("UnfulfillableCapacity", "none either")]);
        let codes = ["InsufficientInstanceCapacity", "UnfulfillableCapacity"];
        assert_eq!(
            answer,
            LaunchAnswer::NoCapacity {
                codes: codes.map(str::to_owned).into()
            }
        );
    }

    #[test]
    fn pools_that_cannot_serve_do_not_hide_a_shortage_in_the_others() {
        for unusable in [
            ("Unsupported", "no such type here"),
            ("InsufficientFreeAddressesInSubnet", "the subnet is full"),
            (
                "InvalidFleetConfiguration",
                "Your requested instance type (c7a.large) is not supported in your requested \
                 Availability Zone (us-east-1e).",
            ),
        ] {
            let beside = failed(&[unusable, SHORT]);
            assert!(
                matches!(beside, LaunchAnswer::NoCapacity { .. }),
                "{beside:?}"
            );
            let alone = failed(&[unusable]);
            assert!(matches!(alone, LaunchAnswer::Refused { .. }), "{alone:?}");
        }
    }

    #[test]
    fn a_quota_or_a_price_limit_is_not_a_shortage() {
        for code in [
            "VcpuLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "SpotMaxPriceTooLow",
            "UnauthorizedOperation",
        ] {
            let answer = failed(&[(code, "no"), SHORT]);
            let message = refused(answer);
            assert!(message.contains(&format!("{code}: no")), "{message}");
        }
    }

    fn refused(answer: LaunchAnswer) -> String {
        match answer {
            LaunchAnswer::Refused { message } => message,
            other @ (LaunchAnswer::Launched { .. }
            | LaunchAnswer::NoCapacity { .. }
            | LaunchAnswer::Throttled
            | LaunchAnswer::Unclear { .. }) => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_throttled_or_broken_pool_means_later() {
        for code in ["RequestLimitExceeded", "InternalError"] {
            assert_eq!(failed(&[(code, "slow"), SHORT]), LaunchAnswer::Throttled);
        }
    }

    #[test]
    fn a_fleet_with_neither_an_instance_nor_an_error_is_refused_by_name() {
        assert_eq!(
            refused(failed(&[])),
            "EC2 made fleet fleet-1 with neither an instance nor an error"
        );
    }

    #[test]
    fn an_error_of_the_whole_call_keeps_its_kind() {
        let whole = |code: &str, sender_fault| {
            read_error(CallError::of_entry("launch", code, Some("x"), sender_fault))
        };
        assert_eq!(
            whole("InsufficientInstanceCapacity", false),
            LaunchAnswer::NoCapacity {
                codes: vec!["InsufficientInstanceCapacity".to_owned()]
            }
        );
        assert_eq!(
            refused(whole("InvalidFleetConfig", true)),
            "InvalidFleetConfig: x"
        );
        assert_eq!(
            whole("InternalError", false),
            LaunchAnswer::Unclear {
                message: "InternalError: x".to_owned()
            }
        );
    }

    #[test]
    fn an_error_that_says_nothing_of_an_earlier_call_keeps_the_client_token() {
        for code in [
            "RequestLimitExceeded",
            "Throttling",
            "IdempotentParameterMismatch",
        ] {
            let answer = read_error(CallError::of_entry("launch", code, Some("x"), true));
            let message = format!("{code}: x");
            assert_eq!(answer, LaunchAnswer::Unclear { message });
        }
    }
}
