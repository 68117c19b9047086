//! The instance's row through DynamoDB's JSON protocol: one signed GetItem.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_model::runner_config;
use reprise_model::runner_row::{CONFIG, KEY, RUNNER, RoleId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::runner_row::{JitConfig, RowFailure, RowRequest, RunnerTable};
use crate::signed::{CallFailure, SignedCall, SignedClient};

/// The only action.
const TARGET: &str = "DynamoDB_20120810.GetItem";

/// How much of DynamoDB's message is kept.
const MESSAGE_LIMIT: usize = 300;

/// The role or its policy does not allow it.
const DENIED: &[&str] = &["AccessDeniedException", "AccessDenied"];

/// Newer credentials may help.
const STALE: &[&str] = &[
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// A table of DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoRow {
    endpoint: Option<Endpoint>,
    table: String,
    role: RoleId,
    client: SignedClient,
}

impl DynamoRow {
    /// The table at `endpoint`, or else at the one of the instance's region; the authorities of TLS are those
    /// of the file, if there is one.
    pub fn new(
        endpoint: Option<Endpoint>,
        ca_bundle: Option<&Path>,
        table: String,
        role: RoleId,
    ) -> Self {
        Self {
            endpoint,
            table,
            role,
            client: SignedClient::new(ca_bundle),
        }
    }

    async fn call(&self, body: Value, request: &RowRequest) -> Result<Vec<u8>, RowFailure> {
        let region = request.instance.region.as_str();
        let url = match &self.endpoint {
            Some(endpoint) => endpoint.join("/"),
            None => Endpoint::dynamodb(region).join("/"),
        };
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", TARGET),
        ];
        let call = SignedCall {
            url: &url,
            service: "dynamodb",
            region,
            headers: &headers,
            body: body.to_string(),
            credentials: &request.credentials,
            signed_at: request.signed_at,
        };
        let (status, body) = self.client.post(call).await.map_err(no_answer)?;
        match status {
            200..=299 => Ok(body),
            _ => Err(self.failure(status, &body, region)),
        }
    }

    fn failure(&self, status: u16, body: &[u8], region: &str) -> RowFailure {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let code = refusal.code();
        if DENIED.contains(&code.as_str()) {
            let message = cut(&refusal.message);
            RowFailure::Denied { code, message }
        } else if STALE.contains(&code.as_str()) {
            RowFailure::StaleCredentials { code }
        } else if code == "ResourceNotFoundException" {
            RowFailure::NoTable {
                table: self.table.clone(),
                region: region.to_owned(),
            }
        } else {
            RowFailure::Unavailable { status, code }
        }
    }
}

impl RunnerTable for DynamoRow {
    async fn read(&self, request: &RowRequest) -> Result<Option<JitConfig>, RowFailure> {
        // Not `ConsistentRead`, at half the price: a row that was written a moment ago is found by the
        // next look, as is one that is written later.
        let body = json!({
            "TableName": self.table,
            "Key": { KEY: { "S": self.role.row_of(&request.instance.id) } },
        });
        let answer = self.call(body, request).await?;
        read_row(&answer)
    }
}

/// An error in DynamoDB's words, or in those of the layer before it.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Refusal {
    fn code(&self) -> String {
        let code = self.kind.rsplit('#').next().unwrap_or_default();
        match cut(code) {
            code if code.is_empty() => "no error code".to_owned(),
            code => code,
        }
    }
}

/// A value of type B is base64 in JSON.
fn read_row(answer: &[u8]) -> Result<Option<JitConfig>, RowFailure> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| RowFailure::Unreadable)?;
    let row = &answer["Item"];
    if row.is_null() {
        return Ok(None);
    }
    let packed = row[CONFIG]["B"].as_str().ok_or(RowFailure::Unreadable)?;
    let packed = STANDARD
        .decode(packed)
        .map_err(|_| RowFailure::Unreadable)?;
    let encoded = runner_config::unpack(&packed).map_err(|_| RowFailure::Unreadable)?;
    let runner = row[RUNNER]["S"].as_str().map(str::to_owned);
    Ok(Some(JitConfig { runner, encoded }))
}

fn no_answer(failure: CallFailure) -> RowFailure {
    match failure {
        CallFailure::Unsendable(why) | CallFailure::Transport(why) => RowFailure::Transport(why),
    }
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MESSAGE_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> DynamoRow {
        let role = "AROAEXAMPLEEXAMPLE123"
            .to_owned()
            .try_into()
            .expect("an id");
        DynamoRow::new(None, None, "runners".to_owned(), role)
    }

    #[test]
    fn a_row_holds_the_configuration_as_the_runner_takes_it() {
        let packed = STANDARD.encode(runner_config::pack("c2VjcmV0"));
        let row = json!({
            "Item": { "pk": { "S": "x" }, "config": { "B": packed }, "runner": { "S": "one" } }
        });
        let config = read_row(row.to_string().as_bytes());
        let config = config.expect("read").expect("a row");
        assert_eq!(config.encoded, "c2VjcmV0");
        assert_eq!(
            format!("{config:?}"),
            "JitConfig { runner: Some(\"one\"), .. }"
        );
        assert_eq!(read_row(b"{}"), Ok(None));
        for broken in [
            &br#"{"Item":{"pk":{"S":"x"}}}"#[..],
            br#"{"Item":{"config":{"B":""}}}"#,
            br#"{"Item":{"config":{"B":"c2VjcmV0"}}}"#,
        ] {
            assert_eq!(read_row(broken), Err(RowFailure::Unreadable));
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let failure = |body: &str| {
            table()
                .failure(400, body.as_bytes(), "eu-west-1")
                .to_string()
        };
        let denied =
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
        let denied = failure(denied);
        assert!(
            denied.contains("${aws:userid}") && denied.ends_with("role_id: no"),
            "{denied}"
        );
        let missing = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#;
        assert_eq!(
            failure(missing),
            "there is no table runners in eu-west-1; correct the table under [runner]"
        );
        assert_eq!(
            failure("<html>"),
            "DynamoDB answered with status 400 (no error code)"
        );
    }

    #[test]
    fn expired_credentials_are_told_apart() {
        let body = br#"{"__type":"com.amazon.coral.service#ExpiredTokenException"}"#;
        let failure = table().failure(400, body, "eu-west-1");
        assert!(
            matches!(failure, RowFailure::StaleCredentials { .. }),
            "{failure}"
        );
    }
}
