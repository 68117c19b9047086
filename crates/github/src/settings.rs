//! What an operator configures of the connection, checked before the first call.

use std::time::Duration;

use http::Uri;
use octocrab::auth::{AppAuth, EncodingKey, create_jwt};
use octocrab::models::AppId;
use secrecy::{ExposeSecret, SecretString};

use crate::error::GitHubError;

/// How to reach GitHub, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub base_uri: String,
    /// The App's id.
    pub app_id: u64,
    /// The App's RSA private key in PEM form.
    pub private_key_pem: SecretString,
    /// How long one call may take, from its first byte to the last one of its answer.
    pub request_timeout: Duration,
}

impl Settings {
    pub(crate) fn base(&self) -> Result<Uri, GitHubError> {
        let wanted = || GitHubError::Settings {
            problem: format!(
                "the base URI {:?} is not an http or https URI without a query, as https://api.github.com",
                self.base_uri
            ),
        };
        let uri: Uri = self.base_uri.parse().map_err(|_| wanted())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        // User information would be sent to nobody and shown in `Debug`.
        let plain = uri.authority().is_some_and(|a| !a.as_str().contains('@'));
        if web && plain && uri.query().is_none() {
            Ok(uri)
        } else {
            Err(wanted())
        }
    }

    /// The App's credentials. A key that parses may still not sign, so it signs once here.
    pub(crate) fn app(&self) -> Result<AppAuth, GitHubError> {
        let wanted = || GitHubError::Settings {
            problem: "the private key is not an RSA private key in PEM form: generate one on the \
                      App's settings page and configure the whole file, line breaks included \
                      (its first line is -----BEGIN RSA PRIVATE KEY-----)"
                .to_owned(),
        };
        let pem = self.private_key_pem.expose_secret().as_bytes();
        let key = EncodingKey::from_rsa_pem(pem).map_err(|_| wanted())?;
        let app_id = AppId(self.app_id);
        create_jwt(app_id, &key).map_err(|_| wanted())?;
        Ok(AppAuth { app_id, key })
    }
}
