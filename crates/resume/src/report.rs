//! A plan as GitHub's workflows read it, and as people do.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::decide::{Answer, Judged, Plan, Verdict, Why, WhyNot};
use crate::name::SEPARATOR;

/// What the outputs of one job may have in all: [1 MB, counted as
/// UTF-16](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs).
const LARGEST_OUTPUTS: usize = 1_000_000;

/// The largest [step summary](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary)
/// that GitHub takes, 1 MiB, in bytes; it shows nothing of a larger one.
const LARGEST_SUMMARY: usize = 1 << 20;

/// Room for the line that says how many jobs were left out.
const LAST_LINE: usize = 200;

/// GitHub would refuse the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the names of {jobs} necessary jobs are {bytes} bytes of outputs, and GitHub takes {LARGEST_OUTPUTS} from one job; plan with several \
     manifests in several jobs, or have shorter names"
)]
pub struct TooLarge {
    /// How many they are.
    pub jobs: usize,
    /// How large.
    pub bytes: usize,
}

/// What is written to `$GITHUB_OUTPUT`.
///
/// Each name has a `;` on both sides, and where no job is necessary there is one `;`: so `contains(LIST, ';NAME;')` is
/// true for the names in the list alone. No value has a line break, since no name has one.
///
/// # Errors
/// Where GitHub would refuse it.
pub fn outputs(plan: &Plan) -> Result<String, TooLarge> {
    let names: Vec<&str> = plan.necessary().map(|one| one.name.as_str()).collect();
    let mut list = String::from(SEPARATOR);
    for name in &names {
        list.push_str(name);
        list.push(SEPARATOR);
    }
    let json = Value::from(names.clone());
    let matrices = matrices(plan);
    let all_done = plan.all_done();
    let text = format!(
        "necessary_jobs={list}\nnecessary_jobs_json={json}\nnecessary_matrices={matrices}\nall_done={all_done}\n"
    );
    let bytes = text.encode_utf16().count() * 2;
    if bytes > LARGEST_OUTPUTS {
        return Err(TooLarge {
            jobs: names.len(),
            bytes,
        });
    }
    Ok(text)
}

/// By the name of each matrix what is left of it, as a `strategy.matrix` takes it: [a job's `if` cannot see its
/// matrix](https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability), so what is
/// done must not come into it.
fn matrices(plan: &Plan) -> Value {
    let mut matrices: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for leg in plan.necessary().filter_map(|one| one.leg.as_ref()) {
        let values = leg.values.iter();
        let values: Map<String, Value> = values
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let matrix = matrices.entry(&leg.pattern).or_default();
        matrix.push(Value::Object(values));
    }
    let matrices = matrices.into_iter().map(|(pattern, legs)| {
        let matrix = Map::from_iter([("include".to_owned(), Value::Array(legs))]);
        (pattern.to_owned(), Value::Object(matrix))
    });
    Value::Object(matrices.collect())
}

/// What is written to the log: job by job what was looked at and what came of it, then both lists.
pub fn log(plan: &Plan) -> String {
    let mut text = String::new();
    for judged in &plan.judged {
        one(&mut text, judged);
    }
    list(&mut text, "Necessary jobs", plan.necessary());
    list(&mut text, "Jobs that need not run", plan.unnecessary());
    text
}

fn one(text: &mut String, judged: &Judged) {
    let Judged {
        name, artifacts, ..
    } = judged;
    writeln!(text, "##### Determine whether {name} needs to run #####").ok();
    for (key, state) in artifacts {
        let state = match state {
            Some(true) => "exists",
            Some(false) => "is missing",
            None => "is not known",
        };
        writeln!(text, "Artifact {key} {state}").ok();
    }
    if let Some((address, answer)) = &judged.elsewhere {
        let answer = match answer {
            Some(Answer::Found) => "is there",
            Some(Answer::NotFound) => "is not there (404)",
            Some(Answer::None(_)) => "did not answer",
            None => "was not asked",
        };
        writeln!(text, "{address} {answer}").ok();
    }
    let answer = if judged.is_necessary() { "yes" } else { "no" };
    writeln!(text, "Needs to run: {answer}, {}\n", why(&judged.verdict)).ok();
}

fn list<'a>(text: &mut String, title: &str, jobs: impl Iterator<Item = &'a Judged>) {
    let names: Vec<&str> = jobs.map(|one| one.name.as_str()).collect();
    writeln!(text, "{title}: {}", names.len()).ok();
    for name in names {
        writeln!(text, "  - {name}").ok();
    }
}

/// What is written to `$GITHUB_STEP_SUMMARY`: a table in Markdown, cut where GitHub would take no more.
pub fn summary(plan: &Plan) -> String {
    let (all, left) = (plan.judged.len(), plan.necessary().count());
    let mut text = format!("### {left} of {all} jobs need to run\n\n");
    text.push_str("| job | needs to run | why |\n| --- | --- | --- |\n");
    // What there is to do is what is read first, and cut last.
    let rows = plan.necessary().chain(plan.unnecessary());
    for (count, judged) in rows.enumerate() {
        let row = row(judged);
        if text.len() + row.len() + LAST_LINE > LARGEST_SUMMARY {
            let more = all - count;
            writeln!(
                text,
                "\nand {more} more jobs, which the log of this step has."
            )
            .ok();
            break;
        }
        text.push_str(&row);
    }
    text
}

fn row(judged: &Judged) -> String {
    let needs = if judged.is_necessary() {
        "**yes**"
    } else {
        "no"
    };
    let (name, why) = (escaped(judged.name.as_str()), why(&judged.verdict));
    format!("| {name} | {needs} | {} |\n", escaped(&why))
}

/// A text as Markdown shows it, whatever signs are in it.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '@' | '!' | ':' => {
                shown.push('\\');
                shown.push(letter);
            }
            _ => shown.push(letter),
        }
    }
    shown
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Necessary { why, wanted_by } => {
            let why = necessary(why);
            match wanted_by {
                Some(job) => format!("{why}, and {job} needs it"),
                None => why,
            }
        }
        Verdict::Unnecessary(WhyNot::Complete) => "all of its artifacts exist".to_owned(),
        Verdict::Unnecessary(WhyNot::Found) => "what it makes is already there".to_owned(),
        Verdict::Unnecessary(WhyNot::NotWanted) => "no job that runs needs it".to_owned(),
    }
}

fn necessary(why: &Why) -> String {
    match why {
        Why::Missing(keys) => match keys.as_slice() {
            [key] => format!("{key} is missing"),
            keys => format!("{} artifacts are missing", keys.len()),
        },
        Why::NotFound => "what it makes is not there".to_owned(),
        Why::NothingShows => "nothing could show that it is done".to_owned(),
        Why::Stale(input) => format!("its input {input} runs again"),
        Why::Silence => "not all is known, and then every job runs".to_owned(),
    }
}

#[cfg(test)]
mod tests;
