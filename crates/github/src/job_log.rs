//! The end of a job's log.
//!
//! GitHub answers with a link that lives for a minute, mostly to a blob store of somebody else's. **The App's
//! token is never sent there**: links are followed by a client of their own, which knows no token.
//!
//! A log may have gigabytes, so no more than its end is kept. Blob stores take ranges with a beginning and an
//! end only (Azure's knows no "the last so many"), so the first read tells how long it is, and is all of a
//! short one. A server that knows no ranges sends everything, which is read up to [`MOST`].

use std::fmt;

use http::header::{CONTENT_RANGE, RANGE, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use octocrab::OctoBody;
use reprise_model::failure::{JobLog, LOG_END};
use reprise_model::ids::{JobId, Repository};

use crate::GitHub;
use crate::error::{GitHubError, GitHubErrorKind};
use crate::transport::{Answer, Transport, USER_AGENT_NAME};

/// So much is read of a log whose server knows no ranges. The end of a longer one cannot be had.
const MOST: usize = 16 * 1024 * 1024;

/// A client for links, without a token.
#[derive(Clone)]
pub(crate) struct Links {
    client: Client<HttpsConnector<HttpConnector>, OctoBody>,
}

/// What a link gave.
struct Part {
    status: StatusCode,
    headers: HeaderMap,
    /// The end of what was sent; `None` where that was more than [`MOST`].
    end: Option<Vec<u8>>,
}

impl Links {
    pub(crate) fn new(connector: HttpsConnector<HttpConnector>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

impl GitHub {
    /// The end of a job's log. One that GitHub does not have (any more) or does not show is
    /// [`JobLog::Missing`], which is no error.
    pub async fn job_log(
        &self,
        repository: &Repository,
        job: JobId,
    ) -> Result<JobLog, GitHubError> {
        let operation = format!("read the log of job {job} of {repository}");
        let path = format!("/repos/{repository}/actions/jobs/{job}/logs");
        let answer = Box::pin(self.log_link(&operation, repository, &path)).await?;
        let transport = &self.inner.transport;
        if answer.status != StatusCode::FOUND {
            return missing(&operation, &answer);
        }
        match transport.link(&answer) {
            Some(link) => Box::pin(transport.end_of(&operation, &link)).await,
            None => Err(GitHubError::Unparsable {
                operation,
                problem: "it links to no address that may be followed".to_owned(),
            }),
        }
    }

    /// GitHub's answer with the link, itself not followed: 302. A renamed repository's redirect is another
    /// status, and is.
    async fn log_link(
        &self,
        operation: &str,
        repository: &Repository,
        path: &str,
    ) -> Result<Answer, GitHubError> {
        let transport = &self.inner.transport;
        let access = self.inner.installations.access(transport, repository);
        let mut access = access.await?;
        let mut answer = transport.get(operation, path, &access).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            access.renew(transport).await?;
            answer = transport.get(operation, path, &access).await?;
        }
        if answer.status == StatusCode::FOUND {
            return Ok(answer);
        }
        match transport.redirect(&answer) {
            Some(moved) => transport.get(operation, &moved, &access).await,
            None => Ok(answer),
        }
    }
}

/// What an answer without a link means.
fn missing(operation: &str, answer: &Answer) -> Result<JobLog, GitHubError> {
    let error = GitHubError::Rejected {
        operation: operation.to_owned(),
        rejection: answer.rejection(),
    };
    match error.kind() {
        GitHubErrorKind::NotFound | GitHubErrorKind::Forbidden(_) => Ok(JobLog::Missing),
        GitHubErrorKind::RateLimited { .. }
        | GitHubErrorKind::Unauthorized
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => Err(error),
    }
}

impl Transport {
    /// Where a link leads: anywhere, but not from https to http.
    fn link(&self, answer: &Answer) -> Option<Uri> {
        let target: Uri = answer.header(&http::header::LOCATION)?.parse().ok()?;
        if target.authority().is_none() {
            let mut parts = self.base().clone().into_parts();
            parts.path_and_query = target.into_parts().path_and_query;
            return Uri::from_parts(parts).ok();
        }
        let is_plain = self.base().scheme() == Some(&Scheme::HTTP);
        let is_safe = target.scheme() == Some(&Scheme::HTTPS);
        (is_safe || is_plain && target.scheme() == Some(&Scheme::HTTP)).then_some(target)
    }

    async fn end_of(&self, operation: &str, link: &Uri) -> Result<JobLog, GitHubError> {
        let first = self.part(operation, link, 0).await?;
        let whole = match first.status {
            StatusCode::PARTIAL_CONTENT => whole_length(&first.headers),
            _ => return first.into_log(operation),
        };
        match whole {
            Some(whole) if whole <= LOG_END => first.into_log(operation),
            Some(whole) => {
                let last = self.part(operation, link, whole - LOG_END).await?;
                last.into_log(operation)
            }
            None => Ok(JobLog::Missing),
        }
    }

    /// Asks for [`LOG_END`] bytes from `start` on.
    async fn part(&self, operation: &str, link: &Uri, start: usize) -> Result<Part, GitHubError> {
        let request = Request::get(link)
            .header(USER_AGENT, USER_AGENT_NAME)
            .header(RANGE, format!("bytes={start}-{}", start + LOG_END - 1))
            .body(OctoBody::empty())
            .map_err(|error| GitHubError::Unparsable {
                operation: operation.to_owned(),
                problem: error.to_string(),
            })?;
        let part = async {
            let response = self.links().client.request(request).await;
            let response = response.map_err(|error| broken(operation, error))?;
            read(operation, response).await
        };
        self.within_limit(operation, Box::pin(part)).await
    }
}

impl Part {
    fn into_log(self, operation: &str) -> Result<JobLog, GitHubError> {
        match self.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                Ok(self.end.map_or(JobLog::Missing, JobLog::End))
            }
            // There is no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(JobLog::End(Vec::new())),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(JobLog::Missing),
            status => Err(GitHubError::LinkRefused {
                operation: operation.to_owned(),
                status: status.as_u16(),
            }),
        }
    }
}

/// Reads an answer and keeps its end.
async fn read<B>(operation: &str, response: Response<B>) -> Result<Part, GitHubError>
where
    B: BodyExt + Unpin,
    B::Data: AsRef<[u8]>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (head, mut body) = response.into_parts();
    let mut end: Vec<u8> = Vec::new();
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(operation, error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        read = read.saturating_add(data.as_ref().len());
        end.extend_from_slice(data.as_ref());
        if end.len() > 2 * LOG_END {
            end.drain(..end.len() - LOG_END);
        }
        if read > MOST {
            break;
        }
    }
    end.drain(..end.len().saturating_sub(LOG_END));
    Ok(Part {
        status: head.status,
        headers: head.headers,
        end: (read <= MOST).then_some(end),
    })
}

fn broken(operation: &str, error: impl std::error::Error + Send + Sync + 'static) -> GitHubError {
    GitHubError::Broken {
        operation: operation.to_owned(),
        source: Box::new(error),
    }
}

/// The length of the whole, of `bytes 0-65535/123456`.
fn whole_length(headers: &HeaderMap) -> Option<usize> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit_once('/')?.1.trim().parse().ok()
}
