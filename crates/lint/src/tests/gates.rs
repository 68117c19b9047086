//! Jobs that wait for the re-run of the run that they keep active.

use super::found;

/// A workflow for merge queues with one more job, of this step.
fn gate(on: &str, step: &str) -> String {
    let step = step.replace('\n', "\n        ");
    format!(
        "on: {on}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps: []\n  gate:\n    needs: test\n    \
         if: always()\n    runs-on: ubuntu-latest\n    steps:\n      - {step}\n"
    )
}

const RERUN: &str = "run: gh run rerun --failed \"$GITHUB_RUN_ID\"";

#[test]
fn a_job_that_waits_for_its_own_run_in_a_merge_queue_is_told() {
    let steps = [
        RERUN,
        "run: gh run watch ${{ github.run_id }}",
        "run: |\n  curl -X POST $GITHUB_API_URL/repos/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID/rerun-failed-jobs",
        "run: |\n  until gh run view $GITHUB_RUN_ID --json conclusion; do sleep 10; done",
        "uses: actions/github-script@v7\nwith:\n  script: |\n    await github.rest.actions.reRunWorkflowFailedJobs({ run_id: context.runId })",
        "uses: lewagon/wait-on-check-action@v1.3.4\nwith:\n  check-name: test",
        "uses: poseidon/wait-for-status-checks@v0.6.0",
    ];
    let told = steps.map(|step| found(&gate("[push, merge_group]", step)));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn the_event_may_be_written_in_each_way() {
    for on in [
        "merge_group",
        "[merge_group]",
        "{ merge_group: { types: [checks_requested] } }",
    ] {
        let told = found(&gate(on, RERUN));
        assert!(told.contains("warning gate-in-run gate"), "{on}: {told}");
    }
    assert_eq!(found(&gate("[push, pull_request]", RERUN)), "nothing");
}

#[test]
fn what_means_another_run_or_waits_for_nothing_is_not_told() {
    for step in [
        "run: test '${{ needs.test.result }}' = success",
        "run: gh run rerun --failed ${{ github.event.workflow_run.id }}",
        "run: gh run watch \"$OTHER\"",
        "run: echo \"see actions/runs/$GITHUB_RUN_ID\"",
        "run: gh run view $GITHUB_RUN_ID --log-failed",
        "run: sleep 10",
        "uses: lewagon/wait-on-check-action@v1.3.4\nwith:\n  check-name: deploy of another workflow",
        "uses: actions/github-script@v7\nwith:\n  script: console.log(context.runId)",
        "uses: actions/checkout@v4",
    ] {
        assert_eq!(found(&gate("merge_group", step)), "nothing", "{step}");
    }
}
