//! What happened in a simulation, line by line, and whether two of them are the same.
//!
//! A simulation lives in one thread, so its trace does too. The controller's and the agents' logs
//! reach it through a subscriber that is set once a process: only decisions cost anything, unless a
//! trace for people is wanted.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Once;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::reap::KeepReason;
use reprise_model::ids::InstanceId;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::clock::SimClock;
use crate::coverage::Coverage;

/// The target of the controller's decisions.
const DECISIONS: &str = "reprise::decision";

/// Who did or said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The plan.
    Plan,
    /// GitHub, EC2 and the machines.
    World,
    /// What carries messages.
    Post,
    /// The agents.
    Agents,
    /// A controller.
    Replica(u32),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan => f.pad("plan"),
            Self::World => f.pad("world"),
            Self::Post => f.pad("post"),
            Self::Agents => f.pad("agents"),
            Self::Replica(number) => f.pad(&format!("replica {number}")),
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, from the beginning.
    pub at: SignedDuration,
    /// Who.
    pub who: Who,
    /// What.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.at.as_millis();
        let (minutes, rest) = (millis / 60_000, millis % 60_000);
        let (seconds, millis) = (rest / 1_000, rest % 1_000);
        let Self { who, text, .. } = self;
        write!(f, "{minutes:02}:{seconds:02}.{millis:03}  {who:<9}  {text}")
    }
}

/// What a simulation left.
#[derive(Debug, Default)]
pub struct Trace {
    /// Its lines, in the order of virtual time.
    pub lines: Vec<Line>,
    /// What was reached.
    pub coverage: Coverage,
    /// The same for the same story.
    pub hash: u64,
}

struct Sink {
    clock: SimClock,
    kept: Vec<Line>,
    keep: bool,
    hasher: DefaultHasher,
    coverage: Coverage,
}

thread_local! {
    static SINK: RefCell<Option<Sink>> = const { RefCell::new(None) };
    static SPEAKER: Cell<Who> = const { Cell::new(Who::Plan) };
    static ALL_LOGS: Cell<bool> = const { Cell::new(false) };
    static DOUBTS: RefCell<Vec<InstanceId>> = const { RefCell::new(Vec::new()) };
}

/// Begins the trace of this thread's simulation. With `keep` its lines are kept, and warnings of the
/// programs are among them.
pub fn begin(clock: SimClock, keep: bool) {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        // Whoever was first may as well be a test harness of its own; then there are no decisions.
        let _ = tracing::subscriber::set_global_default(Listener);
    });
    ALL_LOGS.set(keep);
    let sink = Sink {
        clock,
        kept: Vec::new(),
        keep,
        hasher: DefaultHasher::new(),
        coverage: Coverage::default(),
    };
    DOUBTS.take();
    SINK.set(Some(sink));
}

/// Ends it.
pub fn end() -> Trace {
    ALL_LOGS.set(false);
    SINK.take().map_or_else(Trace::default, |sink| Trace {
        lines: sink.kept,
        coverage: sink.coverage,
        hash: sink.hasher.finish(),
    })
}

/// The instances that people were told to look at since the last call.
pub fn take_doubts() -> Vec<InstanceId> {
    DOUBTS.take()
}

/// From now on logs are this one's.
pub fn speaks(who: Who) {
    SPEAKER.set(who);
}

/// Adds a line.
pub fn line(who: Who, text: impl Into<String>) {
    with_sink(|sink| {
        let at = sink.clock.elapsed();
        sink.add(at, who, text.into());
    });
}

/// Adds a line about a time.
pub fn line_at(at: Timestamp, who: Who, text: impl Into<String>) {
    with_sink(|sink| {
        let since = at.duration_since(sink.clock.epoch());
        sink.add(since, who, text.into());
    });
}

/// Adds a line that is for people alone: whether it is kept changes nothing of the story.
fn remark(who: Who, text: String) {
    with_sink(|sink| {
        let at = sink.clock.elapsed();
        sink.keep(at, who, text);
    });
}

/// Something was reached.
pub fn reached(kind: &'static str, name: &str) {
    with_sink(|sink| sink.coverage.count(kind, name));
}

fn with_sink(what: impl FnOnce(&mut Sink)) {
    SINK.with_borrow_mut(|sink| sink.as_mut().map(what));
}

impl Sink {
    fn add(&mut self, at: SignedDuration, who: Who, text: String) {
        (at.as_nanos(), who, &text).hash(&mut self.hasher);
        self.keep(at, who, text);
    }

    fn keep(&mut self, at: SignedDuration, who: Who, text: String) {
        if self.keep {
            self.kept.push(Line { at, who, text });
        }
    }
}

/// The subscriber of all threads.
struct Listener;

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == DECISIONS {
            Interest::always()
        } else if is_ours(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    /// Whole by itself: it is asked about every call that another thread is registering right now,
    /// whatever the interest in it will be.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == DECISIONS || (is_ours(metadata) && ALL_LOGS.get())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let (who, metadata) = (speaker(event.metadata()), event.metadata());
        if metadata.target() == DECISIONS {
            line(who, words.into_decision());
        } else {
            remark(who, words.into_remark(*metadata.level()));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A controller is who was last at its ports: whatever wakes it, it then asks for something.
fn speaker(metadata: &Metadata<'_>) -> Who {
    if metadata.target().starts_with("reprise_agent") {
        Who::Agents
    } else {
        SPEAKER.get()
    }
}

/// What people want to know beside decisions.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && *metadata.level() <= Level::WARN
        && metadata.target().starts_with("reprise")
}

/// An event's fields.
#[derive(Default)]
struct Words {
    message: String,
    decision: String,
    reason: String,
    instance: String,
    rest: String,
    is_opted_out: bool,
    is_on_demand: bool,
}

impl Words {
    fn into_decision(self) -> String {
        let Self {
            message,
            decision,
            reason,
            instance,
            rest,
            is_opted_out,
            is_on_demand,
        } = self;
        if reason.is_empty() {
            return format!("{decision}: {message};{rest}");
        }
        reached("decision", &format!("{decision}: {reason}"));
        if decision == "kept"
            && reason == KeepReason::DoubtfulForLong.as_str()
            && let Ok(id) = instance.parse()
        {
            DOUBTS.with_borrow_mut(|doubts| doubts.push(id));
        }
        if is_opted_out && decision == "launch" && reason == "later-attempt" {
            reached("capacity", "a later attempt with retry=false");
        }
        if is_on_demand && decision == "not-launched" && reason == "no-capacity" {
            reached("capacity", "no on-demand capacity");
        }
        format!("{decision} ({reason}): {message};{rest}")
    }

    fn into_remark(self, level: Level) -> String {
        let Self { message, rest, .. } = self;
        format!("{level}: {message};{rest}")
    }

    /// What is a row of its own, or a part of one.
    fn note(&mut self, name: &str, value: &str) {
        match name {
            "evidence" => value
                .split(',')
                .filter(|one| !one.is_empty())
                .for_each(|one| reached("evidence", one)),
            "rerun.answer" => reached("answer to a re-run", value),
            "instance.id" => self.instance = value.to_owned(),
            "runner.labels" => self.is_opted_out = value.contains("retry=false"),
            "capacity" => self.is_on_demand = value == "on-demand",
            _ => {}
        }
    }

    fn take(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        match field.name() {
            "message" => self.message = value.to_string(),
            "decision" => self.decision = value.to_string(),
            "reason" => self.reason = value.to_string(),
            name => {
                self.note(name, &value.to_string());
                // Writing to a text cannot fail.
                let _ = write!(self.rest, " {name}={value}");
            }
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format_args!("{value:?}"));
    }
}
