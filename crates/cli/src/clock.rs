//! The demo's scaled time, for the controller and for the agents.

use std::time::SystemTime;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reprise_world::clock::{ClockError, ClockOrigin, ScaledClock};

/// The two numbers by which several processes agree on the time.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClockArguments {
    /// The moment at which scaled and wall time agree.
    #[arg(long)]
    clock_origin: ClockOrigin,
    /// How many seconds of the demo pass in one of the wall's.
    #[arg(long)]
    clock_speed: f64,
}

impl ClockArguments {
    pub(crate) fn clock(&self) -> Result<DemoClock, ClockError> {
        ScaledClock::new(self.clock_origin, self.clock_speed).map(DemoClock)
    }
}

/// The arguments that give another process the same clock.
pub(crate) fn arguments_of(clock: &ScaledClock) -> [String; 4] {
    [
        "--clock-origin".to_owned(),
        clock.origin().to_string(),
        "--clock-speed".to_owned(),
        clock.speed().to_string(),
    ]
}

/// Scaled time behind both programs' clock ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DemoClock(ScaledClock);

impl DemoClock {
    /// How long a time of the story really takes.
    pub(crate) fn real_duration(&self, story: SignedDuration) -> SignedDuration {
        SignedDuration::try_from(self.0.real_duration(story)).unwrap_or(SignedDuration::MAX)
    }
}

impl reprise_controller::clock::Clock for DemoClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.0.sleep(duration).await;
    }
}

impl reprise_agent::Clock for DemoClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "AWS wants the true time in a signature"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.0.sleep(duration).await;
    }
}
