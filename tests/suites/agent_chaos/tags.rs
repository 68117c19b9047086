//! EC2 takes no tag.

use std::time::Duration;

use anyhow::Result;
use reprise_agent::agent::TAG_DEADLINE;
use reprise_tests::harness::alone::{Agent, NOTICED, Place, TAGGED, program};
use reprise_tests::harness::tls::Door;
use reprise_world::ec2::{Action, Ec2Error};

use crate::job::{self, End};
use crate::outages::{TAGGED_WITHIN, settled};
use crate::table::Figure;
use crate::{Affliction, row};

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("tag throttled five times", throttled()),
        row!("tag denied", denied()),
        row!("no credentials", no_role()),
        row!("EC2 hangs on two tags", hanging()),
        row!(
            "EC2's certificate is of an authority in `ca_bundle`",
            vouched_for()
        ),
        row!(
            "EC2's certificate is of an unknown authority",
            not_vouched_for()
        ),
    ]
}

async fn throttled() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let mut agent = settled(&place).await?;
    for _ in 0..5 {
        place.ec2(|ec2, _| {
            ec2.fail_next(Action::CreateTags, Ec2Error::request_limit_exceeded());
        })?;
    }
    place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    let tagged = agent.says(TAGGED).await?;
    agent.process()?;
    // Its waits may be a quarter of a second, a half, one, two and four.
    let longest = Duration::from_millis(7750 + 500);
    let attempts = tagged.fields["tag.attempts"].as_u64().unwrap_or_default();
    Ok(vec![
        Figure::within(
            "tagged after the notice was seen",
            longest,
            tagged.at - seen,
        ),
        Figure::exactly("attempts", 6, usize::try_from(attempts)?),
    ])
}

/// Each attempt is given up after its five seconds, and the job's end is due in the middle of one.
async fn hanging() -> Result<Vec<Figure>> {
    let mut stage = job::stage().await?;
    let agent = job::settled(&stage, job::command(&stage)?).await?;
    stage.place.silence_ec2(2);
    let given = stage.place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    let on_the_job = job::figures(&mut stage, &agent, given, End::Due).await?;
    let tagged_by_then = agent.count(TAGGED);
    let tagged = agent.says(TAGGED).await?;
    // The waits in between may be a quarter of a second and a half.
    let longest = TAG_DEADLINE * 2 + Duration::from_millis(750 + 500);
    let attempts = tagged.fields["tag.attempts"].as_u64().unwrap_or_default();
    let mut figures = vec![
        Figure::within(
            "tagged after the notice was seen",
            longest,
            tagged.at - seen,
        ),
        Figure::exactly("attempts", 3, usize::try_from(attempts)?),
        Figure::exactly("tagged when the job's end came", 0, tagged_by_then),
    ];
    figures.extend(on_the_job);
    Ok(figures)
}

async fn vouched_for() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let door = Door::before(&place).await?;
    let mut command = place.command(&program()?)?;
    door.lead(&mut command);
    let agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    let given = place.give_notice()?;
    let tagged = agent.says(TAGGED).await?.at;
    Ok(vec![Figure::within(
        "tag answered",
        TAGGED_WITHIN,
        tagged - given,
    )])
}

/// It is asked nothing, and all else goes on.
async fn not_vouched_for() -> Result<Vec<Figure>> {
    let mut stage = job::stage().await?;
    let door = Door::before(&stage.place).await?;
    let mut command = job::command(&stage)?;
    door.lead_a_stranger(&mut command);
    let agent = job::settled(&stage, command).await?;
    let given = stage.place.give_notice()?;
    agent.says(NOTICED).await?;
    let mut figures = job::figures(&mut stage, &agent, given, End::Due).await?;
    let calls = stage.place.ec2(|ec2, _| ec2.calls().count())?;
    figures.push(Figure::exactly("tags asked for", 0, calls));
    figures.push(Figure::exactly("said", 1, agent.count("not tagged")));
    Ok(figures)
}

/// By a policy that allows another key.
async fn denied() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let mut command = place.command(&program()?)?;
    command.env("REPRISE_AGENT_TAG_PREFIX", "other-");
    let mut agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    place.give_notice()?;
    agent.says("gave up").await?;
    // It polls on, and asks EC2 nothing.
    place.asked(3).await?;
    agent.process()?;
    let calls = place.ec2(|ec2, _| ec2.call_counts().get(&Action::CreateTags).copied())?;
    Ok(vec![
        Figure::exactly(
            "tags asked for",
            1,
            usize::try_from(calls.unwrap_or_default())?,
        ),
        Figure::exactly("said", 1, agent.count("gave up")),
    ])
}

async fn no_role() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    place.break_by(|faults| faults.no_role = true);
    let mut agent = settled(&place).await?;
    place.give_notice()?;
    agent.says("not tagged").await?;
    place.asked(6).await?;
    let ended = place.break_by(|faults| faults.no_role = false);
    let tagged = agent.says(TAGGED).await?.at;
    agent.process()?;
    Ok(vec![
        Figure::exactly("said", 1, agent.count("not tagged")),
        Figure::within(
            "tagged once there are some",
            Duration::from_millis(5500),
            tagged - ended,
        ),
    ])
}
