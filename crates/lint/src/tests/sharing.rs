//! Labels that several jobs have.

use super::{found, jobs};

const RUN: &str = "runs-on: runs-on=${{ github.run_id }}/cpu=4";

#[test]
fn labels_that_are_the_same_in_every_run_are_a_mistake() {
    let text = jobs(&[
        ("bare", "runs-on: [runs-on, cpu=4]"),
        ("named", "runs-on: runs-on=build/cpu=4"),
        (
            "variable",
            "runs-on: runs-on=${{ vars.NAME }}-${{ github.repository }}",
        ),
        ("attempt", "runs-on: runs-on=${{ github.run_attempt }}"),
        ("job", "runs-on: runs-on=${{ github.job }}"),
        (
            "matrix",
            "strategy: { matrix: { n: [1, 2] } }\nruns-on: runs-on=m-${{ matrix.n }}",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn what_two_runs_may_have_in_common_is_pointed_out() {
    let text = jobs(&[
        (
            "number",
            "runs-on: runs-on=${{ github.run_number }}-number/cpu=4",
        ),
        ("commit", "runs-on: runs-on=${{ github.sha }}-commit"),
        ("input", "runs-on: runs-on=${{ inputs.id }}-input"),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn jobs_with_the_same_labels_in_one_run_are_named_to_each_other() {
    let text = jobs(&[
        ("build", RUN),
        ("test", RUN),
        ("other", "runs-on: runs-on=ID/cpu=4"),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn many_jobs_with_the_same_labels_are_counted() {
    let text = jobs(&[("a", RUN), ("b", RUN), ("c", RUN), ("d", RUN), ("e", RUN)]);
    let found = found(&text);
    let first = found.lines().next().unwrap_or_default();
    assert!(
        first.contains("b (line 5), c (line 7), d (line 9) and 1 more"),
        "{first}"
    );
}

#[test]
fn a_job_whose_labels_are_some_of_anothers_may_take_its_machine() {
    let text = jobs(&[
        ("few", "runs-on: ['runs-on=${{ github.run_id }}', cpu=4]"),
        (
            "more",
            "runs-on: [CPU=4, 'RUNS-ON=${{ github.run_id }}', spot=false]",
        ),
        (
            "different",
            "runs-on: ['runs-on=${{ github.run_id }}', cpu=8]",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn jobs_that_wait_for_each_other_never_meet() {
    let text = jobs(&[
        ("first", RUN),
        (
            "between",
            "needs: first\nuses: ./.github/workflows/other.yml",
        ),
        ("last", &format!("needs: [between]\n{RUN}")),
    ]);
    assert_eq!(found(&text), "nothing");
}

#[test]
fn the_jobs_of_a_matrix_need_labels_of_their_own() {
    let matrix = "strategy: { matrix: { n: [1, 2, 3] } }\n";
    let text = jobs(&[
        ("same", &format!("{matrix}runs-on: runs-on=ID/cpu=4")),
        (
            "index",
            &format!("{matrix}runs-on: runs-on=ID-${{{{ strategy.job-index }}}}/cpu=4"),
        ),
        (
            "value",
            &format!("{matrix}runs-on: runs-on=ID-${{{{ matrix.n }}}}/cpu=4"),
        ),
        (
            "in-cpu",
            &format!("{matrix}runs-on: runs-on=ID/cpu=${{{{ matrix.n }}}}"),
        ),
        (
            "other-value",
            &format!("{matrix}runs-on: runs-on=ID-${{{{ matrix.m }}}}/cpu=4"),
        ),
        (
            "one-by-one",
            "strategy: { max-parallel: 1, matrix: { n: [1, 2, 3] } }\nruns-on: runs-on=ID/cpu=4",
        ),
        (
            "single",
            "strategy: { matrix: { n: [1] } }\nruns-on: runs-on=ID/cpu=4",
        ),
        (
            "dynamic",
            "strategy: { matrix: \"${{ fromJSON(inputs.m) }}\" }\nruns-on: runs-on=ID/cpu=4",
        ),
        (
            "dynamic-index",
            "strategy: { matrix: \"${{ fromJSON(inputs.m) }}\" }\nruns-on: runs-on=ID-${{ strategy.job-index }}/cpu=4",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn jobs_that_cannot_have_the_same_labels_at_once_never_meet() {
    let either = |one: &str, other: &str| {
        format!(
            "runs-on: ${{{{ github.event_name == 'push' && format('runs-on={{0}}{one}', github.run_id) || format('runs-on={{0}}{other}', github.run_id) }}}}"
        )
    };
    let (one, other) = (either("-a", "-b"), either("-b", "-a"));
    assert_eq!(found(&jobs(&[("one", &one), ("other", &other)])), "nothing");
}
