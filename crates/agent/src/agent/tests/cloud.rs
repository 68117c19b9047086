//! A metadata service and an EC2 that follow a script, in virtual time.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use jiff::SignedDuration;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

use super::machine::Machine;
use crate::agent::{AgentEnd, Ports, run};
use crate::clock::Clock;
use crate::credentials::CREDENTIALS_PATH;
use crate::identity::IDENTITY_PATH;
use crate::logging;
use crate::metadata::{Answer, Metadata, MetadataError, SessionToken};
use crate::notice::{NOTICE_PATH, REBALANCE_PATH};
use crate::noticed::Noticed;
use crate::settings::{LogLevel, Settings};
use crate::system_clock::SystemClock;
use crate::tagger::{TagFailure, TagRequest, Tagger};

const START: &str = "2026-01-01T00:00:00Z";

const IDENTITY: &str = r#"{"accountId":"123456789012","region":"eu-west-1",
    "instanceId":"i-0123456789abcdef0"}"#;

const CREDENTIALS: &str = r#"{"Code":"Success","AccessKeyId":"secret-id",
    "SecretAccessKey":"secret-key","Token":"secret-token",
    "Expiration":"2999-01-01T00:00:00Z"}"#;

/// How the metadata service behaves.
#[derive(Clone, Copy)]
pub(crate) enum Imds {
    Clear,
    Body(&'static str),
    Status(u16),
    Refused,
    Hang,
    /// It hands tokens out and takes none.
    TokensRefused,
    /// Only requests for tokens hang.
    TokensHang,
}

/// How EC2 answers one CreateTags.
#[derive(Clone)]
pub(crate) enum Tagging {
    Works,
    Fails(TagFailure),
    Hangs,
}

#[derive(Clone)]
pub(crate) struct Cloud {
    clock: SystemClock,
    state: Arc<Mutex<State>>,
    pub(super) machine: Arc<Mutex<Machine>>,
}

struct State {
    imds: Vec<(i64, Imds)>,
    tokens: u32,
    token_requests: u32,
    notice_requests: u32,
    revoke_at: i64,
    no_tokens: std::ops::Range<i64>,
    credentials_from: i64,
    credential_requests: u32,
    rebalance_from: i64,
    tagging: VecDeque<Tagging>,
    tagging_after: Tagging,
    attempts: Vec<(SignedDuration, TagRequest)>,
}

impl Cloud {
    /// Behaves from each second on as the pair says.
    pub(crate) fn new(imds: &[(i64, Imds)]) -> Self {
        let state = State {
            imds: imds.to_vec(),
            tokens: 0,
            token_requests: 0,
            notice_requests: 0,
            revoke_at: i64::MAX,
            no_tokens: 0..0,
            credentials_from: 0,
            credential_requests: 0,
            rebalance_from: i64::MAX,
            tagging: VecDeque::new(),
            tagging_after: Tagging::Works,
            attempts: Vec::new(),
        };
        Self {
            clock: SystemClock::starting_at(START.parse().expect("a time")),
            state: Arc::new(Mutex::new(state)),
            machine: Arc::default(),
        }
    }

    pub(crate) fn revoke_tokens_at(&self, second: i64) {
        self.state().revoke_at = second;
    }

    pub(crate) fn no_tokens_between(&self, from: i64, to: i64) {
        self.state().no_tokens = from..to;
    }

    pub(crate) fn credentials_from(&self, second: i64) {
        self.state().credentials_from = second;
    }

    pub(crate) fn rebalance_from(&self, second: i64) {
        self.state().rebalance_from = second;
    }

    pub(crate) fn tagging(&self, first: Vec<Tagging>, then: Tagging) {
        let mut state = self.state();
        state.tagging = first.into();
        state.tagging_after = then;
    }

    pub(crate) async fn run_for(&self, seconds: i64) -> AgentEnd {
        self.run_with(&Settings::default(), seconds).await
    }

    pub(crate) async fn run_with(&self, settings: &Settings, seconds: i64) -> AgentEnd {
        let ports = Ports {
            metadata: self.clone(),
            tagger: self.clone(),
            clock: self.clock.clone(),
            host: self.clone(),
            noticed: Noticed::default(),
            jitter: fastrand::Rng::with_seed(7),
        };
        // Half a second short of the next poll, so that the count does not depend on its order.
        let life = SignedDuration::from_millis(seconds * 1000 - 500);
        run(settings, ports, self.clock.sleep(life)).await
    }

    /// Also what it logged.
    pub(crate) async fn run_logged(&self, seconds: i64, level: LogLevel) -> (AgentEnd, String) {
        logged(level, self.run_for(seconds)).await
    }

    pub(crate) fn clock(&self) -> SystemClock {
        self.clock.clone()
    }

    pub(crate) fn attempts(&self) -> Vec<(SignedDuration, TagRequest)> {
        self.state().attempts.clone()
    }

    pub(crate) fn tokens(&self) -> u32 {
        self.state().tokens
    }

