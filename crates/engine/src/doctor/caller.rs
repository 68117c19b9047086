//! As whom AWS is asked.

use super::Finding;

/// Who asks, by the ARN that AWS has for them, and the role that was meant, by its name or ARN. What may be done
/// is told of whoever asks, and of nobody else.
pub fn caller(arn: &str, meant: Option<&str>) -> Finding {
    const CHECK: &str = "caller";
    let Some(meant) = meant else {
        return Finding::ok(
            CHECK,
            format!("{arn}; what may be done is told of it alone"),
        );
    };
    if role(arn) == Some(name(meant)) {
        return Finding::ok(CHECK, format!("{arn}, which is the role {meant}"));
    }
    Finding::wrong(
        CHECK,
        format!("{arn}, which is not the role {meant}: what may be done is told of another"),
        "take the role on first; docs/prove-it.md says how",
    )
}

/// The role of a session, as `arn:aws:sts::123456789012:assumed-role/NAME/SESSION`: it has the role's name, and
/// not its path.
fn role(arn: &str) -> Option<&str> {
    let (_, session) = arn.split_once(":assumed-role/")?;
    session.split('/').next()
}

fn name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/reprise-controller/doctor";

    #[test]
    fn what_may_be_done_is_told_of_the_controller_only_where_its_role_asks() {
        for role in [
            "reprise-controller",
            "arn:aws:iam::123456789012:role/reprise-controller",
            "arn:aws:iam::123456789012:role/ci/reprise-controller",
        ] {
            assert_eq!(caller(SESSION, Some(role)).health, Health::Ok, "{role}");
        }
        let person = "arn:aws:iam::123456789012:user/reprise-controller";
        for (arn, role) in [
            (SESSION, "reprise-control"),
            (SESSION, "doctor"),
            (person, "reprise-controller"),
        ] {
            let found = caller(arn, Some(role));
            assert_eq!(found.health, Health::Wrong, "{arn} {role}");
            assert!(found.says.contains(arn), "{}", found.says);
        }
    }

    #[test]
    fn where_no_role_is_meant_it_is_told_who_asks() {
        let found = caller(SESSION, None);
        assert_eq!(found.health, Health::Ok);
        assert!(found.says.starts_with(SESSION), "{}", found.says);
    }
}
