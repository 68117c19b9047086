//! A metadata service that gives no usable answers for a while, and then does.

use std::time::Duration;

use anyhow::Result;
use http::StatusCode;
use jiff::SignedDuration;
use reprise_tests::harness::alone::{Agent, NOTICED, POLL_FAILED, Place, program};
use reprise_world::imds::{Delivery, ImdsFaults};
use tokio::time::Instant;

use crate::Affliction;
use crate::row;
use crate::table::Figure;

/// After an outage: what was asked last in it runs to its deadline of a second, and the rest is quick.
const AFTER_OUTAGE: Duration = Duration::from_secs(2);

/// A poll a second, and its answer.
pub(crate) const SEEN: Duration = Duration::from_millis(1100);

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("nothing", calm()),
        row!("hang", outage(|faults| faults.hang = true)),
        row!(
            "reset in mid-answer",
            outage(|faults| faults.delivery = Delivery::Reset)
        ),
        row!(
            "slow drip, a byte a second",
            outage(|faults| faults.delivery = Delivery::Drip)
        ),
        row!("403", outage(|faults| faults.disabled = true)),
        row!("500", failing(StatusCode::INTERNAL_SERVER_ERROR)),
        row!("502", failing(StatusCode::BAD_GATEWAY)),
        row!("503", failing(StatusCode::SERVICE_UNAVAILABLE)),
        row!("connection refused", refused()),
        row!("connection refused at boot", refused_at_boot()),
        row!("throttle, one request of three answered", throttled()),
        row!("malformed body", malformed()),
    ]
}

/// And EC2's answer.
pub(crate) const TAGGED_WITHIN: Duration = Duration::from_millis(1500);

/// An agent that has asked twice and knows its instance.
pub(crate) async fn settled(place: &Place) -> Result<Agent> {
    let agent = Agent::start(place.command(&program()?)?)?;
    agent.says("the instance is known").await?;
    place.asked(1).await?;
    Ok(agent)
}

/// The notice comes when a poll has just been answered, which is the longest before the next one.
async fn calm() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let mut agent = settled(&place).await?;
    let given = place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    let tagged = place.when(Place::is_tagged).await?;
    agent.process()?;
    Ok(vec![
        Figure::within("notice seen", SEEN, seen - given),
        Figure::within("tag answered", TAGGED_WITHIN, tagged - given),
    ])
}

/// The notice comes in the outage, which ends when a request has just begun: one that hangs is then
/// waited for in full.
async fn outage(begin: impl Fn(&mut ImdsFaults) + Send) -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let agent = settled(&place).await?;
    place.break_by(begin);
    agent.says(POLL_FAILED).await?;
    place.asked(2).await?;
    place.give_notice()?;
    let ended = place.break_by(|faults| *faults = ImdsFaults::default());
    after_outage(agent, ended).await
}

async fn failing(status: StatusCode) -> Result<Vec<Figure>> {
    outage(|faults| faults.server_error = Some(status)).await
}

async fn refused() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let agent = settled(&place).await?;
    place.close().await?;
    agent.says(POLL_FAILED).await?;
    place.give_notice()?;
    let ended = Instant::now();
    place.open_up()?;
    after_outage(agent, ended).await
}

async fn refused_at_boot() -> Result<Vec<Figure>> {
    let place = Place::closed()?;
    let agent = Agent::start(place.command(&program()?)?)?;
    agent.says(POLL_FAILED).await?;
    place.give_notice()?;
    let ended = Instant::now();
    place.open_up()?;
    after_outage(agent, ended).await
}

async fn after_outage(mut agent: Agent, ended: Instant) -> Result<Vec<Figure>> {
    let seen = agent.says(NOTICED).await?.at;
    agent.process()?;
    Ok(vec![
        Figure::within("notice seen after its end", AFTER_OUTAGE, seen - ended),
        Figure::exactly("said", 1, agent.count(POLL_FAILED)),
    ])
}

async fn throttled() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let mut agent = settled(&place).await?;
    place.break_by(|faults| faults.answers_one_in = Some(3));
    place.asked(3).await?;
    let given = place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    agent.process()?;
    let three_polls = SEEN + Duration::from_secs(2);
    Ok(vec![
        Figure::within("notice seen", three_polls, seen - given),
        Figure::exactly("said", 1, agent.count(POLL_FAILED)),
    ])
}

async fn malformed() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let mut agent = settled(&place).await?;
    let nonsense = Some("<html>{\"action\":".to_owned());
    place.break_by(|faults| faults.notice_text = nonsense);
    place.asked(3).await?;
    let taken_for_one = agent.count(NOTICED);
    place.give_notice()?;
    let ended = place.break_by(|faults| faults.notice_text = None);
    let seen = agent.says(NOTICED).await?.at;
    agent.process()?;
    Ok(vec![
        Figure::exactly("taken for a notice", 0, taken_for_one),
        Figure::exactly("said", 1, agent.count("it is ignored")),
        Figure::within("true notice seen", SEEN, seen - ended),
    ])
}

/// As a time of day that moved by an hour.
pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);
