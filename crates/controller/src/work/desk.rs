//! Where launches that are alike meet before EC2 is asked.
//!
//! The first who comes leads: it waits for others, closes the group, writes its claim and seats the
//! others, who write theirs. Nothing is written before the group is closed, so whoever goes before that
//! leaves nothing behind. What is asked for, and by which token, the claims say, not this desk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_engine::share::{self, Alike, Led};
use reprise_model::ids::JobId;
use tokio::sync::{Notify, oneshot};

use crate::board::Board;

/// The groups that are open.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    groups: Vec<Group>,
    numbers: u64,
}

#[derive(Debug)]
struct Group {
    number: u64,
    alike: Alike,
    leader: JobId,
    crew: Vec<Waiting>,
    /// Who came for a job that is there already. They hear nothing, and decide anew once it is written.
    doubles: Vec<oneshot::Sender<Seat>>,
    full: Arc<Notify>,
}

/// One who waits to be seated.
#[derive(Debug)]
struct Waiting {
    job: JobId,
    tell: oneshot::Sender<Seat>,
}

/// How one came to the desk.
#[derive(Debug)]
pub(crate) enum Joined<'a> {
    /// First: it leads.
    First(Lead<'a>),
    /// Later: it is told its seat. Where it is told nothing, the group came to nothing, and whoever waits
    /// decides anew.
    Later(oneshot::Receiver<Seat>),
}

/// The right to close a group. Where it is dropped, the group comes to nothing.
#[derive(Debug)]
pub(crate) struct Lead<'a> {
    desk: &'a Desk,
    number: u64,
    full: Arc<Notify>,
}

/// A closed group, but for its leader.
#[derive(Debug)]
pub(crate) struct Party {
    crew: Vec<Waiting>,
    doubles: Vec<oneshot::Sender<Seat>>,
}

/// A place in a request, with the duty to write its claim before the request is made.
#[derive(Debug)]
pub(crate) struct Seat {
    /// What is asked for.
    pub(crate) led: Led,
    /// Which of the instances.
    pub(crate) place: u32,
    /// Tells the others that the claim is written.
    pub(crate) chair: Chair,
    /// Where the others are waited for.
    pub(crate) table: Table,
}

/// Whether the claims of a request are written.
#[derive(Debug, Clone)]
pub(crate) struct Table(Arc<Board<Count>>);

#[derive(Debug, Default)]
struct Count {
    open: usize,
    taken: usize,
}

/// A claim that is not written yet. Dropped, it never is.
#[derive(Debug)]
pub(crate) struct Chair {
    table: Table,
    is_taken: bool,
}

impl Desk {
    /// Joins the group of those that are alike, or opens one.
    pub(crate) fn join(&self, alike: Alike, job: JobId) -> Joined<'_> {
        let mut open = self.lock();
        let (tell, told) = oneshot::channel();
        let groups = open.groups.iter_mut();
        let mut fitting = groups.filter(|group| group.alike == alike);
        if let Some(group) = fitting.find(|group| group.has_room() || group.holds(job)) {
            group.add(job, tell);
            return Joined::Later(told);
        }
        open.numbers += 1;
        let group = Group {
            number: open.numbers,
            alike,
            leader: job,
            crew: Vec::new(),
            doubles: Vec::new(),
            full: Arc::default(),
        };
        let lead = Lead {
            desk: self,
            number: group.number,
            full: Arc::clone(&group.full),
        };
        open.groups.push(group);
        Joined::First(lead)
    }

    fn take(&self, number: u64) -> Option<Group> {
        let groups = &mut self.lock().groups;
        let index = groups.iter().position(|group| group.number == number)?;
        Some(groups.swap_remove(index))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn has_room(&self) -> bool {
        self.crew.len() + 1 < share::MOST
    }

    fn holds(&self, job: JobId) -> bool {
        self.leader == job || self.crew.iter().any(|one| one.job == job)
    }

    fn add(&mut self, job: JobId, tell: oneshot::Sender<Seat>) {
        if self.holds(job) {
            self.doubles.push(tell);
        } else {
            self.crew.push(Waiting { job, tell });
        }
        if !self.has_room() {
            self.full.notify_one();
        }
    }
}

impl Lead<'_> {
    /// Ends when nobody else can join.
    pub(crate) async fn filled(&self) {
        self.full.notified().await;
    }

    /// Closes the group, without those who have gone.
    pub(crate) fn close(self) -> Party {
        let group = self.desk.take(self.number);
        let (mut crew, doubles) = group
            .map(|group| (group.crew, group.doubles))
            .unwrap_or_default();
        crew.retain(|one| !one.tell.is_closed());
        Party { crew, doubles }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        drop(self.desk.take(self.number));
    }
}

impl Party {
    /// Those beside the leader, in the order of their places.
    pub(crate) fn crew(&self) -> Vec<JobId> {
        self.crew.iter().map(|one| one.job).collect()
    }

    /// Tells each its place, once the leader's claim is written.
    pub(crate) fn seat(self, led: &Led) -> Seated {
        let table = Table(Arc::default());
        table.0.change(|count| count.open = self.crew.len());
        for (place, one) in (1..).zip(self.crew) {
            // Who has gone meanwhile leaves the chair behind, which counts as not taken.
            drop(one.tell.send(Seat {
                led: led.clone(),
                place,
                chair: Chair {
                    table: table.clone(),
                    is_taken: false,
                },
                table: table.clone(),
            }));
        }
        Seated {
            table,
            _doubles: self.doubles,
        }
    }
}

/// A group whose crew writes its claims.
#[derive(Debug)]
pub(crate) struct Seated {
    pub(crate) table: Table,
    /// They are told nothing before that is done.
    _doubles: Vec<oneshot::Sender<Seat>>,
}

impl Table {
    /// Waits until each of the crew has written its claim, or never will. How many have.
    pub(crate) async fn settled(&self) -> usize {
        let settled = |count: &Count| (count.open == 0).then_some(count.taken);
        self.0.wait_for(settled).await
    }
}

impl Chair {
    /// The claim is written.
    pub(crate) fn take(mut self) {
        self.is_taken = true;
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        self.table.0.change(|count| {
            count.open -= 1;
            count.taken += usize::from(self.is_taken);
        });
    }
}
