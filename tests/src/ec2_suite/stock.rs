//! What an EC2 has: instance types and images.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reprise_aws::ImageQuery;
use reprise_model::machine::{Architecture, MachineType};

use super::{Ec2Place, Fleet};

/// What the images of an EC2 are: the newest of an owner with such a name, and that one by its id.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// The owner.
    pub owner: &'static str,
    /// The name, with `*`.
    pub name: &'static str,
    /// The id of the newest.
    pub id: &'static str,
    /// The device of its root volume.
    pub root_device: &'static str,
}

/// On an EC2 with such an image for Arm.
pub async fn images(place: &Ec2Place, newest: Newest) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let query = |owner: &str| ImageQuery::Newest {
        owner: owner.to_owned(),
        name: newest.name.to_owned(),
        architecture: Architecture::Arm64,
    };
    let by_id = |id: &str| ImageQuery::Id(id.to_owned());
    let found = fleet.ec2.image(&place.region, &query(newest.owner)).await?;
    let found = found.with_context(|| format!("no image as {newest:?}"))?;
    ensure!(found.id == newest.id, "{found:?} is not {newest:?}");
    ensure!(found.owner.as_str() == newest.owner, "{found:?}");
    ensure!(found.architecture == Architecture::Arm64, "{found:?}");
    ensure!(
        found.root_device.as_deref() == Some(newest.root_device),
        "{found:?}"
    );
    let again = fleet.ec2.image(&place.region, &by_id(newest.id)).await?;
    ensure!(again.as_ref() == Some(&found), "by its id it is {again:?}");
    let (known, unknown) = (newest.id.parse()?, "ami-0fffffffffffffff0".parse()?);
    let asked = [known, unknown].into();
    let dates = fleet.ec2.image_dates(&place.region, &asked).await?;
    let dates: Vec<_> = dates.iter().collect();
    let [(image, dates)] = dates[..] else {
        bail!("EC2 tells of {dates:?} when it is asked about {asked:?}");
    };
    let made_at = dates.made_at;
    ensure!(
        image.as_str() == newest.id && made_at.as_second() > 0,
        "{image} at {made_at}"
    );
    for nothing in [query("111111111111"), by_id("ami-0fffffffffffffff0")] {
        let found = fleet.ec2.image(&place.region, &nothing).await?;
        ensure!(found.is_none(), "{nothing:?} is {found:?}");
    }
    Ok(())
}

/// That each of these types is told just so.
pub async fn tells_types(place: &Ec2Place, expected: &[MachineType]) -> Result<()> {
    let told = Fleet::of(place).await.machine_types().await?;
    for one in expected {
        let found = told.get(&one.name);
        ensure!(found == Some(one), "{one:?} is told as {found:?}");
    }
    Ok(())
}

impl Fleet<'_> {
    pub(super) async fn knows_its_instance_types(&self) -> Result<()> {
        let types = self.machine_types().await?;
        let usual = types.get("c7a.large").context("no c7a.large")?;
        let expected = MachineType {
            name: "c7a.large".to_owned(),
            cpu: 2,
            ram_mib: 4096,
            architecture: Architecture::X64,
            spot: true,
            bare_metal: false,
            accelerated: false,
            burstable: false,
            current: true,
        };
        ensure!(*usual == expected, "{usual:?}");
        let is = |name: &str, what: fn(&MachineType) -> bool| types.get(name).is_some_and(what);
        ensure!(is("t3.large", |one| one.burstable), "t3.large is burstable");
        ensure!(
            is("g6.xlarge", |one| one.accelerated),
            "g6.xlarge has graphics"
        );
        ensure!(
            is("c7i.metal-48xl", |one| one.bare_metal),
            "metal is bare metal"
        );
        ensure!(is("m4.large", |one| !one.current), "m4.large is an old one");
        ensure!(
            is("c7g.large", |one| one.architecture == Architecture::Arm64),
            "c7g.large is an Arm"
        );
        ensure!(
            types.keys().all(|name| !name.starts_with("mac")),
            "no runner runs on a Mac"
        );
        Ok(())
    }

    async fn machine_types(&self) -> Result<BTreeMap<String, MachineType>> {
        let types = self.ec2.machine_types(&self.place.region).await?;
        let sorted = types.windows(2).all(|pair| pair[0].name < pair[1].name);
        ensure!(
            sorted,
            "{} types are not in order, or twice there",
            types.len()
        );
        Ok(types
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect())
    }
}
