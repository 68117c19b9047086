//! What an operator writes for the controller.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reprise_model::ids::{AccountId, Region, StackName};
use reprise_world::server::RunningWorld;
use reprise_world::world::Queue;

/// The world's webhook secret. Nobody else knows this world, so it need not be one.
pub const WEBHOOK_SECRET: &str = "fake-webhook-secret-of-the-tests";

/// The table of runners' configurations, as the world's settings name it.
pub const RUNNER_TABLE: &str = "reprise-runners";

/// What a controller is told, for the world's runner table and its instances' role.
pub const RUNNERS: &str = r#"
[runner]
table = "reprise-runners"
role_id = "AROAFAKEFAKEFAKEFAKE0"
"#;

/// Where the ledger is kept that all controllers of a stage share.
#[derive(Debug, Clone)]
pub enum Ledger {
    /// In a SQLite file beside the configuration.
    Sqlite,
    /// In a table of DynamoDB.
    DynamoDb {
        /// The table.
        table: String,
    },
}

/// Where everything is that a controller speaks to.
#[derive(Debug, Clone)]
pub struct Places {
    /// GitHub's REST API.
    pub github_url: String,
    /// The App's number.
    pub app_id: u64,
    /// EC2's endpoint.
    pub ec2_url: String,
    /// SQS's endpoint.
    pub sqs_url: String,
    /// DynamoDB's endpoint, for controllers and instances.
    pub dynamodb_url: String,
    /// The queue of webhooks.
    pub webhooks: String,
    /// Its dead letters.
    pub webhooks_dead: String,
    /// The queue of EC2 events.
    pub ec2_events: String,
    /// Its dead letters.
    pub ec2_events_dead: String,
    /// The ledger.
    pub ledger: Ledger,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The stack's name.
    pub stack: StackName,
    /// The launch template.
    pub launch_template: String,
    /// Its version.
    pub launch_template_version: &'static str,
    /// One subnet a zone.
    pub subnets: Vec<String>,
}

impl Ledger {
    fn text(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("path = \"{}\"", ledger_file(folder).display()),
            Self::DynamoDb { table } => format!("kind = \"dynamodb\"\ntable = \"{table}\""),
        }
    }
}

/// Where SQLite keeps the ledger of a stage.
pub(super) fn ledger_file(folder: &Path) -> PathBuf {
    folder.join("ledger.db")
}

impl Places {
    /// Everything in the world itself.
    pub fn of(world: &RunningWorld) -> Self {
        let urls = [Queue::Webhooks, Queue::Ec2Events]
            .map(|queue| (world.queue_url(queue), world.dead_letter_url(queue)));
        let [(webhooks, webhooks_dead), (ec2_events, ec2_events_dead)] = urls;
        world.with(|inside, _| {
            let settings = inside.settings();
            Self {
                github_url: world.github_url().to_owned(),
                app_id: settings.github.app_id,
                ec2_url: world.aws_url().to_owned(),
                sqs_url: world.aws_url().to_owned(),
                dynamodb_url: world.aws_url().to_owned(),
                webhooks,
                webhooks_dead,
                ec2_events,
                ec2_events_dead,
                ledger: Ledger::Sqlite,
                account: settings.account.clone(),
                region: settings.region.clone(),
                stack: settings.stack.clone(),
                launch_template: settings.launch_template.clone(),
                launch_template_version: "$Default",
                subnets: inside.ec2().settings().subnets.keys().cloned().collect(),
            }
        })
    }

    /// The same for a controller that has no file: settings, and where AWS is and who asks it. What is missing is the
    /// App's key, and where the ledger is.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let region = format!(
            r#"[{{ region = "{}", account = "{}" }}]"#,
            self.region, self.account
        );
        let all = [
            ("REPRISE__GITHUB__BASE_URL", self.github_url.clone()),
            ("REPRISE__GITHUB__APP_ID", self.app_id.to_string()),
            (
                "REPRISE__GITHUB__WEBHOOK_SECRETS",
                WEBHOOK_SECRET.to_owned(),
            ),
            ("REPRISE__AWS__REGIONS", region),
            ("REPRISE__QUEUES__WEBHOOKS", self.webhooks.clone()),
            (
                "REPRISE__QUEUES__WEBHOOKS_DEAD_LETTERS",
                self.webhooks_dead.clone(),
            ),
            ("REPRISE__QUEUES__EC2_EVENTS", self.ec2_events.clone()),
            (
                "REPRISE__QUEUES__EC2_EVENTS_DEAD_LETTERS",
                self.ec2_events_dead.clone(),
            ),
            ("REPRISE__FLEET__STACK", self.stack.to_string()),
            (
                "REPRISE__FLEET__LAUNCH_TEMPLATE",
                self.launch_template.clone(),
            ),
            ("REPRISE__FLEET__SUBNETS", format!("{:?}", self.subnets)),
            (
                "REPRISE__FLEET__TYPES",
                r#"[{ name = "c7a.large", cpu = 2, ram = 4 }]"#.to_owned(),
            ),
            ("AWS_ENDPOINT_URL_EC2", self.ec2_url.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs_url.clone()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_url.clone()),
            ("AWS_REGION", self.region.to_string()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "fake-secret-key-of-the-tests".to_owned(),
            ),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Writes the configuration; `appended` are further sections.
    pub(super) fn write(&self, folder: &Path, appended: &str) -> Result<()> {
        let text = format!("{}{appended}", self.text(folder));
        std::fs::write(folder.join("controller.toml"), text)
            .context("failed to write the configuration")
    }

    fn text(&self, folder: &Path) -> String {
        format!(
            r#"[github]
base_url = "{github}"
app_id = {app}
private_key_file = "{key}"
webhook_secrets = ["{WEBHOOK_SECRET}"]

[[aws.regions]]
region = "{region}"
account = "{account}"

[queues]
webhooks = "{webhooks}"
webhooks_dead_letters = "{webhooks_dead}"
ec2_events = "{ec2_events}"
ec2_events_dead_letters = "{ec2_events_dead}"

[store]
{store}

[http]
listen = "127.0.0.1:0"

[fleet]
stack = "{stack}"
launch_template = "{template}"
launch_template_version = "{version}"
subnets = {subnets:?}
types = [
  {{ name = "c7a.large", cpu = 2, ram = 4 }},
  {{ name = "m7a.large", cpu = 2, ram = 8 }},
]
"#,
            github = self.github_url,
            app = self.app_id,
            key = folder.join("app-key.pem").display(),
            region = self.region,
            account = self.account,
            webhooks = self.webhooks,
            webhooks_dead = self.webhooks_dead,
            ec2_events = self.ec2_events,
            ec2_events_dead = self.ec2_events_dead,
            store = self.ledger.text(folder),
            stack = self.stack,
            template = self.launch_template,
            version = self.launch_template_version,
            subnets = self.subnets,
        )
    }
}