    /// Answered or not.
    pub(crate) fn token_requests(&self) -> u32 {
        self.state().token_requests
    }

    /// Those that the service was able to hear.
    pub(crate) fn notice_requests(&self) -> u32 {
        self.state().notice_requests
    }

    pub(crate) fn credential_requests(&self) -> u32 {
        self.state().credential_requests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    pub(super) fn passed(&self) -> SignedDuration {
        self.clock
            .now()
            .duration_since(START.parse().expect("a time"))
    }

    fn imds(&self) -> Imds {
        let second = self.passed().as_secs();
        let state = self.state();
        let current = state.imds.iter().rev().find(|(from, _)| *from <= second);
        current.expect("a script").1
    }
}

impl State {
    fn answer(&mut self, path: &str, second: i64, imds: Imds) -> (u16, &'static str) {
        match path {
            NOTICE_PATH => match imds {
                Imds::Body(body) => (200, body),
                Imds::Clear
                | Imds::Status(_)
                | Imds::Refused
                | Imds::Hang
                | Imds::TokensRefused
                | Imds::TokensHang => (404, ""),
            },
            REBALANCE_PATH => match second >= self.rebalance_from {
                true => (200, r#"{"noticeTime":"2026-01-01T00:00:00Z"}"#),
                false => (404, ""),
            },
            IDENTITY_PATH => (200, IDENTITY),
            CREDENTIALS_PATH if second < self.credentials_from => (404, ""),
            CREDENTIALS_PATH => (200, "runner-role"),
            _ => {
                self.credential_requests += 1;
                (200, CREDENTIALS)
            }
        }
    }
}

impl Metadata for Cloud {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        assert_eq!(ttl_seconds, 21_600);
        let second = self.passed().as_secs();
        self.state().token_requests += 1;
        match self.imds() {
            Imds::Refused => return Err(refused()),
            Imds::Status(status) => return Err(MetadataError::from_status(status)),
            Imds::Hang | Imds::TokensHang => pending().await,
            Imds::Clear | Imds::Body(_) | Imds::TokensRefused => (),
        }
        let mut state = self.state();
        if state.no_tokens.contains(&second) {
            return Err(MetadataError::Status(500));
        }
        state.tokens += 1;
        let revoked = second >= state.revoke_at;
        Ok(SessionToken::new(match revoked {
            true => "secret-new",
            false => "secret-old",
        }))
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        let second = self.passed().as_secs();
        let imds = self.imds();
        self.state().notice_requests += u32::from(path == NOTICE_PATH);
        let (status, body) = match imds {
            Imds::Refused => return Err(refused()),
            Imds::Hang => pending().await,
            Imds::Status(status) => (status, ""),
            Imds::TokensRefused => (401, ""),
            Imds::Clear | Imds::Body(_) | Imds::TokensHang => {
                let mut state = self.state();
                let old = token.expose() == "secret-old";
                match second >= state.revoke_at && old {
                    true => (401, ""),
                    false => state.answer(path, second, imds),
                }
            }
        };
        let body = body.as_bytes().to_vec();
        let date = None;
        Ok(Answer { status, body, date })
    }
}

impl Tagger for Cloud {
    fn tag(&self, request: &TagRequest) -> impl Future<Output = Result<(), TagFailure>> + Send {
        let mut state = self.state();
        let attempt = (self.passed(), request.clone());
        state.attempts.push(attempt);
        let next = state.tagging.pop_front();
        let next = next.unwrap_or_else(|| state.tagging_after.clone());
        async move {
            match next {
                Tagging::Works => Ok(()),
                Tagging::Fails(failure) => Err(failure),
                Tagging::Hangs => pending().await,
            }
        }
    }
}

pub(crate) fn throttled() -> TagFailure {
    TagFailure::Throttled {
        code: "RequestLimitExceeded".to_owned(),
    }
}

pub(crate) fn denied() -> TagFailure {
    TagFailure::Denied {
        code: "UnauthorizedOperation".to_owned(),
        message: "You are not authorized".to_owned(),
    }
}

fn refused() -> MetadataError {
    MetadataError::Transport("connection refused".to_owned())
}

/// Log lines, collected.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a future comes to, and what it logs meanwhile.
pub(crate) async fn logged<T>(level: LogLevel, work: impl Future<Output = T>) -> (T, String) {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        });
    let subscriber = tracing_subscriber::registry()
        .with(logging::filter(level))
        .with(layer);
    // While there is one dispatcher alone, `tracing` asks the thread that comes to a line first
    // whether anybody wants it. That may be another test's, without any.
    static ANOTHER: LazyLock<Dispatch> =
        LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
    LazyLock::force(&ANOTHER);
    let guard = tracing::subscriber::set_default(subscriber);
    let end = work.await;
    drop(guard);
    let text = lines.0.lock().expect("not poisoned").clone();
    (end, String::from_utf8(text).expect("text"))
}
