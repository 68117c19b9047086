//! The terminal: one line an event, and a spinner while nothing happens.

use std::time::Duration;

use anyhow::Result;
use console::{Style, style};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use reprise_world::clock::ScaledClock;

use crate::output::say;

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// The widest name of who acts.
const WHO: usize = 10;

pub(super) struct Screen {
    clock: ScaledClock,
    spinner: ProgressBar,
}

impl Screen {
    pub(super) fn new(clock: &ScaledClock) -> Self {
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("       {spinner} {msg}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(TURN);
        Self {
            clock: *clock,
            spinner,
        }
    }

    /// One line, now.
    pub(super) fn say(&self, who: &str, text: &str) -> Result<()> {
        self.say_at(self.clock.now(), who, text)
    }

    /// One line at a time of the story.
    pub(super) fn say_at(&self, at: Timestamp, who: &str, text: &str) -> Result<()> {
        let seconds = at.duration_since(self.clock.origin().0).as_secs().max(0);
        let time = format!("{:02}:{:02}", seconds / 60, seconds % 60);
        let who = colour_of(who).apply_to(format!("{who:WHO$}"));
        self.spinner
            .suspend(|| say(format_args!("{}  {who}  {text}", style(time).dim())))
    }

    /// What is being waited for until the next line.
    pub(super) fn wait_for(&self, what: &str) {
        if self.spinner.message() != what {
            self.spinner.set_message(what.to_owned());
        }
    }

    pub(super) fn finish(&self) {
        self.spinner.finish_and_clear();
    }
}

fn colour_of(who: &str) -> Style {
    match who {
        "controller" => Style::new().green().bold(),
        "agent" => Style::new().yellow().bold(),
        "ec2" => Style::new().red(),
        "github" => Style::new().blue(),
        _ => Style::new().cyan(),
    }
}
