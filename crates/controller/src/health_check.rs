//! Whether the controller that runs here is healthy, asked by a second process of the same program: the image
//! holds no other one that could ask.
//!
//! It asks `/healthz`, not `/readyz`: who is told "no" starts the controller again, and that helps nobody
//! whose queue or ledger does not answer.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use thiserror::Error;

/// How long the answer may take. ECS and the image's own health check wait for 5 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much of an answer is read: the controller's own are a line.
const LONGEST_ANSWER: usize = 4096;

/// A controller said that it is healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthy(Place);

/// Where it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(SocketAddr);

/// Why nobody can say that the controller is healthy.
#[derive(Debug, Error)]
pub enum NotHealthy {
    /// The port is chosen anew at each start.
    #[error("http.listen is {0}, so that nobody knows where to ask; set a port other than 0")]
    NoPort(SocketAddr),
    /// No connection, or one that broke.
    #[error("nothing answers at {place}; is the controller running, with the same http.listen?")]
    NoAnswer {
        /// Where it was asked.
        place: Place,
        /// What happened to the request.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is something, and it hangs.
    #[error(
        "{place} did not answer within {} s; the controller hangs, or has too little CPU",
        PATIENCE.as_secs()
    )]
    TooSlow {
        /// Where it was asked.
        place: Place,
    },
    /// It answered that it is not.
    #[error("{place} answers {status}: {said}")]
    Unhealthy {
        /// Where it was asked.
        place: Place,
        /// The answer's status.
        status: StatusCode,
        /// Its words.
        said: String,
    },
}

/// Asks the controller that listens there, as `http.listen` says it.
///
/// # Errors
/// When it does not say that it is healthy.
pub async fn ask(listen: SocketAddr) -> Result<Healthy, NotHealthy> {
    let place = Place::of(listen)?;
    let answer = tokio::time::timeout(PATIENCE, get(place)).await;
    let (status, said) = answer.map_err(|_| NotHealthy::TooSlow { place })??;
    if status == StatusCode::OK {
        return Ok(Healthy(place));
    }
    Err(NotHealthy::Unhealthy {
        place,
        status,
        said,
    })
}

async fn get(place: Place) -> Result<(StatusCode, String), NotHealthy> {
    let no_answer = |source| NotHealthy::NoAnswer { place, source };
    let request = Request::get(place.to_string()).body(Body::empty());
    let request = request.map_err(|error| no_answer(error.into()))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await;
    let answer = answer.map_err(|error| no_answer(error.into()))?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), LONGEST_ANSWER).await;
    let body = body.map_err(|error| no_answer(error.into()))?;
    let said = String::from_utf8_lossy(&body).trim().to_owned();
    Ok((status, said))
}

impl Place {
    fn of(listen: SocketAddr) -> Result<Self, NotHealthy> {
        if listen.port() == 0 {
            return Err(NotHealthy::NoPort(listen));
        }
        let ip = match listen {
            SocketAddr::V4(address) if address.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(address) if address.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            SocketAddr::V4(_) | SocketAddr::V6(_) => listen.ip(),
        };
        Ok(Self(SocketAddr::new(ip, listen.port())))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}/healthz", self.0)
    }
}

impl fmt::Display for Healthy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} says ok", self.0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_controller_that_listens_everywhere_is_asked_on_loopback() {
        let asked = |listen: &str| {
            let place = Place::of(listen.parse().expect("an address"));
            place.expect("a place").to_string()
        };
        assert_eq!(asked("0.0.0.0:9464"), "http://127.0.0.1:9464/healthz");
        assert_eq!(asked("[::]:9464"), "http://[::1]:9464/healthz");
        assert_eq!(asked("10.0.0.7:80"), "http://10.0.0.7:80/healthz");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_the_connection_and_says_nothing_hangs() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let silent = silent.expect("a listener");
        let address = silent.local_addr().expect("an address");
        let asked = ask(address).await;
        assert!(
            matches!(asked, Err(NotHealthy::TooSlow { .. })),
            "{asked:?}"
        );
    }
}
