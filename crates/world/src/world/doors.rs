//! The HTTP doors of the world: one request in, one answer out.

use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use reprise_model::ids::InstanceId;

use super::World;
use crate::drills::is_for_fis;
use crate::event_rules::{self, is_for_events};
use crate::runner_table::is_for_dynamodb;
use crate::sqs::SqsReply;
use crate::sts::{self, is_for_sts};

/// `X-Amz-Target` names an action of SQS or DynamoDB; EC2's Query protocol has no such header.
const TARGET: &str = "x-amz-target";

/// The answer of an AWS service, or when to ask again.
#[derive(Debug)]
pub enum AwsReply {
    /// The answer.
    Ready(Response<Vec<u8>>),
    /// A long poll without messages: ask again, with the time of the first request, when something
    /// changed, and at this time at the latest.
    WaitUntil(Timestamp),
}

impl World {
    /// Answers a request to EC2, SQS, the runner table, the Fault Injection Service, EventBridge or STS, which share one
    /// address. `asked_at` is the time at which the
    /// request came, for one that is asked again.
    pub fn handle_aws(
        &mut self,
        now: Timestamp,
        asked_at: Option<Timestamp>,
        request: &Request<Vec<u8>>,
    ) -> AwsReply {
        self.advance(now);
        if is_for_dynamodb(request) {
            let answer = self
                .places
                .asked(request)
                .answer_for_table(self.now, request);
            return AwsReply::Ready(answer);
        }
        if is_for_events(request) {
            let queue = &self.settings.queues.ec2_events;
            let arn = event_rules::arn(&self.settings.region, &self.settings.account);
            return AwsReply::Ready(self.event_rules.handle(&arn, queue, request));
        }
        if is_for_sts(request) {
            return AwsReply::Ready(sts::identity(&self.settings.account, request));
        }
        if is_for_fis(request) {
            let (key, stack) = (self.settings.tags.stack(), self.settings.stack.to_string());
            let place = self.places.asked(request);
            let answer = place.answer_for_drills(self.now, (&key, &stack), request);
            self.settle();
            return AwsReply::Ready(answer);
        }
        if !is_for_sqs(request) {
            let answer = self.places.asked(request).ec2.handle(self.now, request);
            self.settle();
            return AwsReply::Ready(answer);
        }
        let reply = match asked_at {
            None => self.sqs.handle(self.now, request),
            Some(asked_at) => self.sqs.handle_again(self.now, asked_at, request),
        };
        match reply {
            SqsReply::Ready(answer) => AwsReply::Ready(answer),
            SqsReply::WaitUntil(at) => AwsReply::WaitUntil(at),
        }
    }

    /// Answers a request to GitHub. `POST /_machines/INSTANCE/runner` with a just-in-time configuration
    /// as its body stands for the runner's own program on that instance, whose way to speak to GitHub
    /// is its own affair: 204, or 409 with the reason.
    pub fn handle_github(
        &mut self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        self.advance(now);
        if let Some(id) = machine_of(request) {
            return self.handle_runner(&id, request.body());
        }
        let answer = self.github.handle(self.now, request);
        self.settle();
        answer
    }

    fn handle_runner(&mut self, id: &InstanceId, body: &[u8]) -> Response<Vec<u8>> {
        let encoded = String::from_utf8_lossy(body);
        let (status, text) = match self.start_runner(self.now, id, encoded.trim()) {
            Ok(()) => (StatusCode::NO_CONTENT, String::new()),
            Err(error) => (StatusCode::CONFLICT, error.to_string()),
        };
        let mut response = Response::new(text.into_bytes());
        *response.status_mut() = status;
        response
    }

    /// Answers a request of a program on an instance to its metadata service.
    pub fn handle_imds(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        self.advance(now);
        let now = self.now;
        self.imds_mut(id);
        match self.imds.get_mut(id) {
            Some(imds) => imds.handle(&self.places.of(id).ec2, id, now, request),
            None => Response::new(Vec::new()),
        }
    }

    /// The same for a `PUT` of a token without HTTP.
    pub fn imds_token(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        ttl_seconds: u32,
    ) -> Result<String, StatusCode> {
        self.advance(now);
        let now = self.now;
        self.imds_mut(id).token(now, ttl_seconds)
    }

    /// The same for a `GET` without HTTP.
    pub fn imds_get(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        path: &str,
        token: &str,
    ) -> Result<String, StatusCode> {
        self.advance(now);
        let now = self.now;
        self.imds_mut(id);
        let imds = self.imds.get_mut(id).ok_or(StatusCode::NOT_FOUND)?;
        imds.get(&self.places.of(id).ec2, id, now, path, token)
    }
}

/// The instance on which a runner's program starts.
fn machine_of(request: &Request<Vec<u8>>) -> Option<InstanceId> {
    let path = request.uri().path().strip_prefix("/_machines/")?;
    path.strip_suffix("/runner")?.parse().ok()
}

/// Whether a request is meant for SQS.
pub(crate) fn is_for_sqs(request: &Request<Vec<u8>>) -> bool {
    request
        .headers()
        .get(TARGET)
        .is_some_and(|target| target.as_bytes().starts_with(b"AmazonSQS."))
}
