//! GetConsoleOutput of one instance.
//!
//! What is up to date is asked for first. EC2 has that for running instances on Nitro alone
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html>), and says no for others:
//! of those it has what it posted at their last start or end.

use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::operation::get_console_output::{GetConsoleOutputError, GetConsoleOutputOutput};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_model::ids::InstanceId;

use super::Scope;
use crate::error::{CallError, FailureKind};

/// The code of an instance that EC2 does not know (any more).
const GONE: &str = "InvalidInstanceID.NotFound";

/// What an instance wrote to its console; `None` where EC2 has nothing.
pub(super) async fn output(scope: &Scope, id: &InstanceId) -> Result<Option<String>, CallError> {
    let answer = match read(call(scope, id, true).await, scope, id) {
        Err(error) if error.kind == FailureKind::Refused && !is_gone(&error) => {
            read(call(scope, id, false).await, scope, id)
        }
        answer => answer,
    };
    match answer {
        Err(error) if is_gone(&error) => Ok(None),
        answer => answer,
    }
}

async fn call(
    scope: &Scope,
    id: &InstanceId,
    latest: bool,
) -> Result<GetConsoleOutputOutput, SdkError<GetConsoleOutputError>> {
    let request = scope.client.get_console_output().instance_id(id.as_str());
    request.set_latest(latest.then_some(true)).send().await
}

fn read(
    answer: Result<GetConsoleOutputOutput, SdkError<GetConsoleOutputError>>,
    scope: &Scope,
    id: &InstanceId,
) -> Result<Option<String>, CallError> {
    match answer {
        Ok(answer) => Ok(answer.output().and_then(text)),
        Err(error) => Err(CallError::from_sdk(
            format!("get the console output of {id} in {}", scope.region),
            &error,
        )),
    }
}

fn is_gone(error: &CallError) -> bool {
    error.code.as_deref() == Some(GONE)
}

/// What cannot be decoded is as good as nothing. A machine may write any bytes.
fn text(encoded: &str) -> Option<String> {
    let encoded: String = encoded.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_decoded_whatever_bytes_a_machine_wrote() {
        let encoded = STANDARD.encode(b"[  OK  ] up\r\n\xff\x00down");
        assert_eq!(
            text(&encoded).as_deref(),
            Some("[  OK  ] up\r\n\u{fffd}\0down")
        );
        let in_lines = format!("{}\n{}", &encoded[..8], &encoded[8..]);
        assert_eq!(text(&in_lines), text(&encoded));
        assert_eq!(text("not base64!"), None);
        assert_eq!(text(""), None);
    }
}
