//! What is pushed: runs over a few repositories, with all that a workflow file can say.

use jiff::SignedDuration;
use reprise_model::ids::{Repository, Sha};
use reprise_world::github::{Concurrency, JobSpec, RunSpec};
use reprise_world::scenario::RUN_PLACEHOLDER;

use super::fates::Mix;
use super::kind::Kind;
use super::{Action, Dice, Push, Step};

const REPOSITORIES: [&str; 3] = ["acme/shop", "acme/site", "acme/api"];

/// What the workflows of a repository are called.
const WORKFLOWS: [&str; 3] = ["ci", "lint", "nightly"];

/// How many jobs a plan has at most, so that a seed does not take long.
const MOST_JOBS: usize = 60;

/// The pushes, in order of time.
pub(super) fn pushes(dice: &mut Dice, kind: &Kind, mix: &Mix) -> Vec<Step> {
    let repositories = dice.number_of(1, REPOSITORIES.len());
    let runs = dice.one_of(1, &[(300, 2), (130, 3), (60, 4), (40, 5), (30, 6)]);
    let runs = if kind.machines_are_ready {
        (runs + 2).min(6)
    } else {
        runs
    };
    let branches_are_shared = dice.chance(250);
    let mut steps: Vec<Step> = Vec::new();
    let mut jobs = 0;
    for number in 0..runs {
        let Some(repository) = repository(dice, repositories) else {
            continue;
        };
        let at = push_time(dice);
        let place = Place {
            repository,
            number,
            branches_are_shared,
            kind,
        };
        // Several workflow files may answer to one commit.
        let files = if dice.chance(120) { 2 } else { 1 };
        for file in 0..files {
            let push = push(dice, mix, &place, file);
            jobs += push.spec.jobs.len();
            if jobs > MOST_JOBS && !steps.is_empty() {
                break;
            }
            let what = Action::Push(Box::new(push));
            steps.push(Step { at, what });
        }
    }
    steps.sort_by_key(|step| step.at);
    steps
}

fn push_time(dice: &mut Dice) -> SignedDuration {
    if dice.chance(200) {
        dice.seconds(0, 2_400)
    } else {
        dice.seconds(0, 300)
    }
}

fn repository(dice: &mut Dice, of: usize) -> Option<Repository> {
    REPOSITORIES.get(dice.below(of))?.parse().ok()
}

/// Where a run belongs.
struct Place<'a> {
    repository: Repository,
    number: usize,
    branches_are_shared: bool,
    kind: &'a Kind,
}

fn push(dice: &mut Dice, mix: &Mix, place: &Place<'_>, file: usize) -> Push {
    let jobs = jobs(dice, place);
    let fates = jobs.iter().map(|_| mix.fates(dice)).collect();
    let mut spec = RunSpec::new(place.repository.clone(), jobs);
    let workflow = WORKFLOWS[file.min(WORKFLOWS.len() - 1)];
    spec.workflow_name = workflow.to_owned();
    spec.workflow_path = format!(".github/workflows/{workflow}.yml");
    spec.head_sha = Sha::new(format!("{:040x}", place.number + 1));
    let event = dice.one_of("push", &[(250, "pull_request"), (150, "merge_group")]);
    spec.event = event.to_owned();
    spec.head_branch = Some(branch(place, event));
    spec.concurrency = concurrency(dice, place);
    spec.waited = place.kind.waited(dice);
    Push { spec, fates }
}

fn branch(place: &Place<'_>, event: &str) -> String {
    let number = place.number + 1;
    match event {
        "merge_group" => format!("gh-readonly-queue/main/pr-{number}-{number:040x}"),
        _ if place.branches_are_shared => "main".to_owned(),
        _ => format!("topic-{number}"),
    }
}

fn concurrency(dice: &mut Dice, place: &Place<'_>) -> Option<Concurrency> {
    let group = if dice.chance(300) {
        "deploy".to_owned()
    } else {
        format!("ci-{}", place.number)
    };
    dice.chance(150).then(|| Concurrency {
        group,
        cancel_in_progress: dice.chance(500),
    })
}

/// How the jobs of a run hang together.
#[derive(Debug, Clone, Copy)]
enum Shape {
    One,
    Few,
    Chain,
    Matrix { fail_fast: bool },
    Gated,
    TwoMatrices,
    Big,
}

fn jobs(dice: &mut Dice, run: &Place<'_>) -> Vec<JobSpec> {
    let shapes = [
        (230, Shape::Few),
        (110, Shape::Chain),
        (200, Shape::Matrix { fail_fast: true }),
        (60, Shape::Matrix { fail_fast: false }),
        (120, Shape::Gated),
        (50, Shape::TwoMatrices),
        (20, Shape::Big),
    ];
    let mut jobs = match dice.one_of(Shape::One, &shapes) {
        Shape::One => plain(dice, 1),
        Shape::Few => {
            let count = dice.number_of(2, 5);
            plain(dice, count)
        }
        Shape::Chain => chain(dice),
        Shape::Matrix { fail_fast } => {
            let parts = dice.number_of(2, 6);
            matrix("test", parts, fail_fast)
        }
        Shape::Gated => gated(dice),
        Shape::TwoMatrices => two_matrices(dice),
        Shape::Big => big(dice),
    };
    if dice.chance(60) {
        give_equal_names(dice, &mut jobs);
    }
    if dice.chance(250) {
        // Alike in all that a launch is made of.
        let labels = labels(dice, run, 0);
        for job in &mut jobs {
            job.labels.clone_from(&labels);
        }
        return jobs;
    }
    let labels_are_shared = dice.chance(50);
    for (place, job) in jobs.iter_mut().enumerate() {
        let place = if labels_are_shared { 0 } else { place };
        job.labels = labels(dice, run, place);
    }
    jobs
}

