//! Requests to an AWS endpoint without any SDK, for what the project itself never asks.

use anyhow::{Context, Result, ensure};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// EC2 and STS by their names in signatures, with the versions of their Query protocols.
const EC2: (&str, &str) = ("ec2", "2016-11-15");
const STS: (&str, &str) = ("sts", "2011-06-15");

/// Who asks, unless it is said.
const KEY: &str = "AKIAFAKETEST";

/// An action of EC2; answers the XML.
pub async fn ec2(
    endpoint: &str,
    region: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String> {
    ec2_as(KEY, endpoint, region, action, parameters).await
}

/// The same by the owner of this access key.
pub async fn ec2_as(
    key: &str,
    endpoint: &str,
    region: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String> {
    query(key, (endpoint, region), EC2, action, parameters).await
}

/// Takes a role on; answers the access key that comes with it.
pub async fn assume_role(endpoint: &str, region: &str, role_arn: &str) -> Result<String> {
    let role = [("RoleArn", role_arn), ("RoleSessionName", "test")];
    let answer = query(KEY, (endpoint, region), STS, "AssumeRole", &role).await?;
    Ok(element(&answer, "AccessKeyId")?.to_owned())
}

async fn query(
    key: &str,
    (endpoint, region): (&str, &str),
    (service, version): (&str, &str),
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String> {
    let mut form = vec![("Action", action), ("Version", version)];
    form.extend(parameters);
    let request = Request::post(endpoint)
        .header("authorization", authorization(key, region, service))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(serde_urlencoded::to_string(form)?)?;
    sent(action, request).await
}

/// An action of SQS.
pub async fn sqs(endpoint: &str, region: &str, action: &str, body: &Value) -> Result<Value> {
    json(endpoint, region, ("sqs", "AmazonSQS"), action, body).await
}

/// An action of DynamoDB.
pub async fn dynamodb(endpoint: &str, region: &str, action: &str, body: &Value) -> Result<Value> {
    let service = ("dynamodb", "DynamoDB_20120810");
    json(endpoint, region, service, action, body).await
}

/// An action of EventBridge.
pub async fn events(endpoint: &str, region: &str, action: &str, body: &Value) -> Result<Value> {
    json(endpoint, region, ("events", "AWSEvents"), action, body).await
}

/// A bucket of S3, in this region.
pub async fn make_bucket(endpoint: &str, region: &str, name: &str) -> Result<()> {
    let place = format!(
        "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    );
    let request = Request::put(format!("{endpoint}/{name}"))
        .header("authorization", authorization(KEY, region, "s3"))
        .body(place)?;
    sent("CreateBucket", request).await.map(drop)
}

/// An object of S3, by its bucket and key, with one attribute of its own.
pub async fn put_object(
    endpoint: &str,
    region: &str,
    path: &str,
    (name, value): (&str, &str),
    body: String,
) -> Result<()> {
    let request = Request::put(format!("{endpoint}/{path}"))
        .header("authorization", authorization(KEY, region, "s3"))
        .header(format!("x-amz-meta-{name}"), value)
        .body(body)?;
    sent("PutObject", request).await.map(drop)
}

/// A POST to a service that goes by paths.
pub async fn rest(
    endpoint: &str,
    region: &str,
    service: &str,
    path: &str,
    body: &Value,
) -> Result<()> {
    rest_sent(endpoint, region, service, path, body)
        .await
        .map(drop)
}

/// The same with its answer.
pub async fn rest_answer(
    endpoint: &str,
    region: &str,
    service: &str,
    path: &str,
    body: &Value,
) -> Result<Value> {
    let answer = rest_sent(endpoint, region, service, path, body).await?;
    serde_json::from_str(&answer).with_context(|| format!("{path} answered {answer}"))
}

async fn rest_sent(
    endpoint: &str,
    region: &str,
    service: &str,
    path: &str,
    body: &Value,
) -> Result<String> {
    let request = Request::post(format!("{endpoint}{path}"))
        .header("authorization", authorization(KEY, region, service))
        .header("content-type", "application/json")
        .body(body.to_string())?;
    sent(path, request).await
}

/// What stands between the first `<name>` and its end.
pub fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    elements(xml, name)
        .next()
        .with_context(|| format!("no <{name}> in {xml}"))
}

/// What stands in each `<name>`.
pub fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts: Vec<&str> = xml.split(open.as_str()).skip(1).collect();
    parts
        .into_iter()
        .filter_map(move |part| Some(part.split_once(close.as_str())?.0))
}

/// An action of a service, by its name in signatures and its name in targets, that speaks JSON.
async fn json(
    endpoint: &str,
    region: &str,
    (service, target): (&str, &str),
    action: &str,
    body: &Value,
) -> Result<Value> {
    let request = Request::post(endpoint)
        .header("authorization", authorization(KEY, region, service))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("{target}.{action}"))
        .body(body.to_string())?;
    let answer = sent(action, request).await?;
    serde_json::from_str(&answer).with_context(|| format!("{action} answered {answer}"))
}

/// Says who asks for which service. None of the servers knows the secret, so none checks it.
fn authorization(key: &str, region: &str, service: &str) -> String {
    let signature = "0".repeat(64);
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature={signature}"
    )
}

async fn sent(action: &str, request: Request<String>) -> Result<String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let answer = client
        .request(request)
        .await
        .with_context(|| format!("failed to send {action}"))?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    ensure!(status.is_success(), "{action} answered {status}: {text}");
    Ok(text)
}
