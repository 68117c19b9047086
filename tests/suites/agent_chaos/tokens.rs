//! Answers that are complete and say something odd: tokens, times, dates.

use anyhow::Result;
use jiff::SignedDuration;
use reprise_tests::harness::alone::{NOTICED, POLL_FAILED, Place, TAGGED};
use reprise_world::ec2::Action;
use reprise_world::imds::{DateHeader, ImdsFaults, NoticeTime};

use crate::job::{self, End};
use crate::outages::{HOUR, SEEN, TAGGED_WITHIN, settled};
use crate::table::Figure;
use crate::{Affliction, row};

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("401 in mid-life, each second", tokens_end()),
        row!(
            "stale notice, an hour old",
            timed(End::Never, NoticeTime::Off(-HOUR))
        ),
        row!(
            "a notice of the year 2400",
            timed(End::Due, NoticeTime::Off(HOUR * 3_300_000))
        ),
        row!(
            "`time` changes at each poll, later",
            timed(End::Due, NoticeTime::Moving(SEVEN))
        ),
        row!(
            "`time` changes at each poll, earlier",
            timed(End::Due, NoticeTime::Moving(-SEVEN))
        ),
        row!("no `Date`", dated(End::Due, DateHeader::Absent)),
        // By that the notice has passed long ago, and by the machine's clock it lies ahead: nobody knows.
        row!(
            "`Date` an hour ahead",
            dated(End::Never, DateHeader::Off(HOUR))
        ),
        row!(
            "`Date` an hour behind",
            dated(End::Due, DateHeader::Off(-HOUR))
        ),
        row!(
            "`Date` a year ahead",
            dated(End::Due, DateHeader::Off(HOUR * 8766))
        ),
        row!("`Date` illegible", dated(End::Due, DateHeader::Illegible)),
    ]
}

const SEVEN: SignedDuration = SignedDuration::from_secs(7);

/// Each token is refused at its second use.
async fn tokens_end() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let lasts = SignedDuration::from_millis(500);
    place.break_by(|faults| faults.tokens_last = Some(lasts));
    let mut agent = settled(&place).await?;
    // Three a poll, of which the first was just asked: refused, a new token, the answer.
    place.asked(2 + 3).await?;
    let given = place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    agent.process()?;
    Ok(vec![
        Figure::within("notice seen", SEEN, seen - given),
        Figure::exactly("polls lost", 0, agent.count(POLL_FAILED)),
    ])
}

async fn timed(end: End, time: NoticeTime) -> Result<Vec<Figure>> {
    odd(end, |faults| faults.notice_time = time).await
}

async fn dated(end: End, date: DateHeader) -> Result<Vec<Figure>> {
    odd(end, |faults| faults.date = date).await
}

/// A notice is seen and tagged for, once, whatever it or the service says of times, and no job is ended early.
async fn odd(end: End, begin: impl Fn(&mut ImdsFaults) + Send) -> Result<Vec<Figure>> {
    let mut stage = job::stage().await?;
    stage.place.break_by(begin);
    let mut agent = job::settled(&stage, job::command(&stage)?).await?;
    let given = stage.place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    let tagged = stage.place.when(Place::is_tagged).await?;
    agent.says(TAGGED).await?;
    let on_the_job = job::figures(&mut stage, &agent, given, end).await?;
    agent.process()?;
    let calls = stage
        .place
        .ec2(|ec2, _| ec2.call_counts().get(&Action::CreateTags).copied())?;
    let calls = usize::try_from(calls.unwrap_or_default())?;
    let mut figures = vec![
        Figure::within("notice seen", SEEN, seen - given),
        Figure::within("tag answered", TAGGED_WITHIN, tagged - given),
        Figure::exactly("tags asked for", 1, calls),
        Figure::exactly("notices said", 1, agent.count(NOTICED)),
    ];
    figures.extend(on_the_job);
    Ok(figures)
}