fn plain(dice: &mut Dice, count: usize) -> Vec<JobSpec> {
    let names = (0..count).map(|number| format!("job-{number}"));
    let mut jobs: Vec<JobSpec> = names.map(job).collect();
    // Some need the one before them.
    for place in 1..count {
        if dice.chance(250) {
            let before = jobs[place - 1].name.clone();
            jobs[place].needs.push(before);
        }
    }
    jobs
}

fn chain(dice: &mut Dice) -> Vec<JobSpec> {
    let count = dice.number_of(2, 4);
    let mut jobs: Vec<JobSpec> = Vec::new();
    for number in 0..count {
        let next = job(format!("stage-{number}"));
        let needs = jobs.last().map(|before| before.name.clone());
        jobs.push(next.needs(needs));
    }
    jobs
}

fn matrix(group: &str, parts: usize, fail_fast: bool) -> Vec<JobSpec> {
    let names = (1..=parts).map(|part| format!("{group} ({part})"));
    names
        .map(|name| job(name).matrix(group, fail_fast))
        .collect()
}

/// A build, a matrix or some jobs behind it, and a gate that always runs or wants all to pass.
fn gated(dice: &mut Dice) -> Vec<JobSpec> {
    let count = dice.number_of(1, 4);
    let is_matrix = dice.chance(500);
    let middle = if is_matrix {
        let fail_fast = dice.chance(700);
        matrix("test", count, fail_fast)
    } else {
        plain(dice, count)
    };
    let with_build = dice.chance(500);
    let mut jobs: Vec<JobSpec> = with_build.then(|| job("build")).into_iter().collect();
    let build: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    let names: Vec<String> = middle.iter().map(|job| job.name.clone()).collect();
    jobs.extend(middle.into_iter().map(|job| job.needs(build.clone())));
    let gate = job("gate").needs(names);
    jobs.push(if dice.chance(600) {
        gate.always()
    } else {
        gate
    });
    jobs
}

fn two_matrices(dice: &mut Dice) -> Vec<JobSpec> {
    let (one, other) = (dice.number_of(2, 4), dice.number_of(2, 4));
    let mut jobs = matrix("test", one, true);
    jobs.extend(matrix("build", other, dice.chance(500)));
    jobs
}

fn big(dice: &mut Dice) -> Vec<JobSpec> {
    let count = dice.number_of(20, 50);
    if dice.chance(500) {
        matrix("test", count, dice.chance(500))
    } else {
        plain(dice, count)
    }
}

fn job(name: impl Into<String>) -> JobSpec {
    JobSpec::new(name, Vec::<String>::new())
}

/// Two jobs that people call the same, as a workflow that is called twice makes them. Who needs one
/// of them needs both.
fn give_equal_names(dice: &mut Dice, jobs: &mut [JobSpec]) {
    let (one, other) = (dice.below(jobs.len()), dice.below(jobs.len()));
    let free = |job: &JobSpec| job.matrix.is_none() && job.needs.is_empty();
    let needed = |jobs: &[JobSpec], name: &str| {
        jobs.iter()
            .any(|job| job.needs.iter().any(|need| need == name))
    };
    let name = jobs[one].name.clone();
    let old = jobs[other].name.clone();
    if free(&jobs[one]) && free(&jobs[other]) && !needed(jobs, &old) {
        jobs[other].name = name;
    }
}

/// Labels in one of the ways that people write them, unique to the job unless it shares its place or
/// they are not bound to its run. To its repository they always are: a machine that another one's job
/// takes is nobody's business, and the controller says so (`ignored-other-repository`).
fn labels(dice: &mut Dice, run: &Place<'_>, place: usize) -> Vec<String> {
    let spot = dice.one_of("/spot=true", &[(200, ""), (80, "/spot=false")]);
    let retry = dice.one_of("", &[(90, "/retry=false"), (90, "/retry=when-interrupted")]);
    let family = dice.one_of("/family=c7a", &[(150, "/family=c7i"), (150, "")]);
    let id = if run.kind.labels_are_bound {
        RUN_PLACEHOLDER
    } else {
        run.repository.name()
    };
    if run.kind.machines_are_ready {
        return vec![format!("runs-on={id}-{place}/family=c7a/spot=true")];
    }
    vec![format!("runs-on={id}-{place}{family}{spot}{retry}")]
}
