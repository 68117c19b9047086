//! The loop: poll, tag when there is a notice, and never end by itself. What a notice leads to beside
//! the tag goes on next to it (`interruption`).
//!
//! It makes no choices: what a sight or an answer leads to is decided in [`crate::watch`]. All that
//! it touches comes through ports, so that a simulator drives it under virtual time.
//!
//! Invariant: no answer of the metadata service or of EC2 ends it, and it never shuts the host
//! down: EC2 takes it, and that is the evidence.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reprise_model::instance::Instance;
use reprise_model::tags;

use crate::clock::Clock;
use crate::complaint::Complaint;
use crate::host::Host;
use crate::interruption::{self, Left, News};
use crate::lookup::{Lookup, Polled};
use crate::metadata::{Metadata, MetadataError};
use crate::notebook::{Earlier, Notebook};
use crate::notice::{Notice, Reading, Shown};
use crate::noticed::Noticed;
use crate::rebalance;
use crate::record::Record;
use crate::settings::{OnRebalance, Settings};
use crate::systemd::Systemd;
use crate::tagger::{TagFailure, TagRequest, Tagger};
use crate::watch::{Change, Due, GaveUp, Seen, Sight, Tagging, Verdict, Watch};

/// How long one call of EC2's API may take, in real time like
/// [`crate::session::REQUEST_DEADLINE`]. Longer than that of the metadata service, because it
/// holds a name lookup and a TLS handshake, and because EC2 is slowest when many are interrupted.
pub const TAG_DEADLINE: Duration = Duration::from_secs(5);

/// Everything outside of the agent.
#[derive(Debug)]
pub struct Ports<M, T, C, H> {
    /// The metadata service.
    pub metadata: M,
    /// EC2's CreateTags.
    pub tagger: T,
    /// Time.
    pub clock: C,
    /// The machine: its record, its hooks, its runner.
    pub host: H,
    /// Is told of a notice.
    pub noticed: Noticed,
    /// The randomness of waits; seed it to replay a run.
    pub jitter: fastrand::Rng,
}

/// What the agent had come to when it was told to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentEnd {
    /// The instance, if it was learnt.
    pub instance: Option<Instance>,
    /// How many polls there were, answered or not.
    pub polls: u64,
    /// The notice that was seen, and how far its tag was.
    pub notice: Option<(Notice, Tagging)>,
}

/// Watches until `shutdown` completes; nothing else ends it.
pub async fn run<M: Metadata, T: Tagger, C: Clock, H: Host>(
    settings: &Settings,
    ports: Ports<M, T, C, H>,
    shutdown: impl Future<Output = ()>,
) -> AgentEnd {
    let (news, heard) = tokio::sync::watch::channel(News::default());
    let (host, clock) = (&ports.host, &ports.clock);
    let notebook = Notebook::new(host);
    let told = &settings.interruption;
    let attending = interruption::attend(told, host, clock, &notebook, heard);
    let mut agent = Agent::new(settings, &ports, &notebook, news);
    tokio::select! {
        biased;
        () = shutdown => (),
        // The watch goes first: the record and the first attempt to tag come before all else.
        never = agent.watch_on() => match never {},
        never = Box::pin(attending) => match never {},
    }
    agent.end()
}

struct Agent<'a, M, T, C, H> {
    ports: &'a Ports<M, T, C, H>,
    jitter: fastrand::Rng,
    notebook: &'a Notebook<'a, H>,
    news: tokio::sync::watch::Sender<News>,
    on_rebalance: OnRebalance,
    interval: SignedDuration,
    tag_key: String,
    lookup: Lookup,
    watch: Watch,
    polls: u64,
    metadata_trouble: Complaint,
    identity_trouble: Complaint,
    said_unreadable: bool,
    last_failure: Option<TagFailure>,
    noticed_at: Option<Timestamp>,
    /// What an earlier agent saw is told of after the first poll: it may be gone since.
    resumed_untold: Option<Left>,
    systemd: Systemd,
}

