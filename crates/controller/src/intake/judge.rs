//! Gathering the facts about a completed job, and asking for the verdict.

use reprise_config::Place;
use reprise_engine::failure::{FailureSaid, UNTOLD};
use reprise_engine::job::{self, Earlier, Host, JobFacts, JobVerdict, Triage};
use reprise_engine::pace::Errand;
use reprise_model::advice::Advice;
use reprise_model::failure::Judgement;
use reprise_model::ids::{InstanceId, Repository};
use reprise_model::instance::{Instance, InstanceSight, InstanceView, SpotStatus};
use reprise_model::job::{Execution, Job};
use reprise_model::ledger::{ClaimKey, HandedOver, InstanceEntry, RunKey};
use reprise_model::reason::{Refusal, SettleReason};
use reprise_model::runner_name::NamedInstance;
use reprise_store::Store;
use tracing::warn;

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::pace::InTurn;
use crate::ports::{Cloud, GitHub, Ports};

impl<P: Ports> Controller<P> {
    /// One look, one verdict on whether a job was interrupted: why it failed was read before, and is not read
    /// again.
    pub(crate) async fn judge_again(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<JobVerdict, WorkError> {
        let look = self.look(repository, job).await?;
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let mut attempts = Attempts::new(self.github_for(Errand::Rerun), key);
        let read = Read {
            failure: Some(UNTOLD),
            ..Read::default()
        };
        let concluded = self.read_for(repository, job, (look, read), &mut attempts);
        let concluded = concluded.await?;
        if let JobVerdict::Ask(question) = &concluded.verdict
            && !question.interrupted
        {
            // Its endpoint had its say on the failure when that was new.
            return Ok(concluded.verdict);
        }
        self.advised(repository, job, concluded).await
    }

    /// A look at the job's host and what follows from it, earlier attempts unread.
    pub(crate) async fn look(&self, repository: &Repository, job: &Job) -> Result<Look, WorkError> {
        let allowed = self.allows(repository);
        let triage = job::triage(job, allowed, self.fleet_rule());
        if let Triage::Decided(verdict) = triage {
            return Ok(Look {
                verdict,
                found: Found::None,
            });
        }
        let mut found = self.find_host(job, triage == Triage::Recall).await?;
        self.find_runner(repository, job, &mut found).await?;
        self.find_spot_request(repository, job, &mut found).await;
        let verdict = self.verdict(repository, job, &found, &Read::default());
        if let (
            JobVerdict::Await { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::Settle {
                reason: SettleReason::Uncorroborated,
                ..
            },
            Some(seen),
        ) = (&verdict, found.seen())
        {
            let id = &seen.instance.id;
            self.metrics.saw_machine(id, &seen.instance_type);
        }
        Ok(Look { verdict, found })
    }

    /// The verdict of a look, with what it asks for read: the earlier attempts, why the job failed, and what
    /// its endpoint says.
    pub(crate) async fn conclude(
        &self,
        repository: &Repository,
        job: &Job,
        look: Look,
        attempts: &mut Attempts<InTurn<'_, P>>,
    ) -> Result<JobVerdict, WorkError> {
        let concluded = self.conclude_unasked(repository, job, look, attempts);
        let concluded = concluded.await?;
        self.advised(repository, job, concluded).await
    }

    /// The same, as far as it goes without its endpoint.
    pub(crate) async fn conclude_unasked(
        &self,
        repository: &Repository,
        job: &Job,
        look: Look,
        attempts: &mut Attempts<InTurn<'_, P>>,
    ) -> Result<Concluded, WorkError> {
        self.read_for(repository, job, (look, Read::default()), attempts)
            .await
    }

    /// The verdict, once its endpoint was asked where it wants that.
    pub(crate) async fn advised(
        &self,
        repository: &Repository,
        job: &Job,
        concluded: Concluded,
    ) -> Result<JobVerdict, WorkError> {
        let Concluded {
            verdict,
            found,
            mut read,
        } = concluded;
        let JobVerdict::Ask(question) = &verdict else {
            return Ok(verdict);
        };
        // Boxed: few jobs need it, and all would pay for its size.
        read.advice = Some(Box::pin(self.advise(repository, job, question)).await?);
        Ok(self.verdict(repository, job, &found, &read))
    }

    async fn read_for(
        &self,
        repository: &Repository,
        job: &Job,
        (look, mut read): (Look, Read),
        attempts: &mut Attempts<InTurn<'_, P>>,
    ) -> Result<Concluded, WorkError> {
        let mut verdict = look.verdict;
        loop {
            match verdict {
                JobVerdict::ReadEarlier => {
                    read.earlier = Some(earlier(job, attempts).await?);
                }
                JobVerdict::ReadFailure => {
                    // Boxed: few jobs need it, and all would pay for its size.
                    let judging = Box::pin(self.judge_failure(repository, job));
                    let said = match read.failure.take() {
                        Some(judgement) => FailureSaid::Judged(judgement),
                        None => judging.await?,
                    };
                    match said {
                        FailureSaid::Judged(judgement) => read.failure = Some(judgement),
                        FailureSaid::TooEarly { at } => {
                            return Ok(Concluded {
                                verdict: JobVerdict::LookAgain { at, until: at },
                                found: look.found,
                                read,
                            });
                        }
                    }
                }
                verdict @ (JobVerdict::Ignore(_)
                | JobVerdict::Settle { .. }
                | JobVerdict::LookAgain { .. }
                | JobVerdict::Ask(_)
                | JobVerdict::Await { .. }
                | JobVerdict::Retry { .. }) => {
                    return Ok(Concluded {
                        verdict,
                        found: look.found,
                        read,
                    });
                }
            }
            verdict = self.verdict(repository, job, &look.found, &read);
        }
    }

    /// One look, one verdict, and the instance where it was launched for another job than this.
    pub(crate) async fn judge_and_see(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<(JobVerdict, Option<(ClaimKey, InstanceId)>), WorkError> {
        let look = self.look(repository, job).await?;
        let other = look.found.seen().and_then(|view| {
            let key = self.claim_key(view)?;
            (key.job_id != job.id).then(|| (key, view.instance.id.clone()))
        });
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let mut attempts = Attempts::new(self.github_for(Errand::Rerun), key);
        let verdict = self.conclude(repository, job, look, &mut attempts).await?;
        Ok((verdict, other))
    }

    /// The instance that the job's runner names.
    pub(crate) fn named_instance(&self, job: &Job) -> Option<NamedInstance> {
        self.settings.runner_name.read(job.runner_name.as_ref()?)
    }

    fn verdict(
        &self,
        repository: &Repository,
        job: &Job,
        found: &Found,
        read: &Read,
    ) -> JobVerdict {
        let now = self.clock.now();
        let in_vain = self.policy_of(repository, job).named_in_vain(now);
        let facts = JobFacts {
            advice: read.advice.as_ref().or(in_vain.as_ref()),
            ..self.facts(repository, job, found, read)
        };
        job::completed(&facts, &self.settings.rules, now)
    }

    fn facts<'a>(
        &'a self,
        repository: &'a Repository,
        job: &'a Job,
        found: &'a Found,
        read: &'a Read,
    ) -> JobFacts<'a> {
        let policy = self.policy_of(repository, job);
        JobFacts {
            job,
            repository,
            repository_allowed: self.allows(repository),
            host: found.as_host(),
            runner: found.runner(),
            spot_request: found.spot_request(),
            earlier: read.as_earlier(),
            policy: policy.retry,
            delays: policy.delays,
            failure: read.failure.as_ref(),
            advice: read.advice.as_ref(),
            web: &self.settings.web,
            fleet: self.fleet_rule(),
        }
    }

    /// Reads what EC2 says of the host's spot request, where that decides. It is one witness of three:
    /// where it cannot be read, as without the permission, the others are left.
    async fn find_spot_request(&self, repository: &Repository, job: &Job, found: &mut Found) {
        let unread = Read::default();
        let facts = self.facts(repository, job, found, &unread);
        if !job::asks_for_spot_request(&facts, &self.settings.rules, self.clock.now()) {
            return;
        }
        let Found::Looked(looked) = found else { return };
        let Some(Instance { region, id, .. }) = looked.instance().cloned() else {
            return;
        };
        // Boxed: few jobs need it, and all would pay for its size.
        match Box::pin(self.cloud.spot_status(&region, &id)).await {
            Ok(status) => looked.spot_request = status,
            Err(error) => warn!(
                error = %chain(&error),
                instance.id = %id,
                instance.region = %region,
                "the spot request of an instance that is tagged as interrupted cannot be read; \
                 other proof is waited for"
            ),
        }
    }

    /// Reads which runner the job's host got, where that decides.
    async fn find_runner(
        &self,
        repository: &Repository,
        job: &Job,
        found: &mut Found,
    ) -> Result<(), WorkError> {
        let (fleet, rules) = (self.fleet_rule(), &self.settings.rules);
        let Some(view) = found.seen() else {
            return Ok(());
        };
        if !job::asks_for_runner(job, repository, view, fleet, rules) {
            return Ok(());
        }
        let runner = self.handed_over_to(view).await?;
        if let Found::Looked(looked) = found {
            looked.runner = runner;
        }
        Ok(())
    }

    /// The runner that an instance got from us.
    async fn handed_over_to(&self, view: &InstanceView) -> Result<Option<HandedOver>, WorkError> {
        let Some(claim) = self.claim_of(view).await? else {
            return Ok(None);
        };
        let id = &view.instance.id;
        if let Some(runner) = claim.runner_of(id) {
            return Ok(Some(runner.clone()));
        }
        let crew = self.crew_of(&claim).await?;
        let runner = crew.iter().find_map(|claim| claim.runner_of(id));
        Ok(runner.cloned())
    }

    /// Looks for the instance that the runner's name tells, in the region that it tells or in
    /// each of ours. Where it may be recalled, an earlier list of EC2's tells what it is.
    async fn find_host(&self, job: &Job, may_recall: bool) -> Result<Found, WorkError> {
        if job.runner_name.is_none() {
            return Ok(Found::None);
        }
        let Some(named) = self.named_instance(job) else {
            return Ok(Found::NotNamed);
        };
        let (mut found, mut failure) = (Found::ElsewhereRegion, None);
        let may_be_in = |place: &&Place| {
            let region = named.region.as_ref();
            region.is_none_or(|region| *region == place.region)
        };
        for place in self.settings.places.iter().filter(may_be_in) {
            match self.look_in(place, &named.id, may_recall).await {
                Ok(looked) => {
                    let known = looked.knows_it();
                    found = Found::Looked(Box::new(looked));
                    if known {
                        return Ok(found);
                    }
                }
                // An id is one instance's everywhere: a region that does not answer keeps back
                // only what no other one knows.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(found), Err)
    }

    async fn look_in(
        &self,
        place: &Place,
        id: &InstanceId,
        may_recall: bool,
    ) -> Result<Looked, WorkError> {
        let instance = Instance {
            account: place.account.clone(),
            region: place.region.clone(),
            id: id.clone(),
        };
        let recalled = match may_recall {
            true => self.recall(&place.region, id).await,
            false => None,
        };
        let sight = match recalled {
            Some(view) => InstanceSight::Seen(view),
            None => self.cloud.look(&place.region, id).await?,
        };
        // What passed was not interrupted, whatever is remembered of its host.
        let entry = match may_recall {
            true => None,
            false => self.store.instance(&instance).await?,
        };
        Ok(Looked {
            sight,
            remembered: entry.map(|entry| entry.record),
            runner: None,
            spot_request: None,
        })
    }
}

/// The executions of the job's key in earlier attempts, or GitHub's final no. Any other failure passes,
/// and the job is judged again.
async fn earlier<G: GitHub>(
    job: &Job,
    attempts: &mut Attempts<G>,
) -> Result<Result<Vec<Execution>, Refusal>, WorkError> {
    match attempts.earlier_executions(job).await {
        Ok(earlier) => Ok(Ok(earlier)),
        Err(error) => match error.refusal() {
            Some(refusal) => Ok(Err(refusal)),
            None => Err(error.into()),
        },
    }
}

/// What was read for a verdict.
#[derive(Default)]
struct Read {
    earlier: Option<Result<Vec<Execution>, Refusal>>,
    failure: Option<Judgement>,
    advice: Option<Advice>,
}

impl Read {
    fn as_earlier(&self) -> Earlier<'_> {
        match &self.earlier {
            None => Earlier::Unread,
            Some(Ok(earlier)) => Earlier::Read(earlier),
            Some(Err(refusal)) => Earlier::Unreadable(refusal),
        }
    }
}

/// What a look brought.
pub(crate) struct Look {
    pub(crate) verdict: JobVerdict,
    found: Found,
}

/// A verdict, which may want its endpoint asked, and what it was made of.
pub(crate) struct Concluded {
    pub(crate) verdict: JobVerdict,
    found: Found,
    read: Read,
}

/// What was found of a job's host, owned.
enum Found {
    None,
    NotNamed,
    ElsewhereRegion,
    Looked(Box<Looked>),
}

struct Looked {
    sight: InstanceSight,
    remembered: Option<InstanceEntry>,
    /// The runner that the instance got from us, where that was read.
    runner: Option<HandedOver>,
    /// What EC2 says of its spot request, where that was read.
    spot_request: Option<SpotStatus>,
}

impl Looked {
    fn instance(&self) -> Option<&Instance> {
        match &self.sight {
            InstanceSight::Seen(view) => Some(&view.instance),
            InstanceSight::Absent => self.remembered.as_ref().map(|entry| &entry.instance),
        }
    }

    fn knows_it(&self) -> bool {
        self.remembered.is_some() || matches!(self.sight, InstanceSight::Seen(_))
    }
}

impl Found {
    fn seen(&self) -> Option<&InstanceView> {
        match self {
            Self::Looked(looked) => match &looked.sight {
                InstanceSight::Seen(view) => Some(view),
                InstanceSight::Absent => None,
            },
            Self::None | Self::NotNamed | Self::ElsewhereRegion => None,
        }
    }

    fn runner(&self) -> Option<&HandedOver> {
        match self {
            Self::Looked(looked) => looked.runner.as_ref(),
            Self::None | Self::NotNamed | Self::ElsewhereRegion => None,
        }
    }

    fn spot_request(&self) -> Option<&SpotStatus> {
        match self {
            Self::Looked(looked) => looked.spot_request.as_ref(),
            Self::None | Self::NotNamed | Self::ElsewhereRegion => None,
        }
    }

    fn as_host(&self) -> Host<'_> {
        match self {
            Self::None => Host::None,
            Self::NotNamed => Host::NotNamed,
            Self::ElsewhereRegion => Host::ElsewhereRegion,
            Self::Looked(looked) => Host::Looked {
                sight: &looked.sight,
                remembered: looked.remembered.as_ref(),
            },
        }
    }
}
