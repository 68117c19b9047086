//! EC2's codes in the classes that a launch is judged by.
//!
//! | class | what it is |
//! | --- | --- |
//! | capacity | EC2 has no such machine in that pool now |
//! | unusable | the pool cannot serve: its zone lacks the type, its subnet an address |
//! | quota | the account may not have more |
//! | authorisation | a permission, the credentials, the account |
//! | throttled, unclear | as for every other call |
//! | request | every other no: a template, an image, a parameter, a price limit |

use reprise_model::launch::LaunchFault;

use crate::error::{FailureKind, kind_of};

/// The codes by which EC2 says that it has no machine, or no volume for one.
const CAPACITY: [&str; 5] = [
    "InsufficientCapacity",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientVolumeCapacity",
    "UnfulfillableCapacity",
];

/// The codes of a pool that cannot serve.
const UNUSABLE: [&str; 2] = ["InsufficientFreeAddressesInSubnet", "Unsupported"];

/// How CreateFleet words `Unsupported`, under the general code of an invalid configuration.
const UNSUPPORTED_HERE: &str = "not supported in your requested Availability Zone";

/// How the codes of quotas end: `VcpuLimitExceeded`, `InstanceLimitExceeded`,
/// `VolumeLimitExceeded`, `MaxSpotInstanceCountExceeded`.
const QUOTA_ENDS: [&str; 2] = ["LimitExceeded", "CountExceeded"];

/// Codes that end so and are about the request itself.
const NO_QUOTA: [&str; 3] = [
    "AttachmentLimitExceeded",
    "FilterLimitExceeded",
    "TagLimitExceeded",
];

/// Permissions, credentials and accounts.
const AUTHORISATION: [&str; 15] = [
    "AccessDenied",
    "AccessDeniedException",
    "Blocked",
    "CustomerKeyHasBeenRevoked",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// `AuthFailure`, and `AuthFailure.ServiceLinkedRoleCreationNotPermitted` of a first spot launch.
const AUTHORISATION_START: &str = "AuthFailure";

/// The class of an error of CreateFleet: of the whole call with its HTTP status, of one pool within a 200
/// without.
pub fn launch_fault(code: Option<&str>, message: Option<&str>, status: Option<u16>) -> LaunchFault {
    fault_of(code, message, kind_of(code, status))
}

/// The class of an error of one pool or of the whole call, which is of this kind.
pub(super) fn fault_of(
    code: Option<&str>,
    message: Option<&str>,
    kind: FailureKind,
) -> LaunchFault {
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is(&CAPACITY) {
        return LaunchFault::Capacity;
    }
    if is(&UNUSABLE) || message.is_some_and(|message| message.contains(UNSUPPORTED_HERE)) {
        return LaunchFault::Unusable;
    }
    match kind {
        FailureKind::Throttled => LaunchFault::Throttled,
        FailureKind::Unclear => LaunchFault::Unclear,
        FailureKind::Refused => code.map_or(LaunchFault::Request, refusal),
    }
}

fn refusal(code: &str) -> LaunchFault {
    let is_quota = QUOTA_ENDS.iter().any(|end| code.ends_with(end));
    if AUTHORISATION.contains(&code) || code.starts_with(AUTHORISATION_START) {
        LaunchFault::Authorisation
    } else if is_quota && !NO_QUOTA.contains(&code) {
        LaunchFault::Quota
    } else {
        LaunchFault::Request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(LaunchFault, &[&str]); 7] = [
        (
            LaunchFault::Capacity,
            &[
                "InsufficientInstanceCapacity",
                "InsufficientCapacity",
                "InsufficientHostCapacity",
                "InsufficientVolumeCapacity",
                "UnfulfillableCapacity",
            ],
        ),
        (
            LaunchFault::Unusable,
            &["InsufficientFreeAddressesInSubnet", "Unsupported"],
        ),
        (
            LaunchFault::Quota,
            &[
                "VcpuLimitExceeded",
                "MaxSpotInstanceCountExceeded",
                "InstanceLimitExceeded",
                "VolumeLimitExceeded",
                "MaxIOPSLimitExceeded",
                "NetworkInterfaceLimitExceeded",
            ],
        ),
        (
            LaunchFault::Authorisation,
            &[
                "UnauthorizedOperation",
                "AuthFailure",
                "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                "Blocked",
                "OptInRequired",
                "PendingVerification",
                "RequestExpired",
                "ExpiredToken",
                "InvalidClientTokenId",
            ],
        ),
        (
            LaunchFault::Request,
            &[
                "InvalidFleetConfiguration",
                "InvalidFleetConfig",
                "InvalidLaunchTemplateId.NotFound",
                "InvalidLaunchTemplateName.NotFoundException",
                "InvalidAMIID.NotFound",
                "InvalidParameterValue",
                "InvalidParameterCombination",
                "InvalidSubnetID.NotFound",
                "UnsupportedOperation",
                "SpotMaxPriceTooLow",
                "TagLimitExceeded",
                // The configuration has changed since the first call under this token, whose answer
                // nobody has: under the same token there will never be another. Should that call have
                // launched, the sweep ends what no job takes.
                "IdempotentParameterMismatch",
                "SomethingNew",
            ],
        ),
        (
            LaunchFault::Throttled,
            &[
                "RequestLimitExceeded",
                "Throttling",
                "EC2ThrottledException",
            ],
        ),
        (
            LaunchFault::Unclear,
            &[
                "InternalError",
                "InternalFailure",
                "ServiceUnavailable",
                "Unavailable",
            ],
        ),
    ];

    fn class(code: Option<&str>, message: &str, status: Option<u16>) -> LaunchFault {
        launch_fault(code, Some(message), status)
    }

    #[test]
    fn every_code_has_its_class_within_an_answer_and_as_a_whole_calls_error() {
        for (fault, codes) in TABLE {
            for code in codes {
                for status in [None, Some(400)] {
                    assert_eq!(class(Some(code), "words", status), fault, "{code}");
                }
            }
        }
    }

    #[test]
    fn a_shortage_is_one_also_where_ec2_counts_it_among_its_own_faults() {
        for code in CAPACITY {
            let fault = class(Some(code), "words", Some(500));
            assert_eq!(fault, LaunchFault::Capacity, "{code}");
        }
    }

    #[test]
    fn a_type_that_its_zone_does_not_offer_is_told_by_words_alone() {
        let words = "Your requested instance type (c7a.large) is not supported in your requested \
                     Availability Zone (us-east-1e).";
        let fault = class(Some("InvalidFleetConfiguration"), words, None);
        assert_eq!(fault, LaunchFault::Unusable);
    }

    #[test]
    fn an_unknown_or_missing_code_goes_by_its_status() {
        assert_eq!(class(None, "", Some(502)), LaunchFault::Unclear);
        assert_eq!(class(Some("New"), "", Some(500)), LaunchFault::Unclear);
        assert_eq!(class(None, "", Some(429)), LaunchFault::Throttled);
        assert_eq!(class(None, "no", Some(400)), LaunchFault::Request);
    }
}
