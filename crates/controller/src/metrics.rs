//! What `/metrics` shows. Every label value is one of a bounded set, so that no stranger's text can
//! make a series without end: words of ours, a capped number of repositories and families, of the images
//! in use the oldest few.
//!
//! docs/metrics.md is made of what is registered here, and a test holds it to that.

mod capped;
mod lost;
mod machines;
mod messages;
mod pace;
mod registrar;
mod retries;
mod shown;
mod standing;

use prometheus::{Encoder, Registry, TextEncoder};

use self::lost::Lost;
use self::machines::Machines;
use self::messages::Messages;
use self::pace::Pace;
use self::registrar::Registrar;
pub use self::registrar::{Described, Kind};
use self::retries::Retries;
use self::shown::Shown;
use self::standing::Standing;

/// The controller's metrics, in a registry of their own.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    described: Vec<Described>,
    messages: Messages,
    retries: Retries,
    shown: Shown,
    standing: Standing,
    machines: Machines,
    lost: Lost,
    pace: Pace,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// When two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let mut registrar = Registrar::default();
        let standing = Standing::new(&mut registrar)?;
        let messages = Messages::new(&mut registrar)?;
        let retries = Retries::new(&mut registrar)?;
        let shown = Shown::new(&mut registrar)?;
        let machines = Machines::new(&mut registrar)?;
        let lost = Lost::new(&mut registrar)?;
        let pace = Pace::new(&mut registrar)?;
        let (registry, described) = registrar.done();
        Ok(Self {
            registry,
            described,
            messages,
            retries,
            shown,
            standing,
            machines,
            lost,
            pace,
        })
    }

    /// What there is, in the order in which it was registered.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// The text format that Prometheus scrapes.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");

    /// Where the table of the page begins.
    const HEAD: &str =
        "| metric | kind | labels | what it counts or shows |\n| --- | --- | --- | --- |\n";

    fn table() -> String {
        let metrics = Metrics::new().expect("names differ");
        let row = |one: &Described| {
            let labels: Vec<String> = one
                .labels
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            let (name, kind, help) = (&one.name, one.kind.as_str(), &one.help);
            format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "))
        };
        metrics.described().iter().map(row).collect()
    }

    #[test]
    fn the_page_lists_each_metric_as_it_is() {
        let page = std::fs::read_to_string(PAGE).expect("readable");
        let (_, rest) = page.split_once(HEAD).expect("the table's head");
        let rows = rest.split("\n\n").next().unwrap_or_default();
        assert_eq!(
            rows.trim_end(),
            table().trim_end(),
            "the table of docs/metrics.md is out of date; write it with \
             `cargo test -p reprise-tests -p reprise-cli -p reprise-controller --lib -- --ignored`"
        );
    }

    #[test]
    #[ignore = "writes the page that the test above reads"]
    fn write_the_page() {
        let page = std::fs::read_to_string(PAGE).expect("readable");
        let text = page.split(HEAD).next().unwrap_or_default();
        std::fs::write(PAGE, format!("{text}{HEAD}{}", table())).expect("writable");
    }

    #[test]
    fn names_and_helps_are_fit_for_prometheus() {
        let metrics = Metrics::new().expect("names differ");
        for one in metrics.described() {
            assert!(one.name.starts_with("reprise_"), "{}", one.name);
            assert!(
                one.help.ends_with('.') && !one.help.contains('|'),
                "{}",
                one.help
            );
            let is_total = one.name.ends_with("_total");
            assert_eq!(is_total, one.kind == Kind::Counter, "{}", one.name);
        }
    }
}
