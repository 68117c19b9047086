//! A thousand agents get their notices in one moment, and share an API of ten calls a second: the
//! agents' own code through its ports, in virtual time.

use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;
use reprise_agent::Clock as _;

use crate::simulated::{self, Cloud, live};
use crate::table::Figure;
use crate::{Affliction, row};

const AGENTS: u32 = 1000;

/// When the notices come.
const NOTICE_AFTER: SignedDuration = SignedDuration::from_secs(3);

/// EC2 gives its burst of a hundred at once and the rest at ten a second: 90 s are the least for a
/// thousand; five seconds before the end the agents give up.
const LAST_TAG: Duration = Duration::from_secs(100);

pub(crate) fn all() -> Vec<Affliction> {
    vec![row!(
        "1,000 notices at once, 10 tags a second (simulated)",
        crowd()
    )]
}

async fn crowd() -> Result<Vec<Figure>> {
    let (tagged, answers) = simulated::run(simulate()).await?;
    let last = answers.iter().max().copied().unwrap_or_default();
    Ok(vec![
        Figure::exactly("instances with the tag", usize::try_from(AGENTS)?, tagged),
        Figure::within("the last tag", LAST_TAG, last),
    ])
}

/// How many instances have the tag in the end, and how long after the notices each answer came.
async fn simulate() -> Result<(usize, Vec<Duration>)> {
    let cloud = Cloud::new(AGENTS)?;
    let mut agents = tokio::task::JoinSet::new();
    for (number, host) in cloud.hosts().into_iter().enumerate() {
        let number = u64::try_from(number)?;
        let clock = cloud.clock.clone();
        agents.spawn(async move {
            // Instances boot when they do.
            let mut jitter = fastrand::Rng::with_seed(number);
            let boot = SignedDuration::from_millis(jitter.i64(0..1000));
            clock.sleep(boot).await;
            live(host, number, NOTICE_AFTER + SignedDuration::from_mins(2)).await;
        });
    }
    cloud.clock.sleep(NOTICE_AFTER).await;
    let given = cloud.clock.now();
    cloud.give_notices()?;
    while agents.join_next().await.is_some() {}
    Ok((cloud.tagged(), cloud.tagged_after(given)))
}
