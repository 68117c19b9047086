//! `reprise-controller --check-health` as a container's health check runs it.

#![expect(
    clippy::expect_used,
    reason = "the helpers of a test fail it where they stand"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::thread;

#[test]
fn a_controller_that_says_ok_is_healthy() {
    let address = answering("200 OK", "ok\n");
    let output = check(address);
    assert!(output.status.success(), "{output:?}");
    let wanted = format!("http://{address}/healthz says ok\n");
    assert_eq!(text(&output.stdout), wanted);
    assert!(output.stderr.is_empty());
}

#[test]
fn one_whose_loop_has_ended_is_not_and_its_words_are_told() {
    let address = answering("500 Internal Server Error", "a loop has ended\n");
    let output = check(address);
    assert_eq!(output.status.code(), Some(1));
    let wanted = format!(
        "error: http://{address}/healthz answers 500 Internal Server Error: a loop has ended\n"
    );
    assert_eq!(text(&output.stderr), wanted);
    assert!(output.stdout.is_empty());
}

#[test]
fn where_nothing_listens_somebody_is_told_what_to_look_at() {
    let listener = listener();
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let output = check(address);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    let wanted = format!("error: nothing answers at http://{address}/healthz; is the controller");
    assert!(said.starts_with(&wanted), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
}

#[test]
fn a_port_that_is_chosen_at_each_start_cannot_be_asked() {
    let output = check((Ipv4Addr::LOCALHOST, 0).into());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("set a port other than 0"), "{said}");
}

#[test]
fn an_address_that_is_none_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_reprise-controller"))
        .args(["--check-health", "--config", "/dev/null"])
        .env_clear()
        .env("REPRISE__HTTP__LISTEN", "everywhere")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("http.listen is \"everywhere\""), "{said}");
}

#[test]
fn a_configuration_and_the_health_are_not_checked_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_reprise-controller"))
        .args(["--check-config", "--check-health"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

/// With no more of a configuration than what it takes: neither secrets nor anything that costs time is read.
fn check(listen: SocketAddr) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reprise-controller"))
        .arg("--check-health")
        .env_clear()
        .env("REPRISE_CONFIG", "/dev/null")
        .env("REPRISE__GITHUB__PRIVATE_KEY_FILE", "/nowhere/app-key.pem")
        .env("REPRISE__HTTP__LISTEN", listen.to_string())
        .output()
        .expect("it runs")
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")
}

/// Something that answers one request for the health so.
fn answering(status: &'static str, body: &'static str) -> SocketAddr {
    let listener = listener();
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("somebody asks");
        let mut asked = String::new();
        let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
        while !asked.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut asked).expect("a request"), 0);
        }
        assert!(asked.starts_with("GET /healthz HTTP/1.1\r\n"), "{asked}");
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        connection.write_all(answer.as_bytes()).expect("sent");
    });
    address
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}
