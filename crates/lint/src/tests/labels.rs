//! Labels by themselves.

use super::{found, jobs};

#[test]
fn labels_that_are_right_are_not_spoken_of() {
    let text = jobs(&[
        ("string", "runs-on: runs-on=ID/cpu=4/ram=16/family=c7a+m7"),
        ("commas", "runs-on: 'runs-on=ID,cpu=4,spot=false'"),
        ("array", "runs-on: ['runs-on=ID', cpu=4]"),
        (
            "lines",
            "runs-on:\n  - runs-on=ID\n  - \"cpu=4+16\"\n  - retry=false",
        ),
        (
            "group",
            "runs-on:\n  group: fast\n  labels: [self-hosted, 'runs-on=ID']",
        ),
        (
            "one-of-group",
            "runs-on:\n  group: fast\n  labels: runs-on=ID",
        ),
        ("hosted", "runs-on: ubuntu-latest"),
        ("own", "runs-on: [self-hosted, linux, x64, env=prod, gpu=1]"),
        ("only-group", "runs-on:\n  group: fast"),
        ("called", "uses: ./.github/workflows/other.yml"),
        ("folded", "runs-on: >-\n  runs-on=ID/cpu=4"),
    ]);
    assert_eq!(found(&text), "nothing");
}

#[test]
fn each_mistake_is_shown_where_it_stands_in_the_file() {
    let text = jobs(&[
        ("plain", "runs-on: runs-on=ID/cpuu=4/spot=flase"),
        ("quoted", "runs-on: \"runs-on=ID/cpu=four\""),
        ("escaped", "runs-on: \"runs-on=ID\\u002fcpu=four\""),
        ("array", "runs-on:\n  - runs-on=ID\n  - ram=16gb"),
        ("flow", "runs-on: ['runs-on=ID', 'familly=c7']"),
        (
            "object",
            "runs-on: { group: x, labels: ['runs-on=ID', disk=large] }",
        ),
        ("folded", "runs-on: >-\n  runs-on=ID/cpu=0"),
        ("größe", "runs-on: runs-on=ID/ööö=1/cpu=0"),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn what_the_run_decides_is_no_mistake_and_what_stands_beside_it_is_checked() {
    let text = jobs(&[
        ("value", "runs-on: runs-on=ID/cpu=${{ inputs.cpu }}/ram=x"),
        (
            "part",
            "runs-on: runs-on=ID/cpu=4${{ inputs.more }}/spot=flase",
        ),
        ("key", "runs-on: runs-on=ID/${{ inputs.key }}=4"),
        ("whole", "runs-on: ${{ inputs.runner }}"),
        (
            "from-json",
            "runs-on: ${{ fromJSON(needs.a.outputs.labels) }}",
        ),
        ("variable", "runs-on: ${{ vars.RUNNER }}"),
        (
            "in-array",
            "runs-on: ['runs-on=ID', \"${{ inputs.more }}\"]",
        ),
        (
            "by-order",
            "runs-on: runs-on=ID/spot=cop/family=${{ inputs.types }}",
        ),
        ("odd", "runs-on: runs-on=ID/cpu=${{ not an expression }}"),
        ("endless", "runs-on: runs-on=ID/tag=${{"),
        ("misspelt", "runs-on: runs-on=ID/cpuu=${{ inputs.cpu }}"),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn each_way_that_a_condition_may_go_is_checked() {
    let text = jobs(&[
        (
            "fork",
            "runs-on: ${{ github.repository == 'acme/shop' && format('runs-on={0}-fork/cpu=x', github.run_id) || 'ubuntu-latest' }}",
        ),
        (
            "json",
            "runs-on: ${{ fromJSON(github.event_name == 'push' && format('[\"runs-on={0}-json\", \"cpu=x\"]', github.run_id) || '[\"ubuntu-latest\"]') }}",
        ),
        (
            "together",
            "runs-on: ${{ github.ref == 'x' && format('runs-on={0}-together', github.run_id) || 'ubuntu-latest' }}${{ github.ref != 'x' && '-8-cores' || '/cpu=8' }}",
        ),
        ("or", "runs-on: ${{ inputs.runner || 'runs-on=1/cpu=x' }}"),
        (
            "never",
            "runs-on: ${{ false && 'runs-on=1/cpu=x' || 'ubuntu-latest' }}",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn labels_that_are_almost_ours_are_pointed_out_and_those_of_others_are_not() {
    let text = jobs(&[
        ("run-on", "runs-on: run-on=ID/cpu=4"),
        ("underscore", "runs-on: runs_on=ID"),
        ("colon", "runs-on: 'runs-on: 1/cpu=4'"),
        ("run-together", "runs-on: [runson, cpu=4]"),
        ("swapped", "runs-on: rusn-on=1"),
        ("alone", "runs-on: cpu=4"),
        ("behind", "runs-on: cpu=4/runs-on=1"),
        ("beside", "runs-on: [self-hosted, runner=2cpu-linux-x64]"),
        ("demand", "runs-on: runs-on-demand"),
        (
            "others",
            "runs-on: [self-hosted, env=prod, region=eu, tag=x, cpu=fast, run-one]",
        ),
        ("runner", "runs-on: runner"),
        ("depot", "runs-on: depot-ubuntu-24.04-4"),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn settings_that_change_nothing_here_are_noted() {
    let text = jobs(&[("build", "runs-on: runs-on=ID/extras=s3-cache/debug")]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn anchors_are_read_and_the_mistake_is_shown_where_it_is_written() {
    let text = "\
jobs:
  one: &one
    runs-on: &labels ['runs-on=${{ github.run_id }}', cpu=x]
  two:
    runs-on: *labels
  three: *one
";
    insta::assert_snapshot!(found(text));
}

#[test]
fn tags_that_are_reserved_and_labels_by_which_others_find_runners_are_told() {
    let text = jobs(&[
        ("forged", "runs-on: runs-on=ID/tag=runs-on-stack-name:other"),
        (
            "trusted",
            "runs-on: ['runs-on=ID', self-hosted, Linux, deploy-prod]",
        ),
        ("own", "runs-on: runs-on=ID/tag=team:shop"),
    ]);
    let told = found(&text);
    assert_eq!(
        told.lines().filter(|line| !line.starts_with(' ')).count(),
        2,
        "{told}"
    );
    assert!(
        told.contains("error bad-label forged: tag=runs-on-stack-name is reserved"),
        "{told}"
    );
    assert!(
        told.contains("note foreign-label trusted: deploy-prod is no label"),
        "{told}"
    );
}
