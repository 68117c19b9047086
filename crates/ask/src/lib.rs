//! Asks an operator's own endpoint whether a job is to come back: by HTTPS, or as a Lambda function.
//!
//! One question, one call, one answer, all within [`LIMIT`]: nothing is repeated and no redirect is followed,
//! since whoever asks has a policy for the lack of an answer. What is asked, and what follows, is decided
//! elsewhere.

mod client;
mod lambda;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;
use jiff::Timestamp;
use reprise_model::advice::{Answer, EndpointName, NoAnswer, Question, read_answer};
use reprise_model::ids::Region;
use secrecy::SecretString;

use self::client::{Client, Heard};
use self::lambda::Function;
pub use self::signature::{SIGNATURE, TIMESTAMP, signed};

/// How long a question may take in all: connection, TLS, answer.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Lambda's word for a function that ran and failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// How an endpoint is asked.
#[derive(Debug)]
pub enum Settings {
    /// By HTTPS.
    Url {
        /// Where.
        url: String,
        /// What signs the questions.
        secret: SecretString,
    },
    /// As a Lambda function, by the program's own credentials.
    Lambda {
        /// Its name or ARN, perhaps with a version or an alias.
        function: String,
        /// In which region.
        region: Region,
    },
}

/// Why endpoints cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// TLS cannot be set up.
    #[error("failed to set up TLS for the endpoints that are asked")]
    Tls(#[from] rustls::Error),
    /// What was to be an address is none.
    #[error("failed to read the address of the endpoint {name}; see ask.{name}.url")]
    Address {
        /// Of which endpoint.
        name: EndpointName,
        /// What is wrong with it.
        #[source]
        source: http::uri::InvalidUri,
    },
}

/// Asks the endpoints that there are.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    endpoints: BTreeMap<EndpointName, Endpoint>,
    limit: Duration,
}

#[derive(Debug)]
enum Endpoint {
    Url { url: Uri, secret: SecretString },
    Lambda(Function),
}

impl Asker {
    /// Nothing is contacted before the first question. Credentials and Lambda's address come from where every
    /// AWS program takes them.
    ///
    /// # Errors
    /// When TLS cannot be set up, or an address is none.
    pub async fn connect(
        settings: impl IntoIterator<Item = (EndpointName, Settings)>,
    ) -> Result<Self, AskError> {
        let mut endpoints = BTreeMap::new();
        let mut aws = None;
        for (name, settings) in settings {
            let endpoint = match settings {
                Settings::Url { url, secret } => Endpoint::Url {
                    url: address(&name, &url)?,
                    secret,
                },
                Settings::Lambda { function, region } => {
                    if aws.is_none() {
                        aws = Some(lambda::base(&region).await);
                    }
                    Endpoint::Lambda(Function::new(aws.as_ref(), &name, &function, &region)?)
                }
            };
            endpoints.insert(name, endpoint);
        }
        Ok(Self {
            client: Client::new()?,
            endpoints,
            limit: LIMIT,
        })
    }

    /// Asks the endpoint that the question names, at this time of day.
    ///
    /// # Errors
    /// Why there is no answer; the question may have arrived all the same.
    pub async fn ask(&self, question: &Question, now: Timestamp) -> Result<Answer, NoAnswer> {
        let asking = tokio::time::timeout(self.limit, self.call(question, now));
        let heard = asking.await.unwrap_or(Err(NoAnswer::TimedOut))?;
        if let Some(error) = heard.headers.get(FUNCTION_ERROR) {
            let words = String::from_utf8_lossy(error.as_bytes());
            return Err(NoAnswer::FunctionFailed {
                words: reprise_model::advice::clean(&words),
            });
        }
        read_answer(&heard.body)
    }

    async fn call(&self, question: &Question, now: Timestamp) -> Result<Heard, NoAnswer> {
        let endpoint = self.endpoints.get(&question.endpoint);
        let endpoint = endpoint.ok_or(NoAnswer::NotAllowed)?;
        let body = serde_json::to_vec(question).map_err(|error| client::unreachable(&error))?;
        let request = match endpoint {
            Endpoint::Url { url, secret } => {
                client::request(url, signed(secret, now, &body), body)?
            }
            Endpoint::Lambda(function) => {
                let headers = function.signed(now, &body).await?;
                client::request(function.url(), headers, body)?
            }
        };
        self.client.post(request).await
    }
}

fn address(name: &EndpointName, url: &str) -> Result<Uri, AskError> {
    url.parse().map_err(|source| AskError::Address {
        name: *name,
        source,
    })
}
