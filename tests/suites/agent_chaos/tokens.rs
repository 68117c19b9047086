//! Answers that are complete and say something odd: tokens, times, dates.

use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;
use reprise_tests::harness::alone::{NOTICED, POLL_FAILED, Place, TAGGED};
use reprise_world::ec2::Action;
use reprise_world::imds::{DateHeader, ImdsFaults, NoticeTime};

use crate::outages::{HOUR, SEEN, settled};
use crate::table::Figure;
use crate::{Affliction, row};

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("401 in mid-life, each second", tokens_end()),
        row!(
            "stale notice, an hour old",
            odd(|faults| faults.notice_time = NoticeTime::Off(-HOUR))
        ),
        row!(
            "a notice of the year 2400",
            odd(|faults| faults.notice_time = NoticeTime::Off(HOUR * 3_300_000))
        ),
        row!(
            "`time` changes at each poll",
            odd(|faults| faults.notice_time = NoticeTime::Moving(SignedDuration::from_secs(7)))
        ),
        row!("no `Date`", odd(|faults| faults.date = DateHeader::Absent)),
        row!(
            "`Date` off by an hour",
            odd(|faults| faults.date = DateHeader::Off(HOUR))
        ),
        row!(
            "`Date` illegible",
            odd(|faults| faults.date = DateHeader::Illegible)
        ),
    ]
}

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

/// A notice is seen and tagged for, once, whatever it or the service says of times.
async fn odd(begin: impl Fn(&mut ImdsFaults) + Send) -> Result<Vec<Figure>> {
    let place = Place::open()?;
    place.break_by(begin);
    let mut agent = settled(&place).await?;
    let given = place.give_notice()?;
    let seen = agent.says(NOTICED).await?.at;
    let tagged = place.when(Place::is_tagged).await?;
    agent.says(TAGGED).await?;
    place.asked(3).await?;
    agent.process()?;
    let calls = place.ec2(|ec2, _| ec2.call_counts().get(&Action::CreateTags).copied())?;
    let calls = usize::try_from(calls.unwrap_or_default())?;
    Ok(vec![
        Figure::within("notice seen", SEEN, seen - given),
        Figure::within(
            "tag answered",
            SEEN + Duration::from_millis(400),
            tagged - given,
        ),
        Figure::exactly("tags asked for", 1, calls),
        Figure::exactly("notices said", 1, agent.count(NOTICED)),
    ])
}
