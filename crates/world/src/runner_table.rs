//! A small DynamoDB: one table, through which instances get their runner's configuration.
//!
//! Items by their key alone: GetItem, BatchWriteItem of new items and DescribeTimeToLive, in the JSON
//! protocol, with DynamoDB's errors and limits. No conditions, expressions or returned values; a request
//! that asks for one is refused rather than half obeyed. An item is gone once its time to live has come,
//! where the real table takes up to some days. A read that may be stale is as fresh as any other.
//!
//! Invariant: an instance's credentials reach the item whose key is its own `aws:userid`, and no other.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use reprise_model::runner_config;
use reprise_model::runner_row::{CONFIG, EXPIRES, KEY, RoleId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::ec2::{Caller, Ec2};

/// What every request's target begins with.
pub(crate) const TARGET: &str = "DynamoDB_20120810.";

/// The largest item, names and values together.
const LARGEST_ITEM: usize = 400 * 1024;

/// The most items of one call, and what they may come to together.
const MOST_ITEMS: usize = 25;
const LARGEST_BATCH: usize = 16 * 1024 * 1024;

/// The parameters that are understood; all others change the meaning of a call.
const PARAMETERS: [&str; 5] = [
    "TableName",
    "Key",
    "RequestItems",
    "ConsistentRead",
    "ReturnConsumedCapacity",
];

type Item = Map<String, Value>;

/// The table.
#[derive(Debug)]
pub struct RunnerTable {
    name: String,
    role: RoleId,
    items: BTreeMap<String, Item>,
    requests: BTreeMap<String, u64>,
    served: u64,
    /// So many items are yet to be left unwritten.
    throttled: u32,
    /// Items with these keys are never written.
    starved: BTreeSet<String>,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Requested resource not found")]
    NoSuchTable,
    #[error("{0}")]
    Invalid(String),
    #[error("The action {0} is not known")]
    UnknownOperation(String),
    #[error("The level of configured provisioned throughput for the table was exceeded.")]
    Throttled,
    #[error("Missing Authentication Token")]
    Unsigned,
    #[error("The security token included in the request is invalid.")]
    UnknownSigner,
    #[error(
        "User: {user} is not authorized to perform: dynamodb:{action} on resource: {table} because no \
         identity-based policy allows the dynamodb:{action} action"
    )]
    Denied {
        user: String,
        action: String,
        table: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    #[serde(default)]
    table_name: String,
    #[serde(default)]
    key: Item,
    #[serde(default)]
    request_items: BTreeMap<String, Vec<WriteRequest>>,
}

/// One of a batch. Whoever wants to have an item deleted is not understood.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WriteRequest {
    put_request: PutRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutRequest {
    item: Item,
}

impl RunnerTable {
    /// An empty table, for instances with this role.
    pub fn new(name: impl Into<String>, role: RoleId) -> Self {
        Self {
            name: name.into(),
            role,
            items: BTreeMap::new(),
            requests: BTreeMap::new(),
            served: 0,
            throttled: 0,
            starved: BTreeSet::new(),
        }
    }

    /// The next so many items that are to be written are not, each once: for want of throughput.
    pub fn throttle(&mut self, items: u32) {
        self.throttled = items;
    }

    /// The role whose instances read it.
    pub fn role(&self) -> &RoleId {
        &self.role
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys of the items that are there.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.keys().map(String::as_str)
    }

    /// The configuration that lies there for an instance, as its runner's program takes it.
    pub fn configuration(&self, instance: &InstanceId) -> Option<String> {
        let item = self.items.get(&self.role.row_of(instance))?;
        let packed = STANDARD.decode(item.get(CONFIG)?["B"].as_str()?).ok()?;
        runner_config::unpack(&packed).ok()
    }

    /// How many requests each action had.
    pub fn requests(&self) -> &BTreeMap<String, u64> {
        &self.requests
    }

    /// There is never throughput for this item, as where its partition is hot.
    pub fn starve(&mut self, key: impl Into<String>) {
        self.starved.insert(key.into());
    }

