//! What stands under each path.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::ec2::{Ec2, Ec2Instance, InterruptionAction};

/// The metadata of one instance at one moment.
pub(super) struct Viewed<'a> {
    pub(super) ec2: &'a Ec2,
    pub(super) instance: &'a Ec2Instance,
    pub(super) now: Timestamp,
    pub(super) notice_text: Option<&'a str>,
    pub(super) notice_gone: bool,
    pub(super) notice_off_by: SignedDuration,
    pub(super) no_role: bool,
}

impl Viewed<'_> {
    /// The text under a path; `None` is a 404.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        match path.strip_prefix("/latest/")? {
            "dynamic/instance-identity/document" => Some(self.identity()),
            "user-data" => self.user_data(),
            other => self.meta_data(other.strip_prefix("meta-data/")?),
        }
    }

    fn meta_data(&self, path: &str) -> Option<String> {
        let instance = self.instance;
        match path {
            "ami-id" => Some(instance.image.clone()),
            "instance-id" => Some(instance.id.to_string()),
            "instance-life-cycle" => Some(instance.capacity.as_str().to_owned()),
            "instance-type" => Some(instance.instance_type.clone()),
            "placement/availability-zone" => Some(instance.zone.clone()),
            "placement/region" => Some(self.ec2.settings().region.to_string()),
            "spot/instance-action" => self.instance_action(),
            "spot/termination-time" => self.termination_time(),
            "events/recommendations/rebalance" => instance
                .rebalance_since
                .map(|since| json!({ "noticeTime": seconds(since) }).to_string()),
            "iam/security-credentials" | "iam/security-credentials/" => self.role(),
            other => self.below(other),
        }
    }

    fn role(&self) -> Option<String> {
        self.instance.role.clone().filter(|_| !self.no_role)
    }

    fn below(&self, path: &str) -> Option<String> {
        if let Some(role) = path.strip_prefix("iam/security-credentials/") {
            return self.credentials(role);
        }
        let below = path.strip_prefix("tags/instance")?;
        let tags = Some(self.instance.tags()).filter(|_| self.instance.tags_in_metadata)?;
        match below.strip_prefix('/').unwrap_or(below) {
            "" => Some(tags.into_keys().collect::<Vec<_>>().join("\n")),
            key => tags.get(key).cloned(),
        }
    }

    fn instance_action(&self) -> Option<String> {
        if let Some(text) = self.notice_text {
            return Some(text.to_owned());
        }
        let notice = self.instance.notice.filter(|_| !self.notice_gone)?;
        let time = self.told(notice.time);
        let body = json!({ "action": notice.action.as_str(), "time": time });
        Some(body.to_string())
    }

    // Only there for an instance that is going to be terminated, not stopped.
    fn termination_time(&self) -> Option<String> {
        if let Some(text) = self.notice_text {
            return Some(text.to_owned());
        }
        self.instance
            .notice
            .filter(|notice| notice.action == InterruptionAction::Terminate && !self.notice_gone)
            .map(|notice| self.told(notice.time))
    }

    fn told(&self, time: Timestamp) -> String {
        seconds(time.saturating_add(self.notice_off_by).unwrap_or(time))
    }

    fn credentials(&self, role: &str) -> Option<String> {
        if self.role().as_deref() != Some(role) {
            return None;
        }
        let credentials = self.ec2.credentials(&self.instance.id, self.now)?;
        let body = json!({
            "Code": "Success",
            "LastUpdated": seconds(credentials.last_updated),
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.token,
            "Expiration": seconds(credentials.expiration),
        });
        Some(body.to_string())
    }

    // A launch template holds it in base64; here it is plain.
    fn user_data(&self) -> Option<String> {
        let bytes = STANDARD.decode(self.instance.user_data.as_ref()?).ok()?;
        String::from_utf8(bytes).ok()
    }

    fn identity(&self) -> String {
        let settings = self.ec2.settings();
        json!({
            "accountId": settings.account,
            "architecture": "x86_64",
            "availabilityZone": self.instance.zone,
            "imageId": self.instance.image,
            "instanceId": self.instance.id,
            "instanceType": self.instance.instance_type,
            "pendingTime": seconds(self.instance.launched_at),
            "privateIp": "10.0.0.1",
            "region": settings.region,
            "version": "2017-09-30",
        })
        .to_string()
    }
}

fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}
