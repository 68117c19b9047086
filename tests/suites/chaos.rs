//! Controllers are killed at random while everything happens, and nothing is lost or doubled.
//!
//! Queues by the simulated SQS, one SQLite file shared by three processes. A failure prints its seed
//! and who fell when; `REPRISE_CHAOS_SEED` plays another one.

use anyhow::Result;
use reprise_tests::harness::chaos::{self, Left};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::workload;
use reprise_world::world::{DeliveryMode, Queue};

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_are_killed_at_random_lose_and_double_nothing() -> Result<()> {
    played(chaos::seed_or(1)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_do_they_with_another_seed() -> Result<()> {
    played(chaos::seed_or(2)?).await
}

async fn played(seed: u64) -> Result<()> {
    let stage = Stage::set(Setting {
        speed: chaos::SPEED,
        world: |settings| {
            settings.delivery = DeliveryMode::Elsewhere;
            settings.max_receive_count = chaos::RECEIVES;
        },
        ..Setting::default()
    });
    let stage = stage.await?;
    let left = async || {
        let dead = [Queue::Webhooks, Queue::Ec2Events].map(|queue| stage.dead_letters(queue));
        let [webhooks, ec2_events] = dead;
        Ok(Left {
            // The rest of the world counts those of its own queues.
            waiting: 0,
            dead: (webhooks? + ec2_events?) as u64,
        })
    };
    chaos::play(&stage, &workload::busy(seed)?, seed, left).await
}
