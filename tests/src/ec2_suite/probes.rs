//! Dry runs, and consoles.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use reprise_model::instance::{Capacity, Instance};

use super::{Ec2Place, Fleet, STACK, is_alive, unknown};

/// Dry runs change nothing; a console is read as far as there is one.
pub async fn dry_runs(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let request = fleet.request("dry", Capacity::OnDemand, STACK);
    fleet.ec2.may_launch(&request).await?;
    ensure!(
        fleet.listed(STACK).await? == BTreeSet::new(),
        "a dry run launched"
    );
    let id = fleet
        .launch(&fleet.request("probed", Capacity::OnDemand, STACK))
        .await?;
    let instance = fleet.seen(&id).await?.instance;
    fleet.ec2.may_terminate(&instance).await?;
    ensure!(is_alive(fleet.seen(&id).await?.state), "a dry run ended it");
    // Whatever it wrote, if anything: it is text.
    fleet.ec2.console_output(&instance).await?;
    fleet.end(&id).await?;
    fleet.ec2.console_output(&instance).await?;
    let nobody = Instance {
        id: unknown()?,
        ..instance
    };
    ensure!(fleet.ec2.console_output(&nobody).await?.is_none());
    Ok(())
}

/// They say what would not be done, too. moto tags in earnest, and looks at no template.
pub async fn dry_runs_refuse(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let mut request = fleet.request("refused", Capacity::OnDemand, STACK);
    request.launch_template.name_or_id = "no-such-template".to_owned();
    let error = fleet.ec2.may_launch(&request).await;
    let error = error.err().map(|error| error.to_string());
    let names = error
        .as_ref()
        .is_some_and(|words| words.contains("LaunchTemplate"));
    ensure!(names, "{error:?}");
    let id = fleet
        .launch(&fleet.request("tagged-dry", Capacity::OnDemand, STACK))
        .await?;
    let instance = fleet.seen(&id).await?.instance;
    let tags = BTreeMap::from([("reprise-probe".to_owned(), "1".to_owned())]);
    fleet.ec2.may_tag(&instance, &tags).await?;
    fleet.ec2.may_read_console(&instance).await?;
    let shown = fleet.seen(&id).await?.tags;
    ensure!(!shown.contains_key("reprise-probe"), "a dry run tagged it");
    let nobody = Instance {
        id: unknown()?,
        ..instance
    };
    ensure!(fleet.ec2.may_terminate(&nobody).await.is_err());
    ensure!(fleet.ec2.may_tag(&nobody, &tags).await.is_err());
    ensure!(fleet.ec2.may_read_console(&nobody).await.is_err());
    fleet.end(&id).await
}
