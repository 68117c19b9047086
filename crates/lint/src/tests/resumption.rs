//! Workflows that follow a plan of necessary jobs, as they were meant or not.

use super::source;
use crate::{Resumption, resumption};

/// What is told of a workflow with a plan, source, and these jobs more.
fn told(jobs: &str, planned: &[&str]) -> String {
    let Resumption { advice, missing } = looked(jobs, planned);
    let mut lines: Vec<String> = advice
        .iter()
        .map(|one| {
            let (line, column) = (one.place.line, one.place.column);
            format!("{line}:{column} {}\n  {}", one.message, one.hint)
        })
        .collect();
    lines.extend(missing.iter().map(|name| format!("missing: {name}")));
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines.join("\n")
}

fn looked(jobs: &str, planned: &[&str]) -> Resumption {
    let jobs = jobs.replace('\n', "\n  ");
    let text = format!(
        "on: push\njobs:\n  plan:\n    runs-on: x\n  source:\n    needs: plan\n    \
         if: contains(needs.plan.outputs.necessary_jobs, ';source;')\n    runs-on: x\n  {jobs}\n"
    );
    resumption(&source(&text), planned)
}

/// A job behind `source` with this condition.
fn behind(condition: &str) -> String {
    format!("build:\n  needs: [plan, source]\n  if: {condition}\n  runs-on: x")
}

#[test]
fn the_form_of_the_documentation_and_what_means_the_same_are_good() {
    for condition in [
        "${{ !cancelled() && !failure() && contains(needs.plan.outputs.necessary_jobs, ';build;') }}",
        "\"!cancelled() && !failure() && contains(fromJSON(needs.plan.outputs.necessary_jobs_json), 'build')\"",
        "${{ contains(needs.plan.outputs.necessary_jobs, ';Build;') && !(Failure() || Cancelled()) }}",
        "what ${{ GitHub }} makes of this we cannot tell",
        "always() && needs.plan.result == 'success' && needs.source.result != 'failure'",
    ] {
        assert_eq!(
            told(&behind(condition), &["source", "build"]),
            "nothing",
            "{condition}"
        );
    }
}

#[test]
fn a_job_that_would_be_skipped_with_its_input_is_told() {
    let jobs = [
        "build:\n  needs: source\n  runs-on: x".to_owned(),
        "build:\n  needs: source\n  runs-on: x\ntest:\n  needs: [build]\n  runs-on: x".to_owned(),
        behind("contains(needs.plan.outputs.necessary_jobs, ';build;')"),
        behind("always() && contains(needs.plan.outputs.necessary_jobs, ';build;')"),
        behind("${{ !cancelled() || !failure() }}"),
    ];
    let told = jobs.map(|jobs| told(&jobs, &["source", "build"]));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn conditions_that_follow_no_plan_are_left_alone() {
    let jobs = "lint:\n  if: github.ref == 'refs/heads/main'\n  runs-on: x\n\
                report:\n  needs: [lint, plan]\n  if: contains(github.ref, 'main')\n  runs-on: x";
    assert_eq!(told(jobs, &["source"]), "nothing");
}

#[test]
fn a_name_that_is_never_in_the_list_is_told_on_both_sides() {
    let jobs = "build:\n  needs: source\n  \
                if: ${{ !cancelled() && !failure() && contains(needs.plan.outputs.necessary_jobs, ';biuld;') }}\n  \
                runs-on: x";
    insta::assert_snapshot!(told(jobs, &["source", "build", "Publish"]));
}

#[test]
fn names_are_compared_as_github_shows_them() {
    let jobs = "ruby:\n  name: Ruby [${{ matrix.distro }}/${{ matrix.version }}]\n  strategy:\n    matrix:\n      \
                distro: [debian, ubuntu]\n      version: ['3.3', '3.4']\n      exclude: [{ distro: ubuntu, version: '3.3' }]\n\
                any:\n  name: Any ${{ matrix.job }} of ${{ inputs.x }}!\n  strategy:\n    matrix:\n      \
                job: ${{ fromJSON(needs.plan.outputs.necessary_jobs_json) }}\n\
                plain:\n  strategy:\n    matrix:\n      os: [a, b]";
    let planned = [
        "Ruby [debian/3.3]",
        "Ruby [ubuntu/3.3]",
        "Any a of b!",
        "Any a of b",
        "plain (a)",
        "plain",
        "ruby",
        "source",
    ];
    assert_eq!(
        looked(jobs, &planned).missing,
        ["Ruby [ubuntu/3.3]", "Any a of b", "plain", "ruby"]
    );
}

#[test]
fn jobs_of_a_workflow_that_is_called_may_have_any_name() {
    let jobs = "called:\n  uses: ./.github/workflows/build.yml";
    assert_eq!(
        told(jobs, &["source", "called / build", "deploy"]),
        "nothing"
    );
}

#[test]
fn jobs_that_need_each_other_come_to_an_end_and_no_workflow_is_told() {
    let jobs = "a:\n  needs: [b]\n  runs-on: x\nb:\n  needs: [a]\n  runs-on: x";
    assert_eq!(told(jobs, &["source"]), "nothing");
    let looked = resumption(&source("jobs: ["), &["source"]);
    assert_eq!(looked.advice.len(), 1, "{looked:?}");
    assert!(looked.missing.is_empty());
}
