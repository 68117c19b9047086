//! What a million jobs cost in managed services: measured counts, list prices, and their product.
//!
//! The suites `cost` and `cost_peers` hold the counts to what they measure, and compare the tables
//! that come of them with docs/cost.md: neither can change alone. It measures nothing itself.

use anyhow::{Result, ensure};

/// What the jobs of the usual mix take together, their runs and retries included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// The jobs.
    pub jobs: f64,
    /// Webhooks that GitHub sends.
    pub webhooks: f64,
    /// EC2 events that a rule for interruption warnings lets pass.
    pub ec2_events: f64,
    /// Calls that received messages.
    pub receives: f64,
    /// Calls that deleted messages.
    pub deletes: f64,
    /// Changes of a message's visibility.
    pub hidden: f64,
    /// Lines of the log at the level `info`.
    pub log_lines: f64,
    /// Their bytes.
    pub log_bytes: f64,
    /// Units of records written.
    pub write_units: f64,
    /// Units of the index of due work.
    pub index_units: f64,
    /// Units of records read.
    pub read_units: f64,
    /// Units of looks at the index.
    pub query_units: f64,
    /// Bytes of claims.
    pub claim_bytes: f64,
    /// Bytes of evidence and of the runs' records.
    pub evidence_bytes: f64,
    /// Units of runners' configurations written, each once.
    pub row_write_units: f64,
    /// Units of instances' looks for theirs.
    pub row_read_units: f64,
    /// Bytes of these configurations with the rest of their rows.
    pub row_bytes: f64,
}

/// What a replica does in an hour in which nothing happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Idle {
    /// Polls that bring nothing, of both queues.
    pub polls: f64,
    /// Questions to four queues, how many messages they hold.
    pub counts: f64,
    /// Looks at the index, half a unit each.
    pub queries: f64,
    /// Writes of the lease.
    pub lease_writes: f64,
}

/// The usual mix, measured by the suites; a little above what they see, never below it.
pub const USUAL: Counts = Counts {
    jobs: 60.0,
    webhooks: 247.0,
    ec2_events: 1.0,
    receives: 246.0,
    deletes: 33.0,
    hidden: 12.0,
    log_lines: 134.0,
    log_bytes: 48_000.0,
    write_units: 152.0,
    index_units: 31.0,
    read_units: 128.0,
    query_units: 46.0,
    claim_bytes: 48_800.0,
    evidence_bytes: 2_600.0,
    row_write_units: 122.0,
    row_read_units: 32.0,
    row_bytes: 115_000.0,
};

/// An idle hour, measured likewise.
pub const IDLE: Idle = Idle {
    polls: 360.0,
    counts: 240.0,
    queries: 720.0,
    lease_writes: 540.0,
};

/// How far below the sheet a measurement may be before the sheet is out of date.
const SLACK: f64 = 0.75;

/// How far above it: on a busy machine the story goes on while a step is waited for, and one job or two are claimed or
/// looked at once more. What each job of the mix did once more would show.
const BUSY: f64 = 1.1;

/// The same for what is done at intervals: each round trip makes one longer, in the story by a
/// multiple of what it takes. Half as many would show.
const INTERVAL_SLACK: f64 = 0.6;

/// What was counted, measured, and stands in the sheet.
pub type Measured<'a> = (&'a str, f64, f64);

