//! What is told of workflow files, as people, programs and GitHub see it.

use std::process::ExitCode;

use reprise_lint::{Finding, Source, lint};

use super::{Deny, Format, exit_code, formats};

const WORKFLOW: &str = "\
on: push
jobs:
  build:
    runs-on: runs-on=${{ github.run_id }}/cpu=four
  test:
    strategy:
      matrix:
        ram: [8, 16gb]
    runs-on: [\"runs-on=${{ github.run_id }}-test\", \"ram=${{ matrix.ram }}\"]
  same:
    runs-on: runs-on=build/cpu=4/debug
  hosted:
    runs-on: ${{ inputs.runner || 'cpu=4' }}
";

fn findings() -> Vec<Finding> {
    lint(&[
        source(".github/workflows/ci.yml", WORKFLOW),
        source("odd, 100%: name\u{1b}[2J.yml", "jobs: \u{1b}[2J"),
    ])
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

#[test]
fn people_see_the_label_and_a_caret_under_the_mistake() {
    let findings = findings();
    insta::assert_snapshot!(format!(
        "{}{}",
        Format::Text.written(&findings),
        formats::sum(2, &findings)
    ));
}

#[test]
fn programs_read_one_object_a_line() {
    insta::assert_snapshot!(Format::Json.written(&findings()));
}

#[test]
fn github_shows_annotations() {
    insta::assert_snapshot!(Format::Github.written(&findings()));
}

#[test]
fn the_sum_names_only_what_was_found() {
    let findings = findings();
    assert_eq!(formats::sum(1, &[]), "1 file: nothing found\n");
    assert_eq!(formats::sum(2, &findings[..1]), "2 files: 1 error\n");
}

#[test]
fn errors_fail_and_warnings_do_where_they_are_denied() {
    let of = |code: &str| -> Vec<Finding> {
        let mut findings = findings();
        findings.retain(|finding| finding.code.as_str() == code);
        assert!(!findings.is_empty(), "{code}");
        findings
    };
    let (bad, near, note) = (of("bad-label"), of("near-miss"), of("no-effect"));
    for (findings, deny, code) in [
        (&bad, None, ExitCode::FAILURE),
        (&near, None, ExitCode::SUCCESS),
        (&near, Some(Deny::Warnings), ExitCode::FAILURE),
        (&note, Some(Deny::Warnings), ExitCode::SUCCESS),
        (&Vec::new(), Some(Deny::Warnings), ExitCode::SUCCESS),
    ] {
        assert_eq!(exit_code(findings, deny), code, "{findings:?} {deny:?}");
    }
}
