//! One agent, the real program, on one instance without a world: its metadata service, EC2's API, and
//! what the agent says, each line with the moment at which it was said.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_world::ec2::{CarriedOut, Ec2, Ec2Settings, Interruption};
use reprise_world::imds::ImdsFaults;
use reprise_world::server::ServedInstances;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the hooks.
const HOOKS: &str = "interrupt.d";

/// What the agent says when it sees a notice.
pub const NOTICED: &str = "gives notice";
/// When its tag is there.
pub const TAGGED: &str = "is tagged as interrupted";
/// When a poll fails.
pub const POLL_FAILED: &str = "a poll of the metadata service failed";

/// Instances in a region of their own.
#[derive(Clone)]
pub struct Place {
    served: Arc<ServedInstances>,
    instance: usize,
    folder: Arc<TempDir>,
}

impl Place {
    /// One instance, whose metadata service refuses connections until it is opened.
    pub fn closed() -> Result<Self> {
        let places = Self::several_closed(1, |_| ())?;
        places.into_iter().next().context("no instance")
    }

    /// One instance.
    pub fn open() -> Result<Self> {
        let place = Self::closed()?;
        place.open_up()?;
        Ok(place)
    }

    /// Several in one region, where EC2 is as one likes.
    pub fn several_closed(count: u32, settle: impl FnOnce(&mut Ec2Settings)) -> Result<Vec<Self>> {
        let account = AccountId::new("123456789012");
        let mut settings = Ec2Settings::new(account, Region::new("eu-west-1"), 1);
        settle(&mut settings);
        let served = Arc::new(ServedInstances::start(settings, count)?);
        let instances = 0..served.ids().len();
        let place = |instance| {
            let folder = Arc::new(tempfile::tempdir().context("failed to make a folder")?);
            std::fs::create_dir(folder.path().join(HOOKS))?;
            let served = Arc::clone(&served);
            Ok(Self {
                served,
                instance,
                folder,
            })
        };
        instances.map(place).collect()
    }

    /// Has the metadata service take connections.
    pub fn open_up(&self) -> Result<()> {
        Ok(self.served.open(self.instance)?)
    }

    /// Has it refuse them.
    pub async fn close(&self) -> Result<()> {
        Ok(self.served.close(self.instance).await?)
    }

    /// Where the metadata service is, and EC2.
    pub fn urls(&self) -> Result<(String, String)> {
        let metadata = self.served.metadata_url(self.instance);
        Ok((metadata.context("no such instance")?, self.served.ec2_url()))
    }

    /// Breaks the metadata service, or mends it.
    pub fn break_by(&self, change: impl FnOnce(&mut ImdsFaults)) -> Instant {
        self.served
            .with(self.instance, |_, imds, _, _| change(&mut imds.faults));
        Instant::now()
    }

    /// Gives notice of two minutes, and says when. It is never carried out.
    pub fn give_notice(&self) -> Result<Instant> {
        self.give_notice_of(SignedDuration::from_mins(2))
    }

    /// Gives notice of so much time, and says when. It is never carried out.
    pub fn give_notice_of(&self, span: SignedDuration) -> Result<Instant> {
        let mut notice = Interruption::terminate(span);
        notice.carried_out = CarriedOut::Never;
        let given = Instant::now();
        let done = self.served.with(self.instance, |ec2, _, id, now| {
            ec2.interrupt(now, id, notice)
        });
        done.context("no such instance")??;
        Ok(given)
    }

    /// Leaves EC2's next requests without an answer, so many of them.
    pub fn silence_ec2(&self, requests: u32) {
        self.served.silence_ec2(requests);
    }

    /// How many requests the metadata service had.
    pub fn requests(&self) -> u64 {
        let count = self
            .served
            .with(self.instance, |_, imds, _, _| imds.requests());
        count.unwrap_or_default()
    }

    /// Looks at EC2, or changes it.
    pub fn ec2<R>(&self, act: impl FnOnce(&mut Ec2, &InstanceId) -> R) -> Result<R> {
        let answer = self
            .served
            .with(self.instance, |ec2, _, id, _| act(ec2, id));
        answer.context("no such instance")
    }

    /// Waits for the metadata service's next requests, and says when the last of them came.
    pub async fn asked(&self, more: u64) -> Result<Instant> {
        let wanted = self.requests() + more;
        self.when(|place| Ok(place.requests() >= wanted)).await
    }

