//! Questions to servers that answer in every way, and to a store that counts them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use reprise_resume::{Address, Answer, InventoryError, Key, Prefix};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn address(server: &MockServer, path: &str) -> Address {
    Address::parse(&format!("{}{path}", server.uri())).expect("an address")
}

fn answers(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

async fn serve(server: &MockServer, at: &str, answer: ResponseTemplate) {
    let mock = Mock::given(method("HEAD")).and(path(at));
    mock.respond_with(answer).mount(server).await;
}

/// What an address answers, and for how many pauses it took to know.
async fn asked(address: &Address) -> (Answer, usize) {
    // Waits for nothing.
    let pauses = AtomicUsize::new(0);
    let count = async |_: SignedDuration| {
        pauses.fetch_add(1, Ordering::SeqCst);
    };
    let asker = Asker::new(count).expect("a client");
    let mut answers = asker.all([address.clone()].into()).await;
    let answer = answers.remove(address).expect("an answer");
    (answer, pauses.load(Ordering::SeqCst))
}

fn is_nothing(answer: &Answer, words: &str) -> bool {
    matches!(answer, Answer::None(why) if why.contains(words))
}

#[tokio::test]
async fn what_is_there_and_what_is_not_is_known_at_once() {
    let server = MockServer::start().await;
    serve(&server, "/there", answers(200)).await;
    serve(&server, "/gone", answers(404)).await;
    serve(
        &server,
        "/moved",
        answers(302).insert_header("location", "/there"),
    )
    .await;
    for (at, wanted) in [
        ("/there", Answer::Found),
        ("/gone", Answer::NotFound),
        ("/moved", Answer::Found),
    ] {
        assert_eq!(asked(&address(&server, at)).await, (wanted, 0), "{at}");
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_token_gives_it_to_everybody() {
    let server = MockServer::start().await;
    let challenge = format!(
        "Bearer realm=\"{}/token\",service=\"here\",scope=\"repository:acme/shop:pull\"",
        server.uri()
    );
    Mock::given(path("/v2/acme/shop/manifests/3.4"))
        .and(header("authorization", "Bearer obviously-fake"))
        .respond_with(answers(404))
        .mount(&server)
        .await;
    serve(
        &server,
        "/v2/acme/shop/manifests/3.4",
        answers(401).insert_header("www-authenticate", challenge.as_str()),
    )
    .await;
    Mock::given(path("/token"))
        .and(query_param("scope", "repository:acme/shop:pull"))
        .respond_with(answers(200).set_body_string("{\"token\":\"obviously-fake\"}"))
        .mount(&server)
        .await;
    let asked = asked(&address(&server, "/v2/acme/shop/manifests/3.4")).await;
    assert_eq!(asked, (Answer::NotFound, 0));
}

#[tokio::test]
async fn what_answers_otherwise_or_not_at_all_is_no_answer() {
    let server = MockServer::start().await;
    serve(&server, "/denied", answers(403)).await;
    serve(&server, "/busy", answers(503)).await;
    serve(
        &server,
        "/round",
        answers(302).insert_header("location", "/round"),
    )
    .await;
    for (at, words, pauses) in [
        ("/denied", "403", 0),
        ("/busy", "503", 2),
        ("/round", "led on", 0),
    ] {
        let (answer, waited) = asked(&address(&server, at)).await;
        assert!(
            is_nothing(&answer, words) && waited == pauses,
            "{answer:?} {waited}"
        );
    }
    let nobody = Address::parse("http://127.0.0.1:1/x").expect("an address");
    let (answer, waited) = asked(&nobody).await;
    assert!(is_nothing(&answer, "") && waited == 2, "{answer:?}");
}

#[tokio::test]
async fn a_server_that_was_busy_for_a_moment_is_asked_again() {
    let server = MockServer::start().await;
    let busy = Mock::given(method("HEAD")).and(path("/x"));
    busy.respond_with(answers(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    serve(&server, "/x", answers(404)).await;
    assert_eq!(asked(&address(&server, "/x")).await, (Answer::NotFound, 2));
}

/// Counts how often it is asked.
struct Counting {
    keys: Vec<Key>,
    asked: AtomicUsize,
}

impl Inventory for Counting {
    async fn list(&self, prefix: &Prefix, _: &BTreeSet<Key>) -> Result<Vec<Key>, InventoryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let below = self.keys.iter().filter(|key| key.is_below(prefix));
        Ok(below.cloned().collect())
    }
}

/// The jobs of a manifest in run 7.
fn jobs(text: &str) -> Vec<Job> {
    let manifest = Manifest::parse("resume.toml", text).expect("a good manifest");
    let facts = [("GITHUB_RUN_ID".to_owned(), "7".to_owned())];
    let facts = RunFacts::from_environment(&facts.into());
    let jobs = manifest.jobs(&facts, &Hashes::default());
    jobs.expect("good keys")
}

#[tokio::test]
async fn a_store_is_asked_once_a_prefix_however_many_jobs_there_are() {
    let axis = |of: &str| {
        let values: Vec<String> = (0..15).map(|n| format!("\"{of}{n}\"")).collect();
        values.join(",")
    };
    let text = format!(
        "prefix = \"{{run_id}}\"\nmatrix.a = [{}]\nmatrix.b = [{}]\n[[job]]\nname = \"Build {{a}} {{b}}\"\n\
         artifacts = [\"{{a}}/{{b}}.tar\", \"{{a}}/{{b}}.json\"]\n",
        axis("x"),
        axis("y")
    );
    let jobs = jobs(&text);
    let finished = jobs.iter().take(100).flat_map(|job| job.artifacts.clone());
    let others = (0..9_800).map(|n| Key::parse(&format!("7/other/{n}")).expect("a key"));
    let store = Counting {
        keys: finished.chain(others).collect(),
        asked: AtomicUsize::new(0),
    };
    assert_eq!((store.keys.len(), jobs.len()), (10_000, 225));
    let seen = look::below(&jobs, Some(&store)).await;
    let plan = decide(&jobs, &seen, OnError::Fail).expect("all is known");
    assert_eq!(plan.necessary().count(), 125);
    assert_eq!(store.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_store_that_fails_says_why_on_one_line() {
    struct Broken;
    impl Inventory for Broken {
        async fn list(
            &self,
            prefix: &Prefix,
            _: &BTreeSet<Key>,
        ) -> Result<Vec<Key>, InventoryError> {
            Err(InventoryError {
                prefix: prefix.clone(),
                source: "the bucket is gone\n::warning::forged".into(),
            })
        }
    }
    let jobs = jobs("prefix = \"{run_id}\"\n[[job]]\nname = \"a\"\nartifacts = [\"a\"]\n");
    let prefix = Prefix::parse("7").expect("a prefix");
    let seen = look::below(&jobs, Some(&Broken)).await;
    assert_eq!(
        seen.listed[&prefix],
        Err("the bucket is gone ::warning::forged".to_owned())
    );
}

/// The first block of a language in the page about plans.
fn example(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/resume.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, begun) = page
        .split_once(&format!("```{language}\n"))
        .expect("an example");
    let (example, _) = begun.split_once("```").expect("its end");
    example.to_owned()
}

#[test]
fn the_workflow_of_the_page_follows_its_manifest() {
    let manifest = Manifest::parse("resume.toml", &example("toml")).expect("a good manifest");
    let planned: Vec<&str> = manifest.names().map(|name| name.as_str()).collect();
    assert_eq!(planned.len(), 5, "{planned:?}");
    let source = reprise_lint::Source {
        name: "ci.yml".to_owned(),
        bytes: example("yaml").into_bytes(),
    };
    let told = reprise_lint::resumption(&source, &planned);
    assert_eq!(told, reprise_lint::Resumption::default());
    let labels = reprise_lint::lint(&[source]);
    assert!(labels.is_empty(), "{labels:?}");
}
