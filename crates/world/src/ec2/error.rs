//! The errors of EC2's API, with the words and statuses that clients see.

use reprise_model::ids::InstanceId;

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Ec2Error {
    /// The HTTP status.
    pub status: u16,
    /// The code that clients branch on, as `InvalidInstanceID.NotFound`.
    pub code: String,
    /// The text for people.
    pub message: String,
}

impl Ec2Error {
    /// Any error, for instance one to be injected.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// `RequestLimitExceeded`: a token bucket is empty.
    pub fn request_limit_exceeded() -> Self {
        Self::new(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// `InternalError`, status 500.
    pub fn internal() -> Self {
        Self::new(500, "InternalError", "An internal error has occurred")
    }

    pub(super) fn auth_failure() -> Self {
        Self::new(
            401,
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
    }

    pub(super) fn missing_token() -> Self {
        Self::new(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    }

    pub(super) fn unauthorized(action: &str) -> Self {
        Self::new(
            403,
            "UnauthorizedOperation",
            format!(
                "You are not authorized to perform this operation. No identity-based policy \
                 allows the ec2:{action} action as it was asked for."
            ),
        )
    }

    pub(super) fn dry_run() -> Self {
        Self::new(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )
    }

    pub(super) fn invalid_action(action: &str) -> Self {
        Self::new(
            400,
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        )
    }

    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::new(
            400,
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        )
    }

    pub(super) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }

    pub(super) fn malformed_instance_id(text: &str) -> Self {
        Self::new(
            400,
            "InvalidInstanceID.Malformed",
            format!("Invalid id: \"{text}\""),
        )
    }

    pub(super) fn unknown_instances(ids: &[&InstanceId]) -> Self {
        let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let message = match names[..] {
            [one] => format!("The instance ID '{one}' does not exist"),
            _ => format!("The instance IDs '{}' do not exist", names.join(", ")),
        };
        Self::new(400, "InvalidInstanceID.NotFound", message)
    }
}