    /// Answers one request of an SDK or of an agent.
    pub(crate) fn handle(
        &mut self,
        now: Timestamp,
        ec2: &Ec2,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        self.served += 1;
        self.expire(now);
        let (status, body) = match self.answer(ec2, request) {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (StatusCode::BAD_REQUEST, refusal.body()),
        };
        respond(status, &body, self.served)
    }

    fn answer(&mut self, ec2: &Ec2, request: &Request<Vec<u8>>) -> Result<Value, Refusal> {
        let caller = caller(ec2, request)?;
        let action = action(request);
        *self.requests.entry(action.clone()).or_default() += 1;
        let asked = read(request.body())?;
        let named = asked.request_items.keys().map(String::as_str);
        if !named
            .chain([&*asked.table_name])
            .any(|one| one == self.name)
        {
            return Err(Refusal::NoSuchTable);
        }
        let key = key_of(&asked.key);
        self.admit(ec2, &caller, &action, key.as_deref().ok())?;
        match action.as_str() {
            "GetItem" => Ok(match self.items.get(&key?) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            }),
            "BatchWriteItem" => self.write(asked.request_items),
            "DescribeTimeToLive" => Ok(json!({ "TimeToLiveDescription": {
                "AttributeName": EXPIRES,
                "TimeToLiveStatus": "ENABLED",
            } })),
            other => Err(Refusal::UnknownOperation(other.to_owned())),
        }
    }

    /// The account may do all of it. An instance may read its own row, as a policy with
    /// `dynamodb:LeadingKeys` equal to `${aws:userid}` says.
    fn admit(
        &self,
        ec2: &Ec2,
        caller: &Caller,
        action: &str,
        key: Option<&str>,
    ) -> Result<(), Refusal> {
        let instance = match caller {
            Caller::Account(_) => return Ok(()),
            Caller::Instance(instance) => instance,
        };
        let own = key == Some(self.role.row_of(instance).as_str());
        if own && action == "GetItem" {
            return Ok(());
        }
        Err(self.denied(ec2, instance, action))
    }

    fn denied(&self, ec2: &Ec2, instance: &InstanceId, action: &str) -> Refusal {
        let settings = ec2.settings();
        let (account, region, name) = (&settings.account, &settings.region, &self.name);
        let role = ec2.instance(instance).and_then(|one| one.role.clone());
        let role = role.unwrap_or_default();
        Refusal::Denied {
            user: format!("arn:aws:sts::{account}:assumed-role/{role}/{instance}"),
            action: action.to_owned(),
            table: format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
        }
    }

    /// All of it is looked at before anything is written. Where there is throughput for none of the items,
    /// the call fails; where there is for some, the others come back.
    fn write(&mut self, asked: BTreeMap<String, Vec<WriteRequest>>) -> Result<Value, Refusal> {
        if asked.keys().any(|table| *table != self.name) {
            return Err(Refusal::NoSuchTable);
        }
        let items = asked.into_values().flatten();
        let items: Vec<Item> = items.map(|one| one.put_request.item).collect();
        let (mut left, mut keyed): (Vec<_>, Vec<_>) = batch(items)?
            .into_iter()
            .partition(|(key, _)| self.starved.contains(key));
        let throttled = usize::try_from(self.throttled).unwrap_or(usize::MAX);
        let late = keyed.split_off(keyed.len().saturating_sub(throttled));
        self.throttled -= u32::try_from(late.len()).unwrap_or(self.throttled);
        left.extend(late);
        if keyed.is_empty() {
            return Err(Refusal::Throttled);
        }
        self.items.extend(keyed);
        let left: Vec<Value> = left
            .into_iter()
            .map(|(_, item)| json!({ "PutRequest": { "Item": item } }))
            .collect();
        let unprocessed = match left.is_empty() {
            true => json!({}),
            false => json!({ &self.name: left }),
        };
        Ok(json!({ "UnprocessedItems": unprocessed }))
    }

    fn expire(&mut self, now: Timestamp) {
        let second = now.as_second();
        self.items
            .retain(|_, item| expiry(item).is_none_or(|at| second < at));
    }
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchTable => "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            Self::Invalid(_) => "com.amazon.coral.validate#ValidationException",
            Self::UnknownOperation(_) => "com.amazon.coral.service#UnknownOperationException",
            Self::Throttled => {
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
            }
            Self::Unsigned => "com.amazon.coral.service#MissingAuthenticationTokenException",
            Self::UnknownSigner => "com.amazon.coral.service#UnrecognizedClientException",
            Self::Denied { .. } => "com.amazon.coral.service#AccessDeniedException",
        }
    }

    /// Some of DynamoDB's errors say `message`, those of the layer before it `Message`.
    fn body(&self) -> Value {
        let name = match self {
            Self::Denied { .. } => "Message",
            Self::NoSuchTable
            | Self::Invalid(_)
            | Self::UnknownOperation(_)
            | Self::Throttled
            | Self::Unsigned
            | Self::UnknownSigner => "message",
        };
        json!({ "__type": self.code(), name: self.to_string() })
    }
}

