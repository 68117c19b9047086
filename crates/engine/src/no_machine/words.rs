//! What a developer reads whose job got no machine.
//!
//! The job's name is a stranger's and EC2's words may name the account: both end up on a page that, for a
//! public repository, everybody may read. So names stand between backticks that they cannot end, and
//! accounts, ARNs and encoded messages are left out; the controller's log has them.

use reprise_model::ending::CheckRunOrder;
use reprise_model::ids::{RunId, Sha};
use reprise_model::instance::Capacity;
use reprise_model::ledger::LaunchSpec;

use super::{Unserved, Why};

/// The longest reason: GitHub takes more, and nobody reads it.
const LONGEST_REASON: usize = 600;

/// The longest name in a title. GitHub has none over 100 characters; a matrix may.
const LONGEST_NAME: usize = 100;

/// What EC2 says before a text that only its account can decode.
const ENCODED: &str = "Encoded authorization failure message";

/// The check run of a job, on its commit.
pub(super) fn order(job: &Unserved<'_>, head: Sha) -> CheckRunOrder {
    let name = shortened(&one_line(job.job_name), LONGEST_NAME);
    let title = match job.why {
        Why::GivenUp { .. } => format!("No machine could be launched for {name}"),
        Why::Refused(_) => format!("{name} asks for a machine that it cannot have"),
    };
    CheckRunOrder {
        head,
        external_id: format!("{}{}", prefix(job.run_id), one_line(job.job_name)),
        title,
        summary: summary(job),
    }
}

/// What the external ids of a run's check runs begin with. The job's name follows, which is the same in
/// every attempt: a later one is told of in the same place.
pub(super) fn prefix(run: RunId) -> String {
    format!("{run}/")
}

fn summary(job: &Unserved<'_>) -> String {
    let Unserved {
        run_id,
        attempt,
        job_id,
        ..
    } = job;
    let name = code(job.job_name);
    let who = format!(
        "The job {name} (run {run_id}, attempt {attempt}, job {job_id}) waits for a runner, and none will \
         be started for it."
    );
    match job.why {
        Why::GivenUp { wanted, last_words } => format!(
            "{who}\n\n**Wanted:** {}\n\n**Why there is none:** {}\n\n**What to do:** cancel the run and \
             re-run it later. If it happens again, let the job choose from more instance types \
             (`family=`, `cpu=`, `ram=`), or ask whoever runs Reprise: its log has all answers of EC2 \
             under this job's id.",
            told(wanted),
            reason(last_words),
        ),
        Why::Refused(refusal) => format!(
            "{who}\n\n**Why:** {}\n\n**What to do:** where the labels are wrong, correct `runs-on` in the \
             workflow file and push; `reprise labels check` shows what labels ask for. Where the run has \
             too many jobs at once, keep some of them back with `max-parallel`, or ask whoever runs \
             Reprise for a higher limit. Cancel this run: its job would wait for a day.",
            reason(refusal),
        ),
    }
}

fn told(wanted: &LaunchSpec) -> String {
    let capacity = match wanted.capacity {
        Capacity::Spot => "spot capacity",
        Capacity::OnDemand => "on-demand capacity",
    };
    let types: Vec<String> = wanted.instance_types.iter().map(|one| code(one)).collect();
    format!(
        "one of {} in {}, {capacity}",
        types.join(", "),
        wanted.region
    )
}

/// Words without what is not for everybody.
fn reason(words: &str) -> String {
    let words = words.split(ENCODED).next().unwrap_or_default();
    let public: Vec<String> = words.split_whitespace().map(public).collect();
    code(&shortened(&public.join(" "), LONGEST_REASON))
}

fn public(word: &str) -> String {
    if word.contains("arn:") {
        return "(an ARN)".to_owned();
    }
    let is_account = |run: &str| run.len() == 12;
    let digits = |text: char| !text.is_ascii_digit();
    let account = word.split(digits).find(|run| is_account(run));
    match account {
        Some(account) => word.replace(account, "(an account)"),
        None => word.to_owned(),
    }
}

/// A text as it is, whatever Markdown it would be.
fn code(text: &str) -> String {
    let text = one_line(text).replace('`', "'");
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{text}`")
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} ...", &text[..end]),
    }
}
