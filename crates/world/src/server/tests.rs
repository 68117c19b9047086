use std::time::Duration;

use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::clock::{ClockOrigin, ScaledClock};
use crate::ec2::{Call, Interruption};
use crate::scenario;
use crate::testbed;

/// Far longer than any of these tests takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn serve(speed: f64) -> RunningWorld {
    // Scaled time begins where the world does.
    let now = ScaledClock::starting_now(1.0).expect("a clock").origin();
    let mut settings = testbed::settings();
    settings.start = now.0;
    let world = World::new(settings).expect("a world");
    let clock = ScaledClock::new(ClockOrigin(now.0), speed).expect("a clock");
    start(world, clock).await.expect("served")
}

/// The status and the body of one answer.
async fn request(url: &str, head: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mut text = format!("{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    let answer = String::from_utf8(answer).expect("text");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned());
    (status.expect("a status"), body.expect("a body"))
}

async fn sqs(url: &str, action: &str, body: serde_json::Value) -> (u16, serde_json::Value) {
    let signature = "0".repeat(64);
    let scope = "AKIAFAKE/20260101/eu-west-1/sqs/aws4_request";
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}");
    let target = format!("AmazonSQS.{action}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let (status, body) = request(url, "POST /", &headers, &body.to_string()).await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn launch(running: &RunningWorld, capacity: Capacity) -> InstanceId {
    running.with(|world, now| {
        testbed::launch(world, now, &["runs-on=1".to_owned()], capacity, "reprise");
        world.machines().last().expect("launched").id.clone()
    })
}

#[tokio::test]
async fn a_host_has_its_own_metadata_service_for_as_long_as_it_is_up() {
    let running = serve(600.0).await;
    let mut hosts = running.hosts();
    let id = launch(&running, Capacity::Spot);
    let Some(HostEvent::Up {
        instance,
        metadata_url,
    }) = timeout(PATIENCE, hosts.recv()).await.expect("up")
    else {
        panic!("the host did not come up");
    };
    assert_eq!(instance, id);
    assert_eq!(
        running.hosts().recv().await.map(|_| ()),
        Some(()),
        "a late listener hears it too"
    );

    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    let (status, token) = request(&metadata_url, "PUT /latest/api/token", &ttl, "").await;
    assert_eq!(status, 200);
    let action = "GET /latest/meta-data/spot/instance-action";
    let token = [("x-aws-ec2-metadata-token", token.as_str())];
    assert_eq!(request(&metadata_url, action, &[], "").await.0, 401);
    assert_eq!(request(&metadata_url, action, &token, "").await.0, 404);
    running.with(|world, now| {
        let notice = Interruption::terminate(jiff::SignedDuration::from_secs(30_000));
        world
            .ec2_mut(now)
            .interrupt(now, &id, notice)
            .expect("spot");
    });
    let (status, notice) = request(&metadata_url, action, &token, "").await;
    assert_eq!(status, 200, "{notice}");
    assert!(notice.contains("terminate"), "{notice}");

    running.with(|world, now| {
        let call = Call::by_account(now);
        world
            .ec2_mut(now)
            .terminate_instances(&call, &[id])
            .expect("known");
    });
    let down = timeout(PATIENCE, hosts.recv()).await.expect("down");
    assert_eq!(down, Some(HostEvent::Down { instance }));
    let address = metadata_url.strip_prefix("http://").expect("an address");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_metadata_service_that_hangs_lets_go_when_its_host_goes_down() {
    let running = serve(600.0).await;
    let mut hosts = running.hosts();
    let id = launch(&running, Capacity::OnDemand);
    let Some(HostEvent::Up { metadata_url, .. }) =
        timeout(PATIENCE, hosts.recv()).await.expect("up")
    else {
        panic!("the host did not come up");
    };
    running.with(|world, _| world.imds_mut(&id).faults.hang = true);
    let address = metadata_url.strip_prefix("http://").expect("an address");
    let mut asked = TcpStream::connect(address).await.expect("connected");
    let head = "PUT /latest/api/token HTTP/1.1\r\nhost: metadata\r\n\r\n";
    asked.write_all(head.as_bytes()).await.expect("written");
    let mut first = [0; 1];
    let silent = timeout(Duration::from_millis(50), asked.read_exact(&mut first)).await;
    assert!(silent.is_err(), "it hangs");
    running.with(|world, now| {
        let call = Call::by_account(now);
        world
            .ec2_mut(now)
            .terminate_instances(&call, &[id])
            .expect("known");
    });
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, asked.read_to_end(&mut rest)).await;
    ended.expect("ended").ok();
    running.stop().await;
}

#[tokio::test]
async fn a_long_poll_is_answered_as_soon_as_a_message_comes() {
    let running = serve(1.0).await;
    let queue = running.queue_url(Queue::Webhooks);
    let url = running.aws_url().to_owned();
    let wanted = serde_json::json!({ "QueueUrl": queue, "WaitTimeSeconds": 20 });
    let poll = tokio::spawn({
        let url = url.clone();
        async move { sqs(&url, "ReceiveMessage", wanted).await }
    });
    let polls = |world: &mut World, now| {
        world
            .sqs_mut(now)
            .request_counts()
            .get("ReceiveMessage")
            .copied()
    };
    while running.with(polls).is_none() {
        tokio::task::yield_now().await;
    }
    let message = serde_json::json!({ "QueueUrl": queue, "MessageBody": "hello" });
    assert_eq!(sqs(&url, "SendMessage", message).await.0, 200);
    // The poll would find the message at its end, too; this is far sooner.
    let soon = Duration::from_secs(10);
    let (status, answer) = timeout(soon, poll).await.expect("soon").expect("answered");
    assert_eq!(status, 200);
    assert_eq!(answer["Messages"][0]["Body"], "hello");
    running.stop().await;
}

#[tokio::test]
async fn a_long_poll_that_finds_nothing_ends_empty_at_its_scaled_time() {
    let running = serve(600.0).await;
    let wanted = serde_json::json!({
        "QueueUrl": running.queue_url(Queue::Ec2Events),
        "WaitTimeSeconds": 20,
    });
    let poll = sqs(running.aws_url(), "ReceiveMessage", wanted);
    let (status, answer) = timeout(PATIENCE, poll).await.expect("ended");
    assert_eq!((status, answer), (200, serde_json::json!({})));
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_of_the_world_wakes_a_long_poll() {
    let running = serve(60.0).await;
    let wanted = serde_json::json!({
        "QueueUrl": running.queue_url(Queue::Webhooks),
        "WaitTimeSeconds": 20,
        "MaxNumberOfMessages": 10,
        "MessageAttributeNames": ["All"],
    });
    running.with(|world, now| {
        let mut scenario = scenario::find("interrupted").expect("listed");
        scenario.runs[0].starts_after = jiff::SignedDuration::from_secs(5);
        world.play(now, &scenario);
    });
    let poll = sqs(running.aws_url(), "ReceiveMessage", wanted);
    let (_, answer) = timeout(PATIENCE, poll).await.expect("ended");
    let first = &answer["Messages"][0]["MessageAttributes"]["X-GitHub-Event"]["StringValue"];
    assert_eq!(*first, "workflow_run");
    running.stop().await;
}

#[tokio::test]
async fn github_answers_401_without_a_token() {
    let running = serve(60.0).await;
    let path = "GET /repos/acme/shop/actions/runs/1";
    let (status, body) = request(running.github_url(), path, &[], "").await;
    assert_eq!(status, 401);
    assert!(body.contains("Bad credentials"), "{body}");
    running.stop().await;
}

#[tokio::test]
async fn ec2_is_told_from_sqs_by_the_missing_target() {
    let running = serve(60.0).await;
    let form = "Action=DescribeInstances&Version=2016-11-15";
    let (status, body) = request(running.aws_url(), "POST /", &[], form).await;
    assert_eq!(status, 403, "unsigned");
    assert!(
        body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_body_beyond_all_measure_is_refused() {
    let running = serve(60.0).await;
    let address = running
        .aws_url()
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    let mut stream = TcpStream::connect(&address).await.expect("connected");
    let head = format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: 5000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    // The refusal may come while this is still being sent.
    let _ = stream.write_all(&vec![b'x'; 5_000_000]).await;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("answered");
    assert_eq!(&status, b"HTTP/1.1 413");
    running.stop().await;
}

#[tokio::test]
async fn to_stop_ends_open_polls_and_closes_all_ports() {
    let running = serve(1.0).await;
    let mut hosts = running.hosts();
    let wanted = serde_json::json!({
        "QueueUrl": running.queue_url(Queue::Webhooks),
        "WaitTimeSeconds": 20,
    });
    let url = running.aws_url().to_owned();
    let address = url.strip_prefix("http://").expect("an address").to_owned();
    let signed = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: AmazonSQS.ReceiveMessage\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIAFAKE/20260101/eu-west-1/sqs/aws4_request, \
         SignedHeaders=host, Signature={}\r\ncontent-length: {}\r\n\r\n{wanted}",
        "0".repeat(64),
        wanted.to_string().len()
    );
    let mut poll = TcpStream::connect(&address).await.expect("connected");
    poll.write_all(signed.as_bytes()).await.expect("written");
    timeout(PATIENCE, running.stop()).await.expect("stopped");
    let mut rest = Vec::new();
    timeout(PATIENCE, poll.read_to_end(&mut rest))
        .await
        .expect("ended")
        .ok();
    assert!(TcpStream::connect(&address).await.is_err());
    assert_eq!(hosts.recv().await, None);
}
