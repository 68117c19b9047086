//! Bodies of EventBridge events.

use reprise_model::ec2_event::{Ec2Event, Ec2EventKind, body, parse};

use crate::told;

/// Checks one input.
pub fn check(input: &[u8]) {
    let event = match parse(input) {
        Ok(event) => event,
        Err(error) => {
            told(&error);
            return;
        }
    };
    instance(&event);
    let written = body(&event, "00000000-0000-0000-0000-000000000000").to_string();
    let again = parse(written.as_bytes());
    assert_eq!(again.ok().as_ref(), Some(&event), "{written}");
}

/// What is put into a request to EC2 is an instance's id and nothing else.
fn instance(event: &Ec2Event) {
    let id = match &event.kind {
        Ec2EventKind::InterruptionWarning { instance, .. }
        | Ec2EventKind::RebalanceRecommendation { instance }
        | Ec2EventKind::StateChange { instance, .. } => instance,
        Ec2EventKind::Other { .. } => return,
    };
    let digits = id.as_str().strip_prefix("i-").expect("an id");
    assert!(matches!(digits.len(), 8 | 17), "{id}");
    assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}
