//! moto: EC2 as the people who test boto3 know it.
//!
//! It knows no shortage of capacity, no notice and no client token; what it does know it answers
//! with EC2's own shapes.

use anyhow::{Context, Result};
use reprise_model::ids::{AccountId, Region};
use tokio::process::Command;

use crate::ec2_suite::Ec2Place;
use crate::process::Server;
use crate::{peers, raw_aws};

/// The account that owns everything in moto.
const ACCOUNT: &str = "123456789012";

/// The template that runners are launched from.
const TEMPLATE: &str = "reprise-runner";

/// A running moto.
#[derive(Debug)]
pub struct Moto {
    server: Server,
    region: Region,
}

impl Moto {
    /// Starts it, with the usual network of a new account. It launches no type that EC2 does not have.
    pub async fn start() -> Result<Self> {
        let program = peers::python_program("moto_server")?;
        let server = Server::start("moto", |port, _| {
            let mut command = Command::new(&program);
            command
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .env("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true");
            command
        });
        Ok(Self {
            server: server.await?,
            region: Region::new("eu-west-1"),
        })
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Makes a bucket.
    pub async fn bucket(&self, name: &str) -> Result<()> {
        raw_aws::make_bucket(&self.url(), self.region.as_str(), name).await
    }

    /// Puts an object by other means than the project's own; its name has nothing that must be encoded.
    pub async fn object(&self, path: &str, attribute: (&str, &str), body: &str) -> Result<()> {
        let (url, region) = (self.url(), self.region.as_str());
        raw_aws::put_object(&url, region, path, attribute, body.to_owned()).await
    }

    /// Makes a launch template and a subnet in each of two zones.
    pub async fn place(&self) -> Result<Ec2Place> {
        self.place_of(&Owner {
            account: AccountId::new(ACCOUNT),
            role_arn: None,
            key: "AKIAFAKETEST".to_owned(),
        })
        .await
    }

    /// The same in an account into which a role leads.
    pub async fn place_elsewhere(&self, account: &str) -> Result<Ec2Place> {
        let role_arn = format!("arn:aws:iam::{account}:role/reprise");
        let key = raw_aws::assume_role(&self.url(), self.region.as_str(), &role_arn).await?;
        self.place_of(&Owner {
            account: AccountId::new(account),
            role_arn: Some(role_arn),
            key,
        })
        .await
    }

    async fn place_of(&self, owner: &Owner) -> Result<Ec2Place> {
        let data = [
            ("LaunchTemplateName", TEMPLATE),
            ("LaunchTemplateData.ImageId", "ami-0123456789abcdef0"),
            ("LaunchTemplateData.InstanceType", "m7i.large"),
        ];
        let made = self.ask(owner, "CreateLaunchTemplate", &data).await?;
        let vpc = self
            .ask(owner, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")])
            .await?;
        let vpc = raw_aws::element(&vpc, "vpcId")?;
        let subnets = vec![
            self.subnet(owner, vpc, "a", "10.0.0.0/20").await?,
            self.subnet(owner, vpc, "b", "10.0.16.0/20").await?,
        ];
        Ok(Ec2Place {
            endpoint: self.url(),
            account: owner.account.clone(),
            region: self.region.clone(),
            role_arn: owner.role_arn.clone(),
            launch_template: TEMPLATE.to_owned(),
            launch_template_id: raw_aws::element(&made, "launchTemplateId")?.to_owned(),
            subnets,
        })
    }

    async fn subnet(&self, owner: &Owner, vpc: &str, zone: &str, block: &str) -> Result<String> {
        let zone = format!("{}{zone}", self.region);
        let asked = [
            ("VpcId", vpc),
            ("CidrBlock", block),
            ("AvailabilityZone", zone.as_str()),
        ];
        let made = self.ask(owner, "CreateSubnet", &asked).await?;
        let id = raw_aws::element(&made, "subnetId").context("no subnet was made")?;
        Ok(id.to_owned())
    }

    async fn ask(
        &self,
        owner: &Owner,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String> {
        let (url, region) = (self.url(), self.region.as_str());
        raw_aws::ec2_as(&owner.key, &url, region, action, parameters).await
    }
}

/// Whose things are made.
struct Owner {
    account: AccountId,
    role_arn: Option<String>,
    key: String,
}