    /// Waits until something is true that only a request can make so.
    pub async fn when(&self, is_so: impl Fn(&Self) -> Result<bool>) -> Result<Instant> {
        let mut requests = self.served.requests();
        let waiting = async {
            while !is_so(self)? {
                requests.changed().await?;
            }
            anyhow::Ok(Instant::now())
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.context("the agent does not ask any more")?
    }

    /// Whether the instance has the tag of the interrupted.
    pub fn is_tagged(&self) -> Result<bool> {
        self.ec2(|ec2, id| {
            let (key, value) = ec2.settings().instance_may_tag.clone();
            let tags = ec2.instance(id).map(|instance| instance.tags());
            tags.is_some_and(|tags| tags.get(&key) == Some(&value))
        })
    }

    /// Where its agents write a notice down.
    pub fn record_file(&self) -> PathBuf {
        self.file("record.json")
    }

    /// A file on the instance's own disk.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lays a shell's script among the hooks.
    pub fn hook(&self, name: &str, script: &str) -> Result<()> {
        let path = self.file(HOOKS).join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        Ok(std::fs::set_permissions(
            &path,
            Permissions::from_mode(0o755),
        )?)
    }

    /// The program `reprise-agent` here, not started yet.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let (metadata, ec2) = self.urls()?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata)
            .env("AWS_ENDPOINT_URL", ec2)
            .env("REPRISE_AGENT_LOG_FORMAT", "json")
            .env("REPRISE_AGENT_CONSOLE", "off")
            .env("REPRISE_AGENT_RECORD_FILE", self.record_file())
            .env("REPRISE_AGENT_HOOKS_FOLDER", self.file(HOOKS))
            // Runners of this machine are not this instance's.
            .env("REPRISE_AGENT_END_JOB", "none")
            .env("REPRISE_AGENT_ON_REBALANCE", "ignore")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// What a program said.
#[derive(Debug, Clone)]
pub struct Line {
    /// When it came.
    pub at: Instant,
    /// Its fields.
    pub fields: Value,
}

impl Line {
    /// Whether its message has `text` in it.
    pub fn says(&self, text: &str) -> bool {
        self.fields["message"]
            .as_str()
            .is_some_and(|message| message.contains(text))
    }
}

/// A running agent; it ends with this.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    lines: watch::Sender<Vec<Line>>,
    /// When it was started.
    pub started: Instant,
}

impl Agent {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command.spawn().context("failed to start the agent")?;
        let stderr = child.stderr.take().context("the agent's log is not ours")?;
        let lines = watch::Sender::new(Vec::new());
        let said = lines.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(text)) = reader.next_line().await {
                let at = Instant::now();
                let fields = serde_json::from_str(&text).unwrap_or(Value::String(text));
                said.send_modify(|lines| lines.push(Line { at, fields }));
            }
        });
        Ok(Self {
            child,
            lines,
            started,
        })
    }

    /// Waits for its first line with `text` in it.
    pub async fn says(&self, text: &str) -> Result<Line> {
        let mut lines = self.lines.subscribe();
        let line = |lines: &[Line]| lines.iter().find(|line| line.says(text)).cloned();
        let waiting = lines.wait_for(|lines| line(lines).is_some());
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let found = waited.ok().and_then(|lines| line(&lines.ok()?));
        found.with_context(|| format!("the agent never said {text:?}, but {:#?}", self.said()))
    }

    /// All that it said until now.
    pub fn said(&self) -> Vec<Line> {
        self.lines.borrow().clone()
    }

    /// How often it said something with `text` in it.
    pub fn count(&self, text: &str) -> usize {
        self.lines
            .borrow()
            .iter()
            .filter(|line| line.says(text))
            .count()
    }

    /// Its process, while it lives.
    pub fn process(&mut self) -> Result<u32> {
        let ended = self.child.try_wait()?;
        ensure!(
            ended.is_none(),
            "the agent has ended ({ended:?}), and said {:#?}",
            self.said()
        );
        self.child.id().context("the agent has ended")
    }

    /// SIGKILL, and nothing is left of it.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("failed to end the agent")
    }
}

/// The agent as it was built for the tests.
pub fn program() -> Result<PathBuf> {
    super::program::built("reprise-agent")
}
