//! Figures of several runs, their medians, and the table with the budget beside each.

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    digits: usize,
    budget: Option<Budget>,
}

/// What a median must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(
    dead_code,
    reason = "this file is a part of each bench, and not each has both"
)]
enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// Without a budget, shown with two digits.
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            digits: 2,
            budget: None,
        }
    }

    /// With a budget.
    #[must_use]
    pub(crate) fn at_most(mut self, budget: f64) -> Self {
        self.budget = Some(Budget::AtMost(budget));
        self
    }

    /// With a budget that it must reach.
    #[must_use]
    #[allow(
        dead_code,
        reason = "this file is a part of each bench, and not each needs it"
    )]
    pub(crate) fn at_least(mut self, budget: f64) -> Self {
        self.budget = Some(Budget::AtLeast(budget));
        self
    }

    /// Shown with so many digits.
    #[must_use]
    pub(crate) fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }
}

/// One kind of load, and what its runs measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    heading: String,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    figure: Figure,
    values: Vec<f64>,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a run. What some runs have no word of was 0 there.
    pub(crate) fn add(&mut self, run: Vec<Figure>) {
        let runs_before = self.rows.iter().map(|row| row.values.len()).max();
        let runs_before = runs_before.unwrap_or(0);
        for figure in run {
            match self
                .rows
                .iter_mut()
                .find(|row| row.figure.what == figure.what)
            {
                Some(row) => row.values.push(figure.value),
                None => {
                    let mut values = vec![0.0; runs_before];
                    values.push(figure.value);
                    self.rows.push(Row { figure, values });
                }
            }
        }
        for row in &mut self.rows {
            row.values.resize(runs_before + 1, 0.0);
        }
    }

    /// How many figures are over their budgets.
    pub(crate) fn over(&self) -> usize {
        self.rows.iter().filter(|row| row.is_over()).count()
    }

    /// As it stands in docs/benchmarks.md.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "| {} | median | lowest to highest | budget | |\n| --- | ---: | ---: | ---: | --- |\n",
            self.heading
        );
        for row in &self.rows {
            text.push_str(&row.markdown());
        }
        text
    }
}

impl Row {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Of an even number that of the two in the middle which is the worse: no budget is met by half a run.
    fn median(&self) -> f64 {
        let values = self.sorted();
        let middle = match self.figure.budget {
            Some(Budget::AtLeast(_)) => values.len().saturating_sub(1) / 2,
            Some(Budget::AtMost(_)) | None => values.len() / 2,
        };
        values.get(middle).copied().unwrap_or(f64::NAN)
    }

    fn is_over(&self) -> bool {
        match self.figure.budget {
            None => false,
            Some(Budget::AtMost(most)) => self.median() > most,
            Some(Budget::AtLeast(least)) => self.median() < least,
        }
    }

    fn markdown(&self) -> String {
        let Figure {
            what, unit, digits, ..
        } = &self.figure;
        let values = self.sorted();
        let edge = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        let (least, most) = (edge(values.first()), edge(values.last()));
        let allowed = match self.figure.budget {
            None => String::new(),
            Some(Budget::AtMost(most)) => format!("<= {most}{unit}"),
            Some(Budget::AtLeast(least)) => format!(">= {least}{unit}"),
        };
        let verdict = match self.figure.budget {
            None => "",
            Some(_) if self.is_over() => "**over**",
            Some(_) => "within",
        };
        let median = self.median();
        format!(
            "| {what} | {median:.digits$}{unit} | {least:.digits$} to {most:.digits$} | {allowed} | {verdict} |\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(value: f64) -> Figure {
        Figure::new("calls", value, "").at_most(0.3)
    }

    #[test]
    fn the_median_decides_whether_a_budget_is_kept() {
        let mut table = Table::new("load");
        table.add(vec![calls(0.1)]);
        table.add(vec![calls(5.0)]);
        table.add(vec![calls(0.2)]);
        assert_eq!(table.over(), 0);
        assert!(
            table
                .markdown()
                .contains("| 0.20 | 0.10 to 5.00 | <= 0.3 | within |")
        );
        table.add(vec![calls(0.4)]);
        assert_eq!(table.over(), 1, "of an even number the greater counts");
    }

    #[test]
    fn what_must_be_reached_is_over_its_budget_below_it() {
        let speed = |value| vec![Figure::new("speed", value, " %").digits(0).at_least(70.0)];
        let mut table = Table::new("load");
        table.add(speed(71.0));
        assert_eq!(table.over(), 0);
        table.add(speed(69.0));
        assert_eq!(table.over(), 1, "of an even number the lesser counts");
        assert!(
            table
                .markdown()
                .contains("| speed | 69 % | 69 to 71 | >= 70 % | **over** |")
        );
    }

    #[test]
    fn what_a_run_does_not_tell_of_was_none() {
        let mut table = Table::new("load");
        table.add(vec![calls(0.1)]);
        table.add(vec![Figure::new("ends", 2.0, " ms")]);
        assert!(table.markdown().contains("| calls | 0.10 | 0.00 to 0.10 |"));
        assert!(
            table
                .markdown()
                .contains("| ends | 2.00 ms | 0.00 to 2.00 |  |  |")
        );
    }
}
