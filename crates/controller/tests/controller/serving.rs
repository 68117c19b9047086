//! What `/metrics`, `/healthz` and `/readyz` answer, over a real connection.

use std::net::SocketAddr;
use std::sync::Arc;

use reprise_controller::http::routes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fakes::house::{House, Running};

#[tokio::test]
async fn a_controller_that_works_is_alive_and_ready_and_shows_its_numbers() {
    let house = House::new();
    let controller = house.start();
    let address = serve(&controller).await;
    house
        .until("ready", async || {
            get(address, "/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics").await;
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(
        metrics.contains("reprise_github_rate_remaining 4321"),
        "{metrics}"
    );
    controller.crash().await;
}

#[tokio::test]
async fn readiness_says_which_queue_is_waited_for() {
    let house = House::new();
    house.webhooks.break_down(true);
    let controller = house.start();
    let address = serve(&controller).await;
    house
        .until("not ready", async || {
            get(address, "/readyz")
                .await
                .ends_with("no answer from: webhooks\n")
        })
        .await;
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    controller.crash().await;
}

#[tokio::test]
async fn a_loop_that_has_ended_is_no_health_and_a_drain_is_no_readiness() {
    let house = House::new();
    let controller = house.start();
    let address = serve(&controller).await;
    controller.controller.health.loop_ended();
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 500"));
    controller.begin_drain();
    assert!(get(address, "/readyz").await.ends_with("draining\n"));
    assert!(
        get(address, "/healthz").await.starts_with("HTTP/1.1 200"),
        "it ends as it should"
    );
    controller.crash().await;
}

async fn serve(controller: &Running) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = routes(Arc::clone(&controller.controller));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