impl<'a, M: Metadata, T: Tagger, C: Clock, H: Host> Agent<'a, M, T, C, H> {
    fn new(
        settings: &Settings,
        ports: &'a Ports<M, T, C, H>,
        notebook: &'a Notebook<'a, H>,
        news: tokio::sync::watch::Sender<News>,
    ) -> Self {
        let tag_key = settings.tag_keys().interrupted();
        let interval = settings.poll_interval.get();
        tracing::info!(
            agent.version = env!("CARGO_PKG_VERSION"),
            metadata.endpoint = %settings.metadata_endpoint,
            poll.interval_ms = millis(interval),
            tag.key = tag_key,
            "watching for an interruption notice"
        );
        Self {
            ports,
            jitter: ports.jitter.clone(),
            notebook,
            news,
            on_rebalance: settings.interruption.on_rebalance,
            interval,
            tag_key,
            lookup: Lookup::default(),
            watch: Watch::default(),
            polls: 0,
            metadata_trouble: Complaint::default(),
            identity_trouble: Complaint::default(),
            said_unreadable: false,
            last_failure: None,
            noticed_at: None,
            resumed_untold: None,
            systemd: Systemd::from_environment(),
        }
    }

    async fn watch_on(&mut self) -> Infallible {
        self.systemd.ready("watching for an interruption notice");
        self.resume().await;
        let mut next_poll = self.ports.clock.now();
        loop {
            let now = self.ports.clock.now();
            self.systemd.beat(now);
            if now >= next_poll {
                next_poll = now + self.interval;
                self.poll().await;
            }
            let now = self.ports.clock.now();
            self.systemd.beat(now);
            let wake = match self.watch.due(now) {
                Due::Nothing => next_poll,
                Due::Wait(until) => next_poll.min(until),
                Due::GiveUp(reason) => {
                    self.gave_up(&reason);
                    next_poll
                }
                Due::Tag => {
                    self.tag().await;
                    continue;
                }
            };
            let wake = self.systemd.next_beat().map_or(wake, |beat| wake.min(beat));
            self.ports.clock.sleep(wake.duration_since(now)).await;
        }
    }

    async fn poll(&mut self) {
        self.polls += 1;
        let polled = self
            .lookup
            .poll(&self.ports.metadata, &self.ports.clock)
            .await;
        match polled {
            Ok(polled) => {
                self.polled(polled).await;
                if self.polls.is_multiple_of(rebalance::EVERY_POLLS) {
                    self.ask_for_a_recommendation().await;
                }
            }
            Err(error) => self.metadata_failed(&error),
        }
        if let Some(left) = self.resumed_untold.take() {
            self.news.send_modify(|news| news.left = Some(left));
            self.tell();
        }
    }

    /// Goes on with the notice that an earlier agent of this boot saw.
    async fn resume(&mut self) {
        let now = self.ports.clock.now();
        let (seen, record) = match self.notebook.resume(now).await {
            Some(Earlier::Notice(seen, record)) => (seen, record),
            Some(Earlier::Outlived(job_ended)) => {
                let left = Some(Left { job_ended });
                self.news.send_modify(|news| news.left = left);
                return;
            }
            None => return,
        };
        tracing::warn!(
            notice.action = %seen.notice.action,
            notice.remaining_ms = millis(seen.ends_at().duration_since(now)),
            notice.tagged = record.tagged,
            "an earlier agent of this boot saw a notice; going on with it"
        );
        self.noticed_at = Some(seen.at);
        self.ports.noticed.see(&seen);
        self.watch.resume(seen, record.tagged, record.gone);
        let job_ended = record.job_ended;
        self.resumed_untold = Some(Left { job_ended });
    }

    /// Not while there is a notice, which says more.
    async fn ask_for_a_recommendation(&mut self) {
        let asked = match self.on_rebalance {
            OnRebalance::StopTakingJobs => !self.news.borrow().rebalance,
            OnRebalance::Ignore => false,
        };
        if !asked || self.watch.case().is_some() {
            return;
        }
        let ports = self.ports;
        let asking = self
            .lookup
            .rebalance_recommended(&ports.metadata, &ports.clock);
        let recommended = tokio::time::timeout(rebalance::DEADLINE, asking).await;
        // A failure is no trouble of its own: the polls tell of it.
        if let Ok(Ok(true)) = recommended {
            self.news.send_modify(|news| news.rebalance = true);
        }
    }

