//! Calls of the App itself beside its credentials: its webhook's deliveries, its installations and
//! their repositories.

use http::StatusCode;
use jiff::Timestamp;
use reprise_model::ids::{HookAttemptId, Repository};
use serde_json::{Value, json};

use super::answer::Answer;
use super::query::Query;
use crate::github::GitHub;
use crate::github::hook::NotAgain;
use crate::github::json::{REGISTERED, Wire};

/// What a cursor begins with; GitHub does not say what is in one.
const CURSOR: &str = "v1_";

impl GitHub {
    /// A page of the list of attempts, with the link to the next one.
    pub(super) fn deliveries_page(&self, query: &Query) -> Answer {
        let from = match query.get("cursor") {
            None => Some(u64::MAX),
            Some(cursor) => cursor.strip_prefix(CURSOR).and_then(|id| id.parse().ok()),
        };
        let Some(from) = from else {
            return Answer::error(StatusCode::BAD_REQUEST, "Invalid cursor");
        };
        let size = query.per_page();
        let mut listed = self.attempts_from(HookAttemptId(from));
        let items: Vec<Value> = listed.by_ref().take(size).map(|(_, item)| item).collect();
        let next = listed.next().map(|(id, _)| id);
        let api = &self.settings.api_url;
        let link = next.map(|id| {
            let query = format!("per_page={size}&cursor={CURSOR}{id}");
            format!("<{api}/app/hook/deliveries?{query}>; rel=\"next\"")
        });
        Answer {
            link,
            ..Answer::ok(Value::Array(items))
        }
    }

    pub(super) fn redelivered(&mut self, now: Timestamp, attempt: HookAttemptId) -> Answer {
        match self.redeliver(now, attempt) {
            Ok(()) => Answer::new(StatusCode::ACCEPTED, json!({})),
            Err(NotAgain::NotFound) => Answer::not_found(),
            Err(NotAgain::Arrived) => {
                let words = "The delivery is not kept any more";
                Answer::error(StatusCode::UNPROCESSABLE_ENTITY, words)
            }
        }
    }

    /// The App's only installation.
    pub(super) fn installations(&self, query: &Query) -> Answer {
        let owner = self.repositories.keys().next();
        let owner = owner.map_or(self.settings.app_slug.as_str(), Repository::owner);
        let mut installation = Wire(&self.settings).installation(owner);
        // GitHub describes an account in this list as a person and an enterprise in one.
        let enterprise = [
            ("name", owner),
            ("slug", owner),
            ("created_at", REGISTERED),
            ("updated_at", REGISTERED),
        ];
        for (field, value) in enterprise {
            installation["account"][field] = json!(value);
        }
        let all = vec![installation];
        let page = query.page(&self.settings.api_url, all);
        Answer {
            link: page.link,
            ..Answer::ok(Value::Array(page.items))
        }
    }

    /// All repositories, of whatever owner: they share the installation.
    pub(super) fn installation_repositories(&self, query: &Query) -> Answer {
        let wire = Wire(&self.settings);
        let all = self.repositories.iter();
        let all = all.filter(|(repository, _)| !self.is_gone(repository));
        let all = all.map(|(repository, id)| wire.repository(repository, *id));
        self.list(query, "repositories", all.collect())
    }
}
