//! Several controllers on the same queues and the same ledger, killed and started again.
//!
//! A replica has a place; whoever is killed in it is followed by another process with the same
//! configuration and a log of its own. It decides nothing: who falls when is the caller's choice.

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;

use super::controller::Controller;
use super::stage::Stage;

/// The places, each with a living controller or none.
pub struct Replicas<'a> {
    stage: &'a Stage,
    places: Vec<Option<Controller>>,
    history: Vec<String>,
    kills: usize,
}

impl<'a> Replicas<'a> {
    /// So many controllers, all started.
    pub async fn start(stage: &'a Stage, count: usize) -> Result<Self> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(Some(stage.controller().await?));
        }
        Ok(Self {
            stage,
            places,
            history: Vec::new(),
            kills: 0,
        })
    }

    /// SIGKILL to all of these at once: they end in the middle of whatever they do. Nothing happens
    /// at a place that is empty.
    pub async fn kill(&mut self, places: &[usize]) -> Result<()> {
        for place in places {
            if let Some(controller) = &mut self.places[*place] {
                controller.start_kill()?;
            }
        }
        for place in places {
            if let Some(controller) = self.places[*place].take() {
                controller.kill().await?;
                self.kills += 1;
                self.note(format!("replica {place} killed"));
            }
        }
        Ok(())
    }

    /// Another one in its place; it is not waited for.
    pub fn restart(&mut self, place: usize) -> Result<()> {
        if self.places[place].is_none() {
            self.places[place] = Some(self.stage.spawn_controller()?);
            self.note(format!("replica {place} started again"));
        }
        Ok(())
    }

    /// Fails if one has ended that nobody killed.
    pub fn are_alive(&mut self) -> Result<()> {
        for (place, controller) in self.places.iter_mut().enumerate() {
            if let Some(controller) = controller {
                controller
                    .is_alive()
                    .with_context(|| format!("replica {place} ended by itself"))?;
            }
        }
        Ok(())
    }

    /// SIGTERM to all that are left, one after the other.
    pub async fn terminate(&mut self) -> Result<()> {
        for place in 0..self.places.len() {
            if self.places[place].is_some() {
                self.terminate_one(place).await?;
            }
        }
        Ok(())
    }

    /// SIGTERM to one, which must end well. Answers how long that took, by the story's clock.
    pub async fn terminate_one(&mut self, place: usize) -> Result<SignedDuration> {
        let controller = self.places[place].take().context("nobody is there")?;
        // Only who has started listens to the signal; others it would end at once.
        let controller = controller.started().await?;
        let clock = self.stage.world().clock();
        let asked_at = clock.now();
        let status = controller.terminate().await?;
        let took = clock.now().duration_since(asked_at);
        ensure!(status.success(), "replica {place} ended with {status}");
        self.note(format!("replica {place} ended as asked"));
        Ok(took)
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// How many processes were killed.
    pub fn kills(&self) -> usize {
        self.kills
    }

    /// Who was killed and started again when, since the clock's origin.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    fn note(&mut self, what: String) {
        let clock = self.stage.world().clock();
        let passed: SignedDuration = clock.now().duration_since(clock.origin().0);
        self.history
            .push(format!("{:8.2} s  {what}", passed.as_secs_f64()));
    }
}
