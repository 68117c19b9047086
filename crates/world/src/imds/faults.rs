//! The ways in which a metadata service may fail.
//!
//! What concerns the way of an answer and not its content ([`ImdsFaults::hang`],
//! [`ImdsFaults::delivery`]) is for its server to heed.

use http::StatusCode;
use jiff::SignedDuration;

/// Ways to be broken; the default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImdsFaults {
    /// Every answer is this one, 500 for instance.
    pub server_error: Option<StatusCode>,
    /// Nothing is answered at all: the server leaves the connection open and silent.
    pub hang: bool,
    /// How answers travel.
    pub delivery: Delivery,
    /// The service is switched off: every answer is a 403.
    pub disabled: bool,
    /// Every token counts as invalid: 401, as on some instances just after their boot.
    pub unauthorized: bool,
    /// Tokens end after so long, whatever they were promised.
    pub tokens_last: Option<SignedDuration>,
    /// Of so many requests one is answered, the others get 503 and are to be repeated.
    pub answers_one_in: Option<u64>,
    /// The instance has no role, and so no credentials.
    pub no_role: bool,
    /// The text of `spot/instance-action` and `spot/termination-time` instead of the true one.
    pub notice_text: Option<String>,
    /// The notice is not there any more, as where EC2 takes it back.
    pub notice_gone: bool,
    /// What the notice says of its time.
    pub notice_time: NoticeTime,
    /// The header `Date`.
    pub date: DateHeader,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    #[default]
    Whole,
    /// The connection is reset in the middle of the answer.
    Reset,
    /// The body comes a byte a second.
    Drip,
}

/// What a notice says of its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NoticeTime {
    /// The truth.
    #[default]
    True,
    /// It is off by so much; a negative one lies in the past, as where EC2 did not do what it said.
    Off(SignedDuration),
    /// True at the first look, and so much later at each that follows; earlier where that is negative.
    Moving(SignedDuration),
}

/// The header `Date` of each answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DateHeader {
    /// The truth.
    #[default]
    True,
    /// There is none.
    Absent,
    /// It is off by so much.
    Off(SignedDuration),
    /// It is no date.
    Illegible,
}
