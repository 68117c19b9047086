//! Who asks, as AWS knows them.

use aws_sdk_sts::Client;
use reprise_model::ids::Region;

use crate::connect;
use crate::error::CallError;

/// The ARN of whoever these credentials belong to. Needs no right.
pub async fn caller(region: &Region) -> Result<String, CallError> {
    const OPERATION: &str = "ask who asks";
    let client = Client::new(&connect::base(region).await);
    let answer = client.get_caller_identity().send().await;
    let answer = answer.map_err(|error| CallError::from_sdk(OPERATION, &error))?;
    let arn = answer.arn().map(str::to_owned);
    arn.ok_or_else(|| CallError::unclear(OPERATION, "the answer names nobody".to_owned()))
}
