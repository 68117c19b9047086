//! How often an outage is spoken of: over ten minutes, in virtual time.

use std::cell::RefCell;

use anyhow::{Context as _, Result};
use http::StatusCode;
use jiff::SignedDuration;
use reprise_agent::Clock as _;
use reprise_agent::logging;
use reprise_agent::settings::LogLevel;
use reprise_tests::harness::alone::POLL_FAILED;
use reprise_world::imds::{Delivery, ImdsFaults};
use tracing::field::{Field, Visit};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::simulated::{self, Cloud, Host, live};
use crate::table::Figure;
use crate::{Affliction, row};

/// How long each outage is.
const OUTAGE: SignedDuration = SignedDuration::from_mins(10);

/// Once a minute at most, and at its beginning.
const MOST: usize = 11;

/// Until it begins, and after it has ended.
const CALM: SignedDuration = SignedDuration::from_millis(5500);

/// What the agent says at an outage's end.
const OVER: &str = "the metadata service answers again";

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!(
            "ten minutes of hanging (simulated)",
            lasting(|faults| faults.hang = true)
        ),
        row!(
            "ten minutes of resets (simulated)",
            lasting(|faults| faults.delivery = Delivery::Reset)
        ),
        row!(
            "ten minutes of slow drips (simulated)",
            lasting(|faults| faults.delivery = Delivery::Drip)
        ),
        row!(
            "ten minutes of 401 (simulated)",
            lasting(|faults| faults.unauthorized = true)
        ),
        row!(
            "ten minutes of 403 (simulated)",
            lasting(|faults| faults.disabled = true)
        ),
        row!(
            "ten minutes of 500 (simulated)",
            failing(StatusCode::INTERNAL_SERVER_ERROR)
        ),
        row!(
            "ten minutes of 502 (simulated)",
            failing(StatusCode::BAD_GATEWAY)
        ),
        row!(
            "ten minutes of 503 (simulated)",
            failing(StatusCode::SERVICE_UNAVAILABLE)
        ),
        row!("ten minutes of refused connections (simulated)", refusing()),
        row!(
            "ten minutes of one request of three answered (simulated)",
            flapping()
        ),
    ]
}

/// An outage without a gap: its end is said once.
async fn lasting(begin: impl FnOnce(&mut ImdsFaults) + Send + 'static) -> Result<Vec<Figure>> {
    let said = heard(|host| host.break_by(begin), |host| host.break_by(mend)).await?;
    Ok(vec![
        said.complaints(),
        Figure::exactly("its end said", 1, said.ends),
    ])
}

async fn failing(status: StatusCode) -> Result<Vec<Figure>> {
    lasting(move |faults| faults.server_error = Some(status)).await
}

async fn refusing() -> Result<Vec<Figure>> {
    let said = heard(|host| host.refuse(true), |host| host.refuse(false)).await?;
    Ok(vec![
        said.complaints(),
        Figure::exactly("its end said", 1, said.ends),
    ])
}

/// An outage that seems to end again and again.
async fn flapping() -> Result<Vec<Figure>> {
    let begin = |host: &Host| host.break_by(|faults| faults.answers_one_in = Some(3));
    let said = heard(begin, |host| host.break_by(mend)).await?;
    let ends = Figure::among("its end said", 1..=MOST, said.ends);
    Ok(vec![said.complaints(), ends])
}

fn mend(faults: &mut ImdsFaults) {
    *faults = ImdsFaults::default();
}

/// How often an agent spoke of it.
struct Said {
    complaints: usize,
    ends: usize,
}

impl Said {
    fn complaints(&self) -> Figure {
        Figure::among("complaints", 1..=MOST, self.complaints)
    }
}

/// An agent's life with an outage in its middle.
async fn heard(
    begin: impl FnOnce(&Host) + Send + 'static,
    end: impl FnOnce(&Host) + Send + 'static,
) -> Result<Said> {
    simulated::run(async move {
        HEARD.set(Some(Vec::new()));
        let cloud = Cloud::new(1)?;
        let host = cloud.hosts().into_iter().next();
        let host = host.context("no instance")?;
        let life = live(host.clone(), 1, CALM + OUTAGE + CALM);
        let outage = async {
            cloud.clock.sleep(CALM).await;
            begin(&host);
            cloud.clock.sleep(OUTAGE).await;
            end(&host);
        };
        tokio::join!(life, outage);
        let lines = HEARD.take().unwrap_or_default();
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        Ok(Said {
            complaints: count(POLL_FAILED),
            ends: count(OVER),
        })
    })
    .await
}

thread_local! {
    /// What the agent on this thread said, where somebody listens.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Has the agents of this process be heard, at the level at which they are shipped.
pub(crate) fn listen() -> Result<(), SetGlobalDefaultError> {
    let lines = Ear.with_filter(logging::filter(LogLevel::Info));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines))
}

struct Ear;

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        HEARD.with_borrow_mut(|heard| {
            if let Some(lines) = heard {
                let mut message = Message::default();
                event.record(&mut message);
                lines.push(message.0);
            }
        });
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
