//! Asking the endpoint that a job's policy names.
//!
//! An execution of a job is asked about once, and again where an interruption shows after a no to a failure: what
//! came of it goes into the run's record together with the verdict that it makes, before anything is done about
//! that, and stands there from then on. A process that dies in between, or another replica, asks once more at
//! most, and whoever is first to write acts. The record holds no more than a hundred jobs that are given up.

use std::sync::{Arc, PoisonError};

use reprise_engine::run;
use reprise_model::advice::{Advice, EndpointName, NoAnswer, Question, Said};
use reprise_model::ids::{JobId, Repository};
use reprise_model::job::Job;
use reprise_model::ledger::RunKey;
use reprise_store::Store;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::context::{Controller, WorkError};
use crate::once::Once;
use crate::ports::{Advisers, Ports};

/// What endpoints said, by the job, and whether it was known to be interrupted.
pub(crate) type Advised = Once<(Repository, JobId, bool), Advice>;

/// How many questions to an endpoint are under way at once: a large matrix is no reason to bring it down.
const QUESTIONS_AT_ONCE: usize = 16;

/// The most that are remembered, of a few hundred bytes each: those of a large matrix.
pub(crate) const MOST_ADVISED: usize = 256;

impl<P: Ports> Controller<P> {
    /// What the endpoint says of a job, or said before.
    pub(super) async fn advise(
        &self,
        repository: &Repository,
        job: &Job,
        question: &Question,
    ) -> Result<Advice, WorkError> {
        let run = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let found = self.store.run(&run).await?;
        let known = found
            .as_ref()
            .and_then(|found| run::advice_on(&found.record, job));
        let answers = |advice: &&Advice| was_asked(advice) && advice.answers(question.interrupted);
        if let Some(known) = known.filter(answers) {
            return Ok(known.clone());
        }
        let key = (repository.clone(), job.id, question.interrupted);
        let asking = async { Ok(self.ask_endpoint(question).await) };
        self.advised.read(&key, |_| true, asking).await
    }

    /// Each endpoint has its own: one that is silent keeps nobody else's questions waiting.
    fn places_at(&self, endpoint: EndpointName) -> Arc<Semaphore> {
        let mut places = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
        Arc::clone(places.entry(endpoint).or_insert_with(made))
    }

    async fn ask_endpoint(&self, question: &Question) -> Advice {
        let answer = match &self.advisers {
            Some(advisers) => {
                let places = self.places_at(question.endpoint);
                // Nobody closes it; were it closed, nothing would be lost by asking.
                let _place = places.acquire().await;
                advisers.ask(question, self.now()).await
            }
            None => Err(NoAnswer::NotAllowed),
        };
        let advice = Advice {
            endpoint: question.endpoint,
            at: self.now(),
            said: Said::by(answer),
            interrupted: question.interrupted,
        };
        self.metrics
            .advised(advice.endpoint.as_str(), advice.said.as_str());
        tell(question, &advice);
        advice
    }
}

/// A label that might not name its endpoint may name it now.
fn was_asked(advice: &Advice) -> bool {
    let not_allowed = NoAnswer::NotAllowed;
    advice.said != Said::Nothing { why: not_allowed }
}

fn tell(question: &Question, advice: &Advice) {
    macro_rules! told {
        ($level:ident, $words:literal) => {
            $level!(
                target: "reprise::decision",
                decision = "advised",
                reason = advice.said.as_str(),
                detail = %advice,
                endpoint = %advice.endpoint,
                repository = %question.repository,
                run.id = %question.run.id,
                run.attempt = %question.run.attempt,
                job.id = %question.job.id,
                job.name = question.job.name,
                $words
            )
        };
    }
    match advice.said {
        Said::Yes { .. } | Said::No { .. } => told!(info, "an endpoint was asked about a job"),
        Said::Nothing { .. } => told!(
            warn,
            "an endpoint gave no answer about a job, and the default policy holds for it"
        ),
    }
}
