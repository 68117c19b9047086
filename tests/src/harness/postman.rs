//! Postmen. With the bad one messages come twice, late, in another order, and among them a stranger's;
//! the good one takes his time and no more.
//!
//! SQS promises no more than that each message comes at least once. Nothing is lost here; what is
//! lost is found by sweeps, which other tests show.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use reprise_world::world::{Outgoing, Queue};

use super::messages::{Letter, StrangeJob, signed_with};
use super::stage::Stage;

/// What a postman does with how many letters of a hundred.
#[derive(Debug, Clone, Copy)]
struct Habits {
    /// They come twice.
    doubles: u32,
    /// They are held up so long that later ones overtake them.
    dawdles: u32,
    /// They are followed by a forged one.
    forges: u32,
    /// Events that no rule for interruption warnings would let pass.
    drops_other_events: bool,
}

const BAD: Habits = Habits {
    doubles: 20,
    dawdles: 10,
    forges: 5,
    drops_other_events: false,
};

const GOOD: Habits = Habits {
    doubles: 0,
    dawdles: 0,
    forges: 0,
    drops_other_events: true,
};

/// The usual way, and the long one, in milliseconds of the story.
const USUAL: i64 = 1_500;
const LONG: i64 = 20_000;

/// Messages under way.
#[derive(Debug)]
pub struct Postman {
    habits: Habits,
    rng: fastrand::Rng,
    // By the time of arrival; the number keeps those apart that arrive together.
    bag: BTreeMap<(Timestamp, u64), (Queue, Letter)>,
    packed: u64,
    taken: u64,
    doubled: u64,
    forged: u64,
}

impl Postman {
    /// A bad one, whose moods a seed decides.
    pub fn bad(seed: u64) -> Self {
        Self::of(BAD, seed)
    }

    /// A good one. Of EC2's events it brings the warnings alone, as the rule of an installation does.
    pub fn good() -> Self {
        Self::of(GOOD, 0)
    }

    fn of(habits: Habits, seed: u64) -> Self {
        Self {
            habits,
            rng: fastrand::Rng::with_seed(seed),
            bag: BTreeMap::new(),
            packed: 0,
            taken: 0,
            doubled: 0,
            forged: 0,
        }
    }

    /// Takes what the world has sent since the last step, and delivers what has arrived.
    pub async fn step(&mut self, stage: &Stage) -> Result<()> {
        let (now, outgoing) = stage.with(|world, now| (now, world.take_outgoing()));
        for outgoing in outgoing {
            let queue = outgoing.queue;
            if self.habits.drops_other_events && is_other_event(&outgoing) {
                continue;
            }
            self.take(now, queue, outgoing.into())?;
        }
        while let Some(entry) = self.bag.first_entry()
            && entry.key().0 <= now
        {
            let (queue, letter) = entry.remove();
            stage.send(queue, &letter).await?;
        }
        Ok(())
    }

    /// Whether everything has been delivered.
    pub fn is_idle(&self) -> bool {
        self.bag.is_empty()
    }

    /// How many letters were taken, came twice, and were forged.
    pub fn tally(&self) -> (u64, u64, u64) {
        (self.taken, self.doubled, self.forged)
    }

    fn take(&mut self, now: Timestamp, queue: Queue, letter: Letter) -> Result<()> {
        self.taken += 1;
        if self.in_a_hundred(self.habits.doubles) {
            self.doubled += 1;
            self.pack(now, queue, letter.clone());
        }
        if queue == Queue::Webhooks && self.in_a_hundred(self.habits.forges) {
            self.forged += 1;
            let forged = forged(self.forged)?;
            self.pack(now, queue, forged);
        }
        self.pack(now, queue, letter);
        Ok(())
    }

    fn pack(&mut self, now: Timestamp, queue: Queue, letter: Letter) {
        let longest = if self.in_a_hundred(self.habits.dawdles) {
            LONG
        } else {
            USUAL
        };
        let way = SignedDuration::from_millis(self.rng.i64(0..=longest));
        self.packed += 1;
        self.bag.insert((now + way, self.packed), (queue, letter));
    }

    fn in_a_hundred(&mut self, count: u32) -> bool {
        self.rng.u32(0..100) < count
    }
}

fn is_other_event(outgoing: &Outgoing) -> bool {
    outgoing.queue == Queue::Ec2Events
        && !outgoing
            .body
            .contains("EC2 Spot Instance Interruption Warning")
}

/// A job that nobody queued, signed by somebody who does not know the secret. Believed, it would
/// show as a machine that no job asked for.
fn forged(number: u64) -> Result<Letter> {
    let job = StrangeJob {
        repository: "acme/shop",
        run: 1,
        id: number,
        labels: vec![format!("runs-on=forged-{number}/family=c7a")],
        runner: None,
        ran: (String::new(), String::new()),
    };
    signed_with("not-the-secret", "workflow_job", job.queued())
}
