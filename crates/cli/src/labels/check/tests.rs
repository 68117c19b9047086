//! What is told of labels.

use std::process::ExitCode;

use super::answer;
use super::answer::Ground;

fn told(labels: &[&str]) -> (String, ExitCode) {
    let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
    answer(&labels, &Ground::default())
}

#[test]
fn good_labels_are_told_attempt_by_attempt() {
    let all = [
        &["runs-on=42-build/cpu=4+16/ram=16/family=c7a+m7/spot=co"] as &[&str],
        &[
            "runs-on=42-test",
            "family=c7a.large+c7i.large",
            "spot=cop",
            "retry=false",
        ],
        &[
            "runs-on=42/spot=false/image=ubuntu24/volume=80gb:gp3/region=eu-west-1/private/tag=team:shop/env=prod/debug",
        ],
        &["runs-on/runner=2cpu-linux-arm64"],
        &["runs-on=${{ github.run_id }}-build,runner=fast,ram=32"],
    ];
    let told: Vec<String> = all
        .iter()
        .map(|labels| {
            let (told, code) = told(labels);
            assert_eq!(code, ExitCode::SUCCESS, "{told}");
            format!("{}\n{told}", labels.join(" "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_mistake_is_told_with_a_caret_under_it() {
    let (told, code) = told(&["runs-on=größe/familly=c7a/cpu=four", "spot=flase"]);
    assert_eq!(code, ExitCode::FAILURE);
    insta::assert_snapshot!(told);
}

#[test]
fn labels_that_are_not_ours_are_said_to_be_none() {
    let (told, code) = told(&["ubuntu-latest", "cpu=4"]);
    assert_eq!(code, ExitCode::FAILURE);
    insta::assert_snapshot!(told);
}
