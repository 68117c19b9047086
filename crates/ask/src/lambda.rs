//! A Lambda function as an endpoint: the call `Invoke`, signed by AWS's own scheme.
//!
//! Not the SDK's client: it would have every other AWS client built anew with the parts for event streams,
//! for one POST.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::{EndpointName, NoAnswer};
use reprise_model::ids::Region;
use tokio::sync::Mutex;

use crate::AskError;
use crate::client::unreachable;

/// Credentials are asked for again so long before they end.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_mins(2);

/// Those without an end, as of the environment, are asked for again after so long.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(15);

/// A function and how to reach it.
#[derive(Debug)]
pub(crate) struct Function {
    url: Uri,
    region: Region,
    credentials: Option<SharedCredentialsProvider>,
    /// The last ones, and until when they do.
    held: Mutex<Option<(Credentials, Timestamp)>>,
}

/// What every function is reached by: nobody is asked for credentials yet, and with a region given, nobody for that.
pub(crate) async fn base(region: &Region) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

impl Function {
    pub(crate) fn new(
        aws: Option<&SdkConfig>,
        name: &EndpointName,
        function: &str,
        region: &Region,
    ) -> Result<Self, AskError> {
        let named = aws.and_then(SdkConfig::endpoint_url).map(str::to_owned);
        let host = named.unwrap_or_else(|| usual_address(region));
        let host = host.trim_end_matches('/');
        let url = format!(
            "{host}/2015-03-31/functions/{}/invocations",
            encoded(function)
        );
        Ok(Self {
            url: crate::address(name, &url)?,
            region: region.clone(),
            credentials: aws.and_then(SdkConfig::credentials_provider),
            held: Mutex::new(None),
        })
    }

    pub(crate) fn url(&self) -> &Uri {
        &self.url
    }

    /// The headers that sign a question.
    pub(crate) async fn signed(
        &self,
        now: Timestamp,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, NoAnswer> {
        let identity = self.credentials(now).await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_str())
            .name("lambda")
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unreachable(&error))?
            .into();
        let url = self.url.to_string();
        let signable =
            SignableRequest::new("POST", &url, std::iter::empty(), SignableBody::Bytes(body))
                .map_err(|error| unreachable(&error))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| unreachable(&error))?
            .into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// The program's credentials, asked for once as long as they hold.
    async fn credentials(&self, now: Timestamp) -> Result<Credentials, NoAnswer> {
        let mut held = self.held.lock().await;
        if let Some((credentials, until)) = &*held
            && now < *until
        {
            return Ok(credentials.clone());
        }
        let Some(provider) = &self.credentials else {
            return Err(NoAnswer::unreachable("there are no AWS credentials"));
        };
        let fresh = provider.provide_credentials().await;
        let fresh = fresh.map_err(|error| unreachable(&error))?;
        *held = Some((fresh.clone(), held_until(&fresh, now)));
        Ok(fresh)
    }
}

fn held_until(credentials: &Credentials, now: Timestamp) -> Timestamp {
    let end = credentials.expiry().map(Timestamp::try_from);
    let until = match end {
        Some(Ok(end)) => end.checked_sub(RENEWED_BEFORE),
        Some(Err(_)) | None => now.checked_add(KEPT_FOR),
    };
    until.unwrap_or(now)
}

fn usual_address(region: &Region) -> String {
    let suffix = if region.as_str().starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://lambda.{region}.{suffix}")
}

/// A name or an ARN as a part of a path.
fn encoded(function: &str) -> String {
    let mut text = String::new();
    for byte in function.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            // Writing to a text cannot fail.
            other => drop(write!(text, "%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_called_at_its_regions_address_by_its_whole_name() {
        let name: EndpointName = "judge".parse().expect("a name");
        let url = |function: &str, region: &str| {
            let region = Region::new(region.to_owned());
            let function = Function::new(None, &name, function, &region);
            function.expect("an address").url().to_string()
        };
        assert_eq!(
            url("judge:live", "eu-west-1"),
            "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/judge%3Alive/invocations"
        );
        assert_eq!(
            url("judge", "cn-north-1"),
            "https://lambda.cn-north-1.amazonaws.com.cn/2015-03-31/functions/judge/invocations"
        );
    }
}