/// Whether a request is meant for this table's service.
pub(crate) fn is_for_dynamodb(request: &Request<Vec<u8>>) -> bool {
    target(request).starts_with(TARGET)
}

fn target(request: &Request<Vec<u8>>) -> &str {
    let header = request.headers().get("x-amz-target");
    let text = header.and_then(|header| header.to_str().ok());
    text.unwrap_or_default()
}

fn action(request: &Request<Vec<u8>>) -> String {
    let target = target(request);
    target.strip_prefix(TARGET).unwrap_or(target).to_owned()
}

fn caller(ec2: &Ec2, request: &Request<Vec<u8>>) -> Result<Caller, Refusal> {
    if !request.headers().contains_key(http::header::AUTHORIZATION) {
        return Err(Refusal::Unsigned);
    }
    ec2.caller_for("dynamodb", request)
        .map_err(|_| Refusal::UnknownSigner)
}

fn read(body: &[u8]) -> Result<Asked, Refusal> {
    let invalid = |error: serde_json::Error| Refusal::Invalid(error.to_string());
    let parameters: Item = serde_json::from_slice(body).map_err(invalid)?;
    let unknown = parameters
        .keys()
        .find(|name| !PARAMETERS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Err(Refusal::Invalid(format!("{name} is not understood here")));
    }
    serde_json::from_value(Value::Object(parameters)).map_err(invalid)
}

fn key_of(item: &Item) -> Result<String, Refusal> {
    let key = item.get(KEY).and_then(|value| value["S"].as_str());
    match key {
        Some(key) if !key.is_empty() => Ok(key.to_owned()),
        Some(_) | None => Err(Refusal::Invalid(
            "The provided key element does not match the schema".to_owned(),
        )),
    }
}

/// The items of a batch by their keys, in the order in which they were asked for.
fn batch(items: Vec<Item>) -> Result<Vec<(String, Item)>, Refusal> {
    let invalid = |words: &str| Err(Refusal::Invalid(words.to_owned()));
    if items.is_empty() || items.len() > MOST_ITEMS {
        return invalid("Member must have length between 1 and 25");
    }
    let sizes = items.iter().map(size);
    if sizes.clone().any(|size| size > LARGEST_ITEM) {
        return invalid("Item size has exceeded the maximum allowed size");
    }
    if sizes.sum::<usize>() > LARGEST_BATCH {
        return invalid("Request size has exceeded the maximum allowed size");
    }
    let keyed = items.into_iter().map(|item| Ok((key_of(&item)?, item)));
    let keyed: Vec<(String, Item)> = keyed.collect::<Result<_, Refusal>>()?;
    let keys: BTreeSet<&String> = keyed.iter().map(|(key, _)| key).collect();
    if keys.len() < keyed.len() {
        return invalid("Provided list of item keys contains duplicates");
    }
    Ok(keyed)
}

fn size(item: &Item) -> usize {
    Value::Object(item.clone()).to_string().len()
}

fn expiry(item: &Item) -> Option<i64> {
    item.get(EXPIRES)?["N"].as_str()?.parse().ok()
}

fn respond(status: StatusCode, body: &Value, served: u64) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = http::HeaderValue::from_static("application/x-amz-json-1.0");
    headers.insert(http::header::CONTENT_TYPE, kind);
    headers.insert("x-amzn-requestid", http::HeaderValue::from(served));
    response
}

#[cfg(test)]
mod tests;
