//! What is asked of EC2 in each region.

use anyhow::{Context, Result, ensure};
use reprise_model::ids::Region;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_world::ec2::{Action, Ec2Error};

use super::doctor::{doctor, doctor_with, of};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_launches_nothing_still_looks_at_machines_and_spot_requests_in_each_region()
-> Result<()> {
    let stage = Stage::set(Setting {
        world: |world| world.further_regions = vec![Region::new("us-east-1".to_owned())],
        config: "\n[[aws.regions]]\nregion = \"us-east-1\"\naccount = \"123456789012\"\n",
        ..Setting::default()
    });
    let stage = stage.await?;
    let retries_alone = [("REPRISE__FLEET__ENABLED", "false")];
    let (_, lines) = doctor_with(&stage, &retries_alone).await?;
    let found = of(&lines, "looks");
    ensure!(
        found.len() == 2 && found.iter().all(|line| line["health"] == "ok"),
        "{lines:#?}"
    );
    ensure!(of(&lines, "launch").is_empty(), "{lines:#?}");
    let denied = || Ec2Error::new(403, "UnauthorizedOperation", "no policy allows it");
    for action in [
        Action::DescribeInstances,
        Action::DescribeSpotInstanceRequests,
    ] {
        stage.with(|world, now| world.ec2_mut(now).fail_next(action, denied()));
        let (code, lines) = doctor_with(&stage, &retries_alone).await?;
        let found = of(&lines, "looks");
        let wrong: Vec<_> = found
            .iter()
            .filter(|line| line["health"] == "wrong")
            .collect();
        ensure!(
            code == Some(1) && wrong.len() == 1,
            "{action:?}: {found:#?}"
        );
        let text = wrong[0]["text"].as_str().context("no text")?;
        ensure!(text.contains("UnauthorizedOperation"), "{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_is_tried_in_each_kind_of_subnets_that_a_region_has() -> Result<()> {
    let stage = Stage::set(Setting {
        world: |world| world.further_regions = vec![Region::new("us-east-1".to_owned())],
        config: "\n[[aws.regions]]\nregion = \"us-east-1\"\naccount = \"123456789012\"\n\
                 private_subnets = [\"subnet-us-east-1a\"]\n",
        ..Setting::default()
    });
    let stage = stage.await?;
    let (_, lines) = doctor(&stage).await?;
    let found = of(&lines, "launch");
    let texts: Vec<&str> = found
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    ensure!(
        found.iter().all(|line| line["health"] == "ok")
            && texts
                .iter()
                .any(|text| text.ends_with("eu-west-1, in its subnets"))
            && texts
                .iter()
                .any(|text| text.ends_with("us-east-1, in its private subnets"))
            && texts.len() == 2,
        "{found:#?}"
    );
    Ok(())
}
