//! What follows the question mark, and the pages of a list.

use http::Request;
use jiff::Timestamp;
use serde_json::Value;

/// The parameters of a request.
pub(super) struct Query {
    path: String,
    parameters: Vec<(String, String)>,
}

/// One page of a list.
pub(super) struct Page {
    pub(super) total: usize,
    pub(super) items: Vec<Value>,
    pub(super) link: Option<String>,
}

impl Query {
    pub(super) fn of(request: &Request<Vec<u8>>) -> Self {
        let text = request.uri().query().unwrap_or_default();
        Self {
            path: request.uri().path().to_owned(),
            parameters: serde_urlencoded::from_str(text).unwrap_or_default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether `value` is what the parameter asks for, if it asks at all.
    pub(super) fn agrees(&self, name: &str, value: Option<&str>) -> bool {
        self.get(name).is_none_or(|wanted| value == Some(wanted))
    }

    /// Whether a time lies in `created=`: `>=T`, `>T`, `<=T`, `<T`, `A..B`, where a side of a range
    /// may be `*`, and a day stands for its beginning.
    pub(super) fn created(&self, time: Timestamp) -> bool {
        let Some(range) = self.get("created") else {
            return true;
        };
        let at = |text: &str, fallback: Timestamp| moment(text).unwrap_or(fallback);
        if let Some((from, to)) = range.split_once("..") {
            at(from, Timestamp::MIN) <= time && time <= at(to, Timestamp::MAX)
        } else if let Some(from) = range.strip_prefix(">=") {
            at(from, Timestamp::MIN) <= time
        } else if let Some(after) = range.strip_prefix('>') {
            at(after, Timestamp::MIN) < time
        } else if let Some(to) = range.strip_prefix("<=") {
            time <= at(to, Timestamp::MAX)
        } else if let Some(before) = range.strip_prefix('<') {
            time < at(before, Timestamp::MAX)
        } else {
            moment(range).is_none_or(|wanted| wanted.as_second() == time.as_second())
        }
    }

    /// The page asked for: `page` counts from 1.
    pub(super) fn page(&self, api_url: &str, all: Vec<Value>) -> Page {
        let size = self.per_page();
        let page = self.get("page").and_then(|text| text.parse().ok());
        let page: usize = page.unwrap_or(1).max(1);
        let total = all.len();
        let start = (page - 1).saturating_mul(size);
        Page {
            total,
            items: all.into_iter().skip(start).take(size).collect(),
            link: self.link(api_url, page, size, total.div_ceil(size)),
        }
    }

    /// How long a page is: 30 unless said, at most 100.
    pub(super) fn per_page(&self) -> usize {
        let asked = self.get("per_page").and_then(|text| text.parse().ok());
        asked.unwrap_or(30).clamp(1, 100)
    }

    fn link(&self, api_url: &str, page: usize, size: usize, last: usize) -> Option<String> {
        let to = |page: usize, relation: &str| {
            let mut parameters = self.parameters.clone();
            parameters.retain(|(name, _)| name != "page" && name != "per_page");
            parameters.push(("per_page".to_owned(), size.to_string()));
            parameters.push(("page".to_owned(), page.to_string()));
            let query = serde_urlencoded::to_string(parameters).unwrap_or_default();
            format!("<{api_url}{}?{query}>; rel=\"{relation}\"", self.path)
        };
        let earlier = (page > 1).then(|| [to(page - 1, "prev"), to(1, "first")]);
        let later = (page < last).then(|| [to(page + 1, "next"), to(last, "last")]);
        let links: Vec<String> = earlier.into_iter().chain(later).flatten().collect();
        (!links.is_empty()).then(|| links.join(", "))
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let whole_day = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(whole_day)
}
