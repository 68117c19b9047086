//! EventBridge envelopes as EC2 sends them.
//!
//! It only writes the text; which queue an event goes to is the composer's choice.

use jiff::Timestamp;
use reprise_model::ids::{AccountId, InstanceId, Region};
use serde_json::json;

/// What EC2 tells about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ec2Notification {
    /// `EC2 Spot Instance Interruption Warning`, with the action: `terminate`, `stop`, `hibernate`.
    InterruptionWarning(&'static str),
    /// `EC2 Instance Rebalance Recommendation`: an advice, often with nothing behind it.
    RebalanceRecommendation,
    /// `EC2 Instance State-change Notification`, with the state's word. It names no reason.
    StateChange(&'static str),
}

/// One event of EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Envelope<'a> {
    /// A UUID; a redelivery has the same.
    pub id: String,
    /// When it happened; EventBridge tells whole seconds.
    pub at: Timestamp,
    /// The instance's account.
    pub account: &'a AccountId,
    /// The instance's region.
    pub region: &'a Region,
    /// The instance's zone.
    pub zone: &'a str,
    /// The instance.
    pub instance: &'a InstanceId,
    /// What is told.
    pub notification: Ec2Notification,
}

impl Ec2Envelope<'_> {
    /// The envelope as JSON text.
    pub fn to_json(&self) -> String {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type(),
            "source": "aws.ec2",
            "account": self.account,
            "time": format!("{:.0}", self.at),
            "region": self.region,
            "resources": [self.resource()],
            "detail": self.detail(),
        })
        .to_string()
    }

    fn detail_type(&self) -> &'static str {
        match self.notification {
            Ec2Notification::InterruptionWarning(_) => "EC2 Spot Instance Interruption Warning",
            Ec2Notification::RebalanceRecommendation => "EC2 Instance Rebalance Recommendation",
            Ec2Notification::StateChange(_) => "EC2 Instance State-change Notification",
        }
    }

    fn detail(&self) -> serde_json::Value {
        match self.notification {
            Ec2Notification::InterruptionWarning(action) => {
                json!({ "instance-id": self.instance, "instance-action": action })
            }
            Ec2Notification::RebalanceRecommendation => json!({ "instance-id": self.instance }),
            Ec2Notification::StateChange(state) => {
                json!({ "instance-id": self.instance, "state": state })
            }
        }
    }

    // The two spot events name the zone and no account, which is why readers must use `detail`.
    fn resource(&self) -> String {
        let id = self.instance;
        match self.notification {
            Ec2Notification::InterruptionWarning(_) | Ec2Notification::RebalanceRecommendation => {
                format!("arn:aws:ec2:{}:instance/{id}", self.zone)
            }
            Ec2Notification::StateChange(_) => {
                format!("arn:aws:ec2:{}:{}:instance/{id}", self.region, self.account)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(notification: Ec2Notification) -> serde_json::Value {
        let text = Ec2Envelope {
            id: "12345678-1234-4234-8234-123456789012".to_owned(),
            at: "2026-01-01T00:00:00.75Z".parse().expect("valid"),
            account: &AccountId::new("123456789012"),
            region: &Region::new("eu-west-1"),
            zone: "eu-west-1a",
            instance: &"i-0123456789abcdef0".parse().expect("valid"),
            notification,
        }
        .to_json();
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn an_interruption_warning_names_the_account_outside_its_arn_only() {
        let event = envelope(Ec2Notification::InterruptionWarning("terminate"));
        assert_eq!(
            event["detail-type"],
            "EC2 Spot Instance Interruption Warning"
        );
        assert_eq!(event["account"], "123456789012");
        assert_eq!(event["time"], "2026-01-01T00:00:00Z");
        assert_eq!(event["detail"]["instance-action"], "terminate");
        assert_eq!(
            event["resources"][0],
            "arn:aws:ec2:eu-west-1a:instance/i-0123456789abcdef0"
        );
    }

    #[test]
    fn a_state_change_names_the_state_and_no_reason() {
        let event = envelope(Ec2Notification::StateChange("shutting-down"));
        assert_eq!(
            event["detail"],
            json!({ "instance-id": "i-0123456789abcdef0", "state": "shutting-down" })
        );
        assert_eq!(
            event["resources"][0],
            "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"
        );
    }

    #[test]
    fn a_rebalance_recommendation_holds_the_instance_alone() {
        let event = envelope(Ec2Notification::RebalanceRecommendation);
        assert_eq!(
            event["detail"],
            json!({ "instance-id": "i-0123456789abcdef0" })
        );
    }
}