    /// Tells of the notice as it is.
    fn tell(&self) {
        let notice = self.watch.seen();
        let notice = notice.map(|(seen, present)| (seen.clone(), present));
        let instance_id = self.instance_id();
        self.news.send_modify(|news| {
            news.notice = notice;
            news.instance_id = instance_id;
        });
    }

    fn instance_id(&self) -> Option<String> {
        let instance = self.lookup.known_instance();
        instance.map(|instance| instance.id.to_string())
    }

    async fn polled(&mut self, polled: Polled) {
        if self.metadata_trouble.succeeded() {
            tracing::info!("the metadata service answers again");
        }
        match polled {
            Polled::Clear => self.see(Sight::Clear).await,
            Polled::Body(Reading::Clean(notice), date) => {
                self.see(Sight::Notice(notice, date)).await;
            }
            Polled::Body(Reading::NoTime(notice, odd), date) => {
                let what = "the notice has no legible time; it is counted as two minutes";
                self.unreadable(what, &odd);
                self.see(Sight::Notice(notice, date)).await;
            }
            Polled::Body(Reading::NotANotice(odd), _) => {
                let what = "what stands in the notice's place is no notice of EC2's; it is ignored";
                self.unreadable(what, &odd);
            }
        }
        // A due tag asks for the identity itself, and must not wait behind it.
        if self.lookup.known_instance().is_none() && self.watch.case().is_none() {
            self.learn_identity().await;
        }
    }

    async fn see(&mut self, sight: Sight) {
        let now = self.ports.clock.now();
        match self.watch.see(sight, now) {
            Change::Same => return,
            Change::FirstSight => self.noticed(now).await,
            Change::Gone => {
                tracing::warn!("the interruption notice is gone again; watching on");
                self.systemd.status("the interruption notice is gone again");
                self.notebook.note(|record| record.gone = true).await;
            }
            Change::Back => {
                tracing::warn!("the same interruption notice is there again");
                self.notebook.note(|record| record.gone = false).await;
            }
        }
        self.tell();
    }

    async fn noticed(&mut self, now: Timestamp) {
        self.noticed_at = Some(now);
        self.last_failure = None;
        let Some((seen, _)) = self.watch.seen() else {
            return;
        };
        self.ports.noticed.see(seen);
        self.notebook.open(seen, self.instance_id()).await;
        self.say_noticed(&seen.clone());
    }

    fn say_noticed(&mut self, seen: &Seen) {
        let notice = &seen.notice;
        tracing::warn!(
            notice.action = %notice.action,
            notice.time = notice.time.map(tracing::field::display),
            notice.remaining_ms = millis(seen.remaining.span),
            notice.standing = ?seen.remaining.standing,
            instance.id = self.lookup.known_instance().map(|i| tracing::field::display(&i.id)),
            "EC2 gives notice of an interruption"
        );
        let status = format!("EC2 gives notice ({}); tagging", notice.action);
        self.systemd.status(&status);
    }

    async fn tag(&mut self) {
        let outcome = self.attempt().await;
        let now = self.ports.clock.now();
        let random = self.jitter.f64();
        let failure = outcome.as_ref().err().cloned();
        let verdict = self.watch.attempted(outcome, now, random);
        match verdict {
            Some(Verdict::Tagged) => {
                // It may have been learnt for the tag's sake.
                let instance_id = self.instance_id();
                let note = |record: &mut Record| {
                    record.tagged = true;
                    record.instance_id = instance_id;
                };
                self.notebook.note(note).await;
                self.tagged(now);
            }
            Some(Verdict::GaveUp(reason)) => self.gave_up(&reason),
            Some(Verdict::Again {
                after,
                new_credentials,
            }) => {
                if new_credentials {
                    self.lookup.forget_credentials();
                }
                self.attempt_failed(failure, after);
            }
            None => (),
        }
    }