/// Checks measurements against the sheet; an error names all that are wrong.
pub fn are_as_written(all: &[Measured<'_>]) -> Result<()> {
    println!("{all:#?}");
    let wrong = all.iter().filter(|(_, measured, written)| {
        let is_enough = *measured >= written * SLACK;
        !(is_enough && *measured <= written * BUSY)
    });
    reported(wrong.collect())
}

/// Checks what was counted in so many hours against what the sheet says of one. Each of `loops`
/// loops may have begun its interval before the first moment, and so is allowed one more, or less.
pub fn is_done_as_often(
    what: &str,
    (counted, hours): (u64, f64),
    loops: f64,
    an_hour: f64,
) -> Result<()> {
    let (counted, written) = (counted as f64, an_hour * hours);
    let as_often = counted <= written + loops && counted >= written * INTERVAL_SLACK - loops;
    let wrong = (what, counted / hours, an_hour);
    reported(if as_often { Vec::new() } else { vec![&wrong] })
}

fn reported(wrong: Vec<&Measured<'_>>) -> Result<()> {
    let lines = wrong.iter().map(|(what, measured, written)| {
        format!("{what}: {measured} measured, and src/cost.rs says {written}\n")
    });
    let lines: String = lines.collect();
    ensure!(
        lines.is_empty(),
        "{lines}correct it there, and the tables in docs/cost.md with it"
    );
    Ok(())
}

/// List prices in dollars: us-east-1, without free tiers. docs/cost.md says when each was seen.
mod price {
    /// A million requests to an HTTP API, of the first 300 million a month.
    pub(super) const HTTP_API: f64 = 1.0;
    /// A GB out to the internet.
    pub(super) const TRANSFER_OUT: f64 = 0.09;
    /// A million requests to a standard queue, of the first 100 billion a month.
    pub(super) const SQS: f64 = 0.4;
    /// A million write request units.
    pub(super) const WRITE_UNITS: f64 = 0.625;
    /// A million read request units.
    pub(super) const READ_UNITS: f64 = 0.125;
    /// A GB in a table for a month.
    pub(super) const TABLE: f64 = 0.25;
    /// A GB of logs taken in, by a log group of the class Infrequent Access.
    pub(super) const LOGS_IN: f64 = 0.25;
    /// The same by one of the class Standard.
    pub(super) const LOGS_IN_STANDARD: f64 = 0.5;
    /// A GB of logs kept for a month.
    pub(super) const LOGS_KEPT: f64 = 0.03;
    /// A secret for a month.
    pub(super) const SECRET: f64 = 0.4;
    /// A vCPU (Arm) for an hour.
    pub(super) const FARGATE_CPU: f64 = 0.03238;
    /// A GB of a task (Arm) for an hour.
    pub(super) const FARGATE_GB: f64 = 0.00356;
    /// A NAT gateway for an hour.
    pub(super) const NAT: f64 = 0.045;
}

const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

/// Hours of a month, as AWS reckons.
const HOURS: f64 = 730.0;

const REPLICAS: f64 = 2.0;

/// The body and the headers of API Gateway's answer to GitHub.
const ANSWER_BYTES: f64 = 700.0;

/// What CloudWatch adds to each line that it takes in.
const LINE_OVERHEAD: f64 = 26.0;

/// What DynamoDB adds to each item.
const ITEM_OVERHEAD: f64 = 100.0;

/// Days for which a claim is kept, for which evidence is, and days of a month. A runner's row is of use for
/// an hour; DynamoDB takes some days to delete what has expired.
const CLAIM_DAYS: f64 = 7.0;
const EVIDENCE_DAYS: f64 = 35.0;
const ROW_DAYS: f64 = 2.0;
const MONTH_DAYS: f64 = 30.0;

/// A line of a sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    what: String,
    count: String,
    dollars: f64,
}

fn line(what: &str, count: impl Into<String>, dollars: f64) -> Line {
    Line {
        what: what.to_owned(),
        count: count.into(),
        dollars,
    }
}

/// What grows with the jobs: dollars for a million of them.
pub fn a_million_jobs(counts: &Counts) -> Vec<Line> {
    let each = |count: f64| count / counts.jobs;
    let requests = |what: &str, count: f64, price: f64| {
        line(what, format!("{:.2}", each(count)), each(count) * price)
    };
    let logged = logged(counts);
    let sent = counts.webhooks + counts.ec2_events;
    vec![
        requests("API Gateway: webhooks", counts.webhooks, price::HTTP_API),
        gigabytes(
            "API Gateway: its answers",
            each(counts.webhooks) * ANSWER_BYTES,
            price::TRANSFER_OUT,
        ),
        requests("SQS: send", sent, price::SQS),
        requests("SQS: receive", counts.receives, price::SQS),
        requests("SQS: delete", counts.deletes, price::SQS),
        requests("SQS: change visibility", counts.hidden, price::SQS),
        requests(
            "DynamoDB: records written, units",
            counts.write_units,
            price::WRITE_UNITS,
        ),
        requests(
            "DynamoDB: index of due work, units",
            counts.index_units,
            price::WRITE_UNITS,
        ),
        requests(
            "DynamoDB: records read, units",
            counts.read_units,
            price::READ_UNITS,
        ),
        requests(
            "DynamoDB: runners' rows written, units",
            counts.row_write_units,
            price::WRITE_UNITS,
        ),
        requests(
            "DynamoDB: runners' rows read, units",
            counts.row_read_units,
            price::READ_UNITS,
        ),
        requests(
            "DynamoDB: looks at what is due, units",
            counts.query_units,
            price::READ_UNITS,
        ),
        gigabytes(
            "DynamoDB: storage, a month of jobs",
            each(stored(counts)),
            price::TABLE,
        ),
        gigabytes(
            "CloudWatch Logs, Infrequent Access: taken in",
            logged,
            price::LOGS_IN,
        ),
        gigabytes(
            "CloudWatch Logs: kept for 30 days",
            logged,
            price::LOGS_KEPT,
        ),
        line("EventBridge: events of AWS services", "free", 0.0),
        line("KMS: keys that AWS owns", "free", 0.0),
    ]
}

