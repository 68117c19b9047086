//! Rows, their figures, and the table.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;

/// One figure: what must be, and what was.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: &'static str,
    must: String,
    reached: String,
    met: bool,
}

impl Figure {
    /// A time that may be so long at most.
    pub(crate) fn within(what: &'static str, most: Duration, reached: Duration) -> Self {
        Self {
            what,
            must: format!("<= {}", seconds(most)),
            reached: seconds(reached),
            met: reached <= most,
        }
    }

    /// A number that must be one of those.
    pub(crate) fn among(what: &'static str, must: RangeInclusive<usize>, reached: usize) -> Self {
        Self {
            what,
            must: format!("{} to {}", must.start(), must.end()),
            reached: reached.to_string(),
            met: must.contains(&reached),
        }
    }

    /// A number that must be that.
    pub(crate) fn exactly(what: &'static str, must: usize, reached: usize) -> Self {
        Self {
            what,
            must: must.to_string(),
            reached: reached.to_string(),
            met: must == reached,
        }
    }
}

/// One affliction as it was played.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    figures: Result<Vec<Figure>>,
    again: bool,
}

impl Row {
    /// Played for the first time.
    pub(crate) fn new(name: &'static str, figures: Result<Vec<Figure>>) -> Self {
        let again = false;
        Self {
            name,
            figures,
            again,
        }
    }

    /// Played for the second time.
    pub(crate) fn second(first: Self, figures: Result<Vec<Figure>>) -> Self {
        eprintln!("{} was missed at first: {:?}", first.name, first.figures);
        Self {
            figures,
            again: true,
            ..first
        }
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_met(&self) -> bool {
        let figures = self.figures.as_ref();
        figures.is_ok_and(|figures| figures.iter().all(|figure| figure.met))
    }

    fn markdown(&self) -> String {
        let name = self.name;
        match &self.figures {
            Ok(figures) => figures.iter().map(|one| self.line(one)).collect(),
            Err(error) => {
                // All that an agent said may be in it.
                eprintln!("{name}: {error:#}");
                let whole = error.to_string();
                let first = whole.lines().next().unwrap_or_default();
                format!("| {name} | {first} |  |  | **failed** |\n")
            }
        }
    }

    fn line(&self, figure: &Figure) -> String {
        let Figure {
            what,
            must,
            reached,
            met,
        } = figure;
        let verdict = match (met, self.again) {
            (true, false) => "reached",
            (true, true) => "reached at the second try",
            (false, _) => "**missed**",
        };
        format!(
            "| {} | {what} | {must} | {reached} | {verdict} |\n",
            self.name
        )
    }
}

/// The table as it stands in docs/benchmarks.md.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let head = "| what befalls the agent | figure | must be | was | |\n| --- | --- | ---: | ---: | --- |\n";
    let lines = rows.iter().map(Row::markdown);
    std::iter::once(head.to_owned()).chain(lines).collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