    async fn attempt(&mut self) -> Result<(), TagFailure> {
        let Ports {
            metadata,
            tagger,
            clock,
            ..
        } = self.ports;
        let instance = self
            .lookup
            .instance(metadata, clock)
            .await
            .map_err(TagFailure::NoIdentity)?;
        let credentials = self
            .lookup
            .credentials(metadata, clock)
            .await
            .map_err(TagFailure::NoCredentials)?;
        let request = TagRequest {
            instance,
            credentials,
            signed_at: clock.wall(),
            key: self.tag_key.clone(),
            value: tags::TRUE.to_owned(),
        };
        tokio::time::timeout(TAG_DEADLINE, tagger.tag(&request))
            .await
            .unwrap_or(Err(TagFailure::TimedOut))
    }

    async fn learn_identity(&mut self) {
        let Ports {
            metadata, clock, ..
        } = self.ports;
        let Err(error) = self.lookup.instance(metadata, clock).await else {
            return;
        };
        if let Some(failures) = self.identity_trouble.failed(clock.now()) {
            tracing::warn!(
                error.message = error,
                error.count = failures,
                "the instance's identity is not known yet; trying on"
            );
        }
    }

    fn metadata_failed(&mut self, error: &MetadataError) {
        if let Some(failures) = self.metadata_trouble.failed(self.ports.clock.now()) {
            tracing::warn!(
                error.message = %error,
                error.count = failures,
                "a poll of the metadata service failed; polling on"
            );
        }
    }

    fn unreadable(&mut self, what: &'static str, odd: &Shown) {
        if !std::mem::replace(&mut self.said_unreadable, true) {
            tracing::warn!(notice.text = odd.0, "{what}");
        }
    }

    fn attempt_failed(&mut self, failure: Option<TagFailure>, after: SignedDuration) {
        let Some(failure) = failure else { return };
        let wait_ms = millis(after);
        let kind = std::mem::discriminant(&failure);
        let known = self.last_failure.as_ref().map(std::mem::discriminant) == Some(kind);
        if known {
            tracing::debug!(error.message = %failure, retry.wait_ms = wait_ms, "not tagged; trying on");
        } else {
            tracing::warn!(error.message = %failure, retry.wait_ms = wait_ms, "not tagged; trying on");
        }
        self.last_failure = Some(failure);
    }

    fn tagged(&mut self, now: Timestamp) {
        let (attempts, since_notice) = self.effort(now);
        tracing::warn!(
            tag.key = self.tag_key,
            tag.attempts = attempts,
            tag.latency_ms = millis(since_notice),
            "the instance is tagged as interrupted"
        );
        self.systemd
            .status("EC2 gives notice; the instance is tagged as interrupted");
    }

    fn gave_up(&mut self, reason: &GaveUp) {
        let (attempts, since_notice) = self.effort(self.ports.clock.now());
        tracing::error!(
            tag.key = self.tag_key,
            tag.attempts = attempts,
            tag.trying_ms = millis(since_notice),
            error.message = %reason,
            "gave up tagging the instance; the controller has to rely on EC2's own events"
        );
        let status = format!("EC2 gives notice; the instance is not tagged: {reason}");
        self.systemd.status(&status);
    }

    fn effort(&self, now: Timestamp) -> (u32, SignedDuration) {
        let attempts = match self.watch.case() {
            Some((_, Tagging::Trying { failed, .. })) => *failed,
            Some((_, Tagging::Tagged { attempts } | Tagging::GaveUp { attempts, .. })) => *attempts,
            None => 0,
        };
        let since = self.noticed_at.unwrap_or(now);
        (attempts, now.duration_since(since))
    }

    fn end(mut self) -> AgentEnd {
        self.systemd.stopping();
        tracing::info!(poll.count = self.polls, "stopped on request");
        AgentEnd {
            instance: self.lookup.known_instance().cloned(),
            polls: self.polls,
            notice: self
                .watch
                .case()
                .map(|(notice, tagging)| (notice.clone(), tagging.clone())),
        }
    }
}

/// As a number that every log format knows.
pub(crate) fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
