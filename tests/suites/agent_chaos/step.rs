//! The time of day steps while the agent runs.
//!
//! The agent runs in this process, over the same HTTP, with a clock whose time of day can be stepped:
//! a process cannot step the machine's for one program alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_agent::settings::InterruptionSettings;
use reprise_agent::{Clock, Settings, SystemClock, run_agent};
use reprise_tests::harness::alone::Place;
use tokio::sync::oneshot;

use crate::outages::{HOUR, SEEN};
use crate::table::Figure;
use crate::{Affliction, row};

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("clock stepped by +1 h", stepped(HOUR)),
        row!("clock stepped by -1 h", stepped(-HOUR)),
    ]
}

async fn stepped(by: SignedDuration) -> Result<Vec<Figure>> {
    // As AWS does, which is why the time of day matters at all.
    let five_minutes = Some(SignedDuration::from_mins(5));
    let places = Place::several_closed(1, |ec2| ec2.signatures_last = five_minutes)?;
    let place = places.into_iter().next().context("no instance")?;
    place.open_up()?;
    let (metadata, ec2) = place.urls()?;
    let settings = Settings {
        metadata_endpoint: metadata.parse()?,
        ec2_endpoint: Some(ec2.parse()?),
        interruption: InterruptionSettings::only_tag(),
        ..Settings::default()
    };
    let clock = Stepping::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = clock.clone();
    let agent = tokio::spawn(async move {
        let shutdown = async { stopped.await.unwrap_or_default() };
        run_agent(settings, running, shutdown).await
    });
    place.asked(4).await?;
    clock.step(by);
    let before = place.requests();
    let given = place.give_notice()?;
    let seen = place.when(|place| Ok(place.requests() > before)).await?;
    let tagged = place.when(Place::is_tagged).await?;
    // It polls on, once a second.
    let last = place.asked(2).await?;
    let polled_on = place.asked(2).await? - last;
    stop.send(()).ok();
    agent.await??;
    Ok(vec![
        Figure::within("notice asked for", SEEN, seen - given),
        Figure::within(
            "tag answered",
            SEEN + Duration::from_millis(400),
            tagged - given,
        ),
        Figure::within("two more polls", SEEN * 2, polled_on),
    ])
}

/// The machine's clocks, of which the time of day can be stepped.
#[derive(Clone)]
struct Stepping {
    real: SystemClock,
    seconds: Arc<AtomicI64>,
}

impl Default for Stepping {
    fn default() -> Self {
        Self {
            real: SystemClock::start(),
            seconds: Arc::default(),
        }
    }
}

impl Stepping {
    fn step(&self, by: SignedDuration) {
        self.seconds.store(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        self.real.now()
    }

    fn wall(&self) -> SystemTime {
        let seconds = self.seconds.load(Ordering::SeqCst);
        let by = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => self.real.wall() - by,
            false => self.real.wall() + by,
        }
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.real.sleep(duration).await;
    }
}
