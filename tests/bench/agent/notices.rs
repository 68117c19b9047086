//! How soon notices are seen and tagged for: many agents, each with its notice at a moment of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reprise_tests::harness::alone::{Agent, NOTICED, Place, TAGGED};
use reprise_tests::harness::tls::Door;
use reprise_tests::wait;
use tokio::task::JoinSet;

use crate::figures::Figure;
use crate::percentile;

/// Milliseconds from notice to sight, and from notice to the answer of its tag.
type Times = (f64, f64);

/// The agents poll at moments of their own, the notices come spread over seconds, and EC2 is behind TLS.
pub(crate) async fn seen(program: &Path, count: u32) -> Result<Vec<Figure>> {
    let places = Place::several_closed(count, |settings| settings.rate_limits = false)?;
    let door = Door::before(places.first().context("no instance")?).await?;
    let mut watchers = JoinSet::new();
    let mut random = fastrand::Rng::with_seed(u64::from(count));
    for place in places {
        place.open_up()?;
        let mut command = place.command(program)?;
        door.lead(&mut command);
        let agent = Agent::start(command)?;
        let after = Duration::from_millis(random.u64(3000..13_000));
        watchers.spawn(watched(place, agent, after));
    }
    let mut sights = Vec::new();
    let mut tags = Vec::new();
    while let Some(times) = watchers.join_next().await {
        let (sight, tag) = times??;
        sights.push(sight);
        tags.push(tag);
    }
    sights.sort_by(f64::total_cmp);
    tags.sort_by(f64::total_cmp);
    let most = |times: &[f64]| times.last().copied().context("no notice");
    let figure = |what, value| Figure::new(what, value, " ms").digits(0);
    Ok(vec![
        figure("notice to sight, p50", percentile(&sights, 50)?),
        figure("notice to sight, p99", percentile(&sights, 99)?),
        figure("notice to sight, the longest", most(&sights)?).at_most(1100.0),
        figure("notice to tag answered, p50", percentile(&tags, 50)?),
        figure("notice to tag answered, p99", percentile(&tags, 99)?),
        figure("notice to tag answered, the longest", most(&tags)?),
    ])
}

async fn watched(place: Place, agent: Agent, after: Duration) -> Result<Times> {
    agent.says("the instance is known").await?;
    wait::for_a_moment_of_its_own(after).await;
    let given = place.give_notice()?;
    let sight = agent.says(NOTICED).await?.at - given;
    let tag = agent.says(TAGGED).await?.at - given;
    Ok((sight.as_secs_f64() * 1e3, tag.as_secs_f64() * 1e3))
}