/// What a million jobs cost more with a log group of the class Standard.
pub fn with_standard_logs(counts: &Counts) -> Line {
    gigabytes(
        "a log group of the class Standard",
        logged(counts),
        price::LOGS_IN_STANDARD - price::LOGS_IN,
    )
}

/// Bytes of the log, as CloudWatch reckons them.
fn logged(counts: &Counts) -> f64 {
    (counts.log_bytes + LINE_OVERHEAD * counts.log_lines) / counts.jobs
}

/// Bytes a job become GB a million.
fn gigabytes(what: &str, bytes: f64, price: f64) -> Line {
    line(
        what,
        format!("{bytes:.0} bytes"),
        bytes * MILLION / GB * price,
    )
}

/// Bytes that lie in the tables at any time for the jobs of a month. Five claims of a hundred bytes
/// more or less do not show, so the overhead is reckoned once a claim.
fn stored(counts: &Counts) -> f64 {
    let claims = counts.claim_bytes + counts.jobs * ITEM_OVERHEAD;
    let evidence = counts.evidence_bytes;
    let rows = counts.row_bytes + counts.jobs * ITEM_OVERHEAD;
    (claims * CLAIM_DAYS + evidence * EVIDENCE_DAYS + rows * ROW_DAYS) / MONTH_DAYS
}

/// What is paid each month whether a job runs or not.
pub fn a_month(idle: &Idle) -> Vec<Line> {
    let monthly = REPLICAS * HOURS / MILLION;
    let queries = idle.queries / 2.0 * price::READ_UNITS;
    let leases = idle.lease_writes * price::WRITE_UNITS;
    let task = 0.25 * price::FARGATE_CPU + 0.5 * price::FARGATE_GB;
    vec![
        line(
            "SQS: polls that bring nothing",
            format!("{:.0} an hour and replica", idle.polls),
            idle.polls * monthly * price::SQS,
        ),
        line(
            "SQS: questions how many messages there are",
            format!("{:.0} an hour and replica", idle.counts),
            idle.counts * monthly * price::SQS,
        ),
        line(
            "DynamoDB: looks and leases",
            format!("{:.0} and {:.0}", idle.queries, idle.lease_writes),
            (queries + leases) * monthly,
        ),
        line("Secrets Manager", "2 secrets", 2.0 * price::SECRET),
        line(
            "Fargate, Arm",
            "2 tasks of 0.25 vCPU and 0.5 GB",
            REPLICAS * HOURS * task,
        ),
        line("NAT gateway", "1", HOURS * price::NAT),
    ]
}

/// The sum of a sheet.
pub fn total(lines: &[Line]) -> f64 {
    lines.iter().map(|line| line.dollars).sum()
}

/// One line of a sheet as it stands in docs/cost.md.
pub fn row(line: &Line) -> String {
    let Line {
        what,
        count,
        dollars,
    } = line;
    format!("| {what} | {count} | {dollars:.2} |\n")
}

/// A sheet as it stands in docs/cost.md.
pub fn table(heading: &str, lines: &[Line]) -> String {
    let mut table = format!("| {heading} | count | dollars |\n| --- | ---: | ---: |\n");
    table.extend(lines.iter().map(row));
    table.push_str(&format!("| **together** | | **{:.2}** |\n", total(lines)));
    table
}
