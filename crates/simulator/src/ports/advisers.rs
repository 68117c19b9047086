//! The operator's endpoint, as a replica reaches it: it says what it thinks, or hangs, fails or talks nonsense.

use jiff::{SignedDuration, Timestamp};
use reprise_controller::ports::Advisers;
use reprise_model::advice::{Answer, NoAnswer, Question, Said, read_answer};
use reprise_world::world::World;

use super::Wire;

/// How long one way usually takes at most.
const USUAL: SignedDuration = SignedDuration::from_millis(400);

/// The client's own deadline.
const DEADLINE: SignedDuration = SignedDuration::from_secs(5);

/// The endpoint.
#[derive(Clone)]
pub struct SimAdvisers(pub Wire);

impl SimAdvisers {
    fn fault(&self) -> Option<NoAnswer> {
        let universe = &self.0.universe;
        let rates = universe.rates().asks;
        if universe.hits(rates.hangs) {
            self.0.fault("an endpoint hangs");
            Some(NoAnswer::TimedOut)
        } else if universe.hits(rates.fails) {
            self.0.fault("an endpoint fails");
            Some(NoAnswer::BadStatus { status: 500 })
        } else if universe.hits(rates.lies) {
            self.0.fault("an endpoint talks nonsense");
            read_answer(b"{\"retry\": \"certainly\"}").err()
        } else {
            None
        }
    }
}

impl Advisers for SimAdvisers {
    async fn ask(&self, question: &Question, _now: Timestamp) -> Result<Answer, NoAnswer> {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let job = question.job.id;
        let answer = match self.fault() {
            None => Ok(World::opinion(job)),
            Some(why) => Err(why),
        };
        if answer == Err(NoAnswer::TimedOut) {
            wire.universe.clock.pause(DEADLINE).await;
        }
        let said = Said::by(answer.clone());
        wire.universe.world(|world, _| world.was_heard(job, said));
        wire.end(crash, USUAL).await;
        answer
    }
}
