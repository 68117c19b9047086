//! The operator's endpoint, as far as the controller sees it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use reprise_controller::ports::Advisers;
use reprise_model::advice::{Answer, NoAnswer, Question};

/// The endpoint, shared by all controllers of a house. It says what it was told to, and the last for ever.
#[derive(Clone, Default)]
pub(crate) struct FakeAdvisers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    says: VecDeque<Result<Answer, NoAnswer>>,
    asked: Vec<Question>,
}

impl FakeAdvisers {
    pub(crate) fn say(&self, said: Result<Answer, NoAnswer>) {
        self.lock().says.push_back(said);
    }

    pub(crate) fn asked(&self) -> Vec<Question> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no poison")
    }
}

impl Advisers for FakeAdvisers {
    #[expect(clippy::disallowed_methods, reason = "virtual time")]
    async fn ask(&self, question: &Question, _now: Timestamp) -> Result<Answer, NoAnswer> {
        let said = {
            let mut state = self.lock();
            state.asked.push(question.clone());
            let next = state.says.pop_front();
            let said = next.unwrap_or(Err(NoAnswer::BadStatus { status: 500 }));
            if state.says.is_empty() {
                state.says.push_back(said.clone());
            }
            said
        };
        if said == Err(NoAnswer::TimedOut) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        said
    }
}
