//! The credentials of the instance's role.
//!
//! Invariant: nothing here shows a credential, neither by `Debug` nor in an error: parse errors
//! name the place, never the text.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

/// Lists the instance's role; a role's name behind it gives the credentials.
pub const CREDENTIALS_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// How long before their end credentials are fetched again. The service has new ones at least five
/// minutes before the old ones expire.
const REFRESH_BEFORE: Duration = Duration::from_secs(300);

/// Temporary credentials of a role.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleCredentials {
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// The token that goes with it.
    pub session_token: String,
    /// When they end.
    pub expires_at: SystemTime,
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleCredentials")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl RoleCredentials {
    /// Whether they may be used again without asking for newer ones.
    pub fn fresh_at(&self, wall: SystemTime) -> bool {
        self.expires_at
            .duration_since(wall)
            .is_ok_and(|left| left > REFRESH_BEFORE)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    code: Option<String>,
}

/// Reads the list of roles: the first line is the instance's role.
pub fn read_role(body: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(body);
    let role = text.lines().next().unwrap_or_default().trim();
    // The characters that IAM allows in a role's name; it becomes part of a path.
    let sound = role
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+=,.@-_".contains(&b));
    match (role.is_empty(), sound) {
        (true, _) => Err(NO_ROLE.to_owned()),
        (false, false) => Err("the metadata service names a role that is no role name".to_owned()),
        (false, true) => Ok(role.to_owned()),
    }
}

/// What to do about an instance without a role.
pub const NO_ROLE: &str = "the instance has no role; attach an instance profile that allows \
                           ec2:CreateTags on the instance itself";

/// Reads a role's credentials.
pub fn read_credentials(body: &[u8]) -> Result<RoleCredentials, String> {
    if let Ok(Outcome { code: Some(code) }) = serde_json::from_slice(body)
        && code != "Success"
    {
        let code: String = code.chars().take(60).collect();
        return Err(format!(
            "the metadata service has no credentials for the role: {code:?}; check the role's \
             trust policy"
        ));
    }
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        // serde_json's message may quote the text, which is secret here.
        format!(
            "the role's credentials cannot be read ({:?} error at line {}, column {})",
            error.classify(),
            error.line(),
            error.column()
        )
    })?;
    let parts = [
        &document.access_key_id,
        &document.secret_access_key,
        &document.token,
    ];
    // They become header values, where other characters are not allowed.
    if !parts
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err("the role's credentials are empty or not plain text".to_owned());
    }
    Ok(RoleCredentials {
        access_key_id: document.access_key_id,
        secret_access_key: document.secret_access_key,
        session_token: document.token,
        expires_at: document.expiration.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z",
        "Type":"AWS-HMAC","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"not-a-real-secret",
        "Token":"not-a-real-token","Expiration":"2026-01-01T06:00:00Z"}"#;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().expect("a time").into()
    }

    #[test]
    fn credentials_are_used_again_until_five_minutes_before_their_end() {
        let credentials = read_credentials(GOOD.as_bytes()).expect("credentials");
        assert!(credentials.fresh_at(at("2026-01-01T05:54:59Z")));
        assert!(!credentials.fresh_at(at("2026-01-01T05:55:00Z")));
        assert!(!credentials.fresh_at(at("2026-01-01T07:00:00Z")));
    }

    #[test]
    fn credentials_are_never_shown() {
        let credentials = read_credentials(GOOD.as_bytes()).expect("credentials");
        let shown = format!("{credentials:?}");
        assert!(
            !shown.contains("not-a-real") && !shown.contains("ASIA"),
            "{shown}"
        );
    }

    #[test]
    fn an_unreadable_document_is_refused_without_quoting_it() {
        for bad in [
            GOOD.replace("2026-01-01T06:00:00Z", "not-a-real-time"),
            GOOD.replace("\"not-a-real-token\"", "[\"not-a-real-token\"]"),
            GOOD.replace("not-a-real-token", r"not-a-real\ntoken"),
            "not-a-real-token".to_owned(),
        ] {
            let error = read_credentials(bad.as_bytes()).expect_err("must be refused");
            assert!(!error.contains("not-a-real"), "{error}");
        }
    }

    #[test]
    fn a_role_that_cannot_be_assumed_is_named_as_the_reason() {
        let error = read_credentials(br#"{"Code":"AssumeRoleUnauthorizedAccess"}"#)
            .expect_err("no credentials");
        assert!(error.contains("AssumeRoleUnauthorizedAccess"), "{error}");
    }

    #[test]
    fn the_first_line_is_the_role_and_it_cannot_leave_its_path() {
        assert_eq!(
            read_role(b"runner-role\nother"),
            Ok("runner-role".to_owned())
        );
        assert_eq!(read_role(b""), Err(NO_ROLE.to_owned()));
        assert!(read_role(b"../../api/token").is_err());
        assert!(read_role(b"<html>").is_err());
    }
}
