use std::time::Duration;

use reprise_model::ids::{AccountId, Region};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// Far longer than any of these tests takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const TOKEN: &str = "PUT /latest/api/token HTTP/1.1\r\nhost: x\r\n\
                     x-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";

fn served(count: u32) -> ServedInstances {
    let account = AccountId::new("123456789012");
    let settings = Ec2Settings::new(account, Region::new("eu-west-1"), 1);
    ServedInstances::start(settings, count).expect("served")
}

async fn connect(served: &ServedInstances, instance: usize) -> std::io::Result<TcpStream> {
    let url = served.metadata_url(instance).expect("an instance");
    TcpStream::connect(url.trim_start_matches("http://")).await
}

async fn ask(served: &ServedInstances, instance: usize, request: &str) -> TcpStream {
    let mut stream = connect(served, instance).await.expect("open");
    stream.write_all(request.as_bytes()).await.expect("written");
    stream
}

async fn answer(served: &ServedInstances, instance: usize, request: &str) -> String {
    let mut stream = ask(served, instance, request).await;
    let mut text = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut text)).await;
    read.expect("soon").expect("whole");
    text
}

#[tokio::test]
async fn each_instance_has_a_service_of_its_own_and_a_closed_one_refuses() {
    let served = served(2);
    served.open(0).expect("a port");
    let text = answer(&served, 0, TOKEN).await;
    let (_, token) = text.split_once("\r\n\r\n").expect("a body");
    let own = format!(
        "GET /latest/meta-data/instance-id HTTP/1.1\r\nhost: x\r\n\
         x-aws-ec2-metadata-token: {token}\r\n\r\n"
    );
    let text = answer(&served, 0, &own).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.ends_with(served.ids()[0].as_str()), "{text}");
    assert!(connect(&served, 1).await.is_err(), "it is closed");
    served.open(1).expect("a port");
    assert!(answer(&served, 1, &own).await.starts_with("HTTP/1.1 401"));
    served.close(0).await.expect("a port");
    assert!(connect(&served, 0).await.is_err(), "it is closed again");
    served.open(0).expect("the same port");
    assert!(answer(&served, 0, &own).await.starts_with("HTTP/1.1 200"));
    assert_eq!(*served.requests().borrow(), 4);
}

#[tokio::test]
async fn an_answer_may_be_reset_in_its_middle() {
    let served = served(1);
    served.open(0).expect("a port");
    served.with(0, |_, imds, _, _| imds.faults.delivery = Delivery::Reset);
    let mut stream = ask(&served, 0, TOKEN).await;
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let error = read.expect("soon").expect_err("reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_answer_may_drip_after_its_head() {
    let served = served(1);
    served.open(0).expect("a port");
    served.with(0, |_, imds, _, _| imds.faults.delivery = Delivery::Drip);
    let mut stream = ask(&served, 0, TOKEN).await;
    let mut bytes = Vec::new();
    let until_first_byte = async {
        while !bytes.windows(5).any(|five| five == b"\r\n\r\nA") {
            stream.read_buf(&mut bytes).await.expect("open");
        }
    };
    timeout(PATIENCE, until_first_byte).await.expect("soon");
    let more = timeout(Duration::from_millis(100), stream.read_buf(&mut bytes)).await;
    assert!(more.is_err(), "the next byte comes a second later");
}

#[tokio::test]
async fn ec2_may_be_silent_for_some_requests() {
    let served = served(1);
    let url = served.ec2_url();
    let connect = || TcpStream::connect(url.trim_start_matches("http://"));
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    served.silence_ec2(1);
    let mut silent = connect().await.expect("open");
    silent.write_all(request).await.expect("written");
    served
        .requests()
        .wait_for(|count| *count == 1)
        .await
        .expect("asked");
    let mut answered = connect().await.expect("open");
    answered.write_all(request).await.expect("written");
    let mut text = String::new();
    let read = timeout(PATIENCE, answered.read_to_string(&mut text)).await;
    read.expect("soon").expect("whole");
    assert!(text.starts_with("HTTP/1.1 4"), "{text}");
    let nothing = timeout(Duration::from_millis(100), silent.read_u8()).await;
    assert!(nothing.is_err(), "its connection is open and silent");
    let calls = served.with(0, |ec2, _, _, _| ec2.calls().count());
    assert_eq!(calls, Some(0), "neither is a signed call");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let served = served(1);
    served.open(0).expect("a port");
    for nonsense in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let text = answer(&served, 0, nonsense).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    }
}
