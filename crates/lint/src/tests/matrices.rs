//! Labels that a matrix makes.

use super::{found, jobs};

#[test]
fn every_value_of_a_matrix_is_checked_and_shown_where_it_stands() {
    let text = jobs(&[(
        "test",
        "strategy:
  matrix:
    cpu: [2, four, 8]
    runner:
      - fast
      - 'slow/ram=16gb'
runs-on: runs-on=ID-${{ strategy.job-index }}/cpu=${{ matrix.cpu }}/family=${{ matrix.runner }}",
    )]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn include_and_exclude_make_the_jobs_that_github_makes() {
    let text = jobs(&[
        (
            "excluded",
            "strategy:
  matrix:
    cpu: [2, x]
    os: [a, b]
    exclude: [{ cpu: x, os: a }, { cpu: x, os: b }]
runs-on: runs-on=ID-${{ strategy.job-index }}/cpu=${{ matrix.cpu }}",
        ),
        (
            "included",
            "strategy:
  matrix:
    include:
      - { name: one, cpu: 4 }
      - { name: two, cpu: y }
      - { name: three }
runs-on: runs-on=ID-${{ matrix.name }}/cpu=${{ matrix.cpu }}",
        ),
        (
            "extended",
            "strategy:
  matrix:
    name: [one, two]
    include:
      - { name: one, spot: 'maybe' }
      - { spot: 'false' }
runs-on: runs-on=ID-${{ matrix.name }}/spot=${{ matrix.spot }}",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn a_matrix_of_whole_runners_is_read_job_by_job() {
    let text = jobs(&[(
        "test",
        "strategy:
  matrix:
    runner:
      - ubuntu-latest
      - [self-hosted, linux]
      - runs-on=${{ github.run_id }}-a/cpu=x
      - ['runs-on=${{ github.run_id }}-b', ram=y]
      - labels: ['runs-on=${{ github.run_id }}-c', spot=z]
        group: fast
runs-on: ${{ matrix.runner }}",
    )]);
    insta::assert_snapshot!(found(&text));
}

#[test]
fn a_matrix_that_the_run_makes_is_no_mistake() {
    let text = jobs(&[
        (
            "whole",
            "strategy:
  matrix: ${{ fromJSON(needs.plan.outputs.matrix) }}
runs-on: runs-on=ID-${{ strategy.job-index }}/cpu=${{ matrix.cpu }}/spot=x",
        ),
        (
            "axis",
            "strategy:
  matrix:
    cpu: ${{ fromJSON(inputs.cpus) }}
    ram: [8, y]
runs-on: runs-on=ID-${{ strategy.job-index }}/cpu=${{ matrix.cpu }}/ram=${{ matrix.ram }}",
        ),
        (
            "literal",
            "strategy:
  matrix:
    cpu: ${{ fromJSON('[2, \"z\"]') }}
runs-on: runs-on=ID-${{ strategy.job-index }}/cpu=${{ matrix.cpu }}",
        ),
        (
            "runner",
            "strategy:
  matrix:
    include: ${{ fromJSON(needs.plan.outputs.include) }}
runs-on: ${{ matrix.runner }}",
        ),
    ]);
    insta::assert_snapshot!(found(&text));
}
