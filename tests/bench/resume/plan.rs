//! A plan of a large workflow, with thousands of objects in a bucket.

use anyhow::{Context, Result, ensure};

use crate::figures::Figure;
use crate::program::Program;
use crate::server::Server;

/// Values of each of both lists of the matrix: 225 jobs.
const VALUES: usize = 15;

/// Objects below the prefix.
const OBJECTS: usize = 10_000;

/// What S3 lists at once.
const PAGE: usize = 1000;

/// What a plan may take (issue 8), in seconds.
const MOST_SECONDS: f64 = 2.0;

pub(crate) async fn measured(program: &Program, server: &Server) -> Result<Vec<Figure>> {
    let folder = program.folder.join(".github");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("reprise-resume.toml"), manifest())?;
    server.pretend(objects());
    let before = server.pages();
    let took = program.run("s3://bench", &["plan"]).await?;
    let pages = server.pages() - before;
    server.clear()?;
    let said = std::fs::read_to_string(program.folder.join("said"))?;
    let list = said
        .lines()
        .find_map(|line| line.split_once("necessary_jobs="));
    let (_, list) = list.context("the plan told of no jobs")?;
    // Every second job lacks its artifact, the first one not.
    let left = list.split_terminator(';').skip(1).count();
    ensure!(left == VALUES * VALUES / 2, "{left} jobs are left to do");
    Ok(vec![
        Figure::new("225 jobs and 10,000 objects: time", took.seconds, " s").at_most(MOST_SECONDS),
        Figure::new("requests for lists", pages as f64, "")
            .digits(0)
            .at_most(OBJECTS.div_ceil(PAGE) as f64),
        Figure::new("peak memory", took.peak_megabytes, " MB").digits(1),
    ])
}

fn manifest() -> String {
    let values = |of: &str| {
        let all: Vec<String> = (0..VALUES).map(|n| format!("\"{of}{n}\"")).collect();
        all.join(",")
    };
    format!(
        "matrix.a = [{}]\nmatrix.b = [{}]\n\
         [[job]]\nname = \"Build {{a}} {{b}}\"\nartifacts = [\"{{a}}/{{b}}\"]\n",
        values("x"),
        values("y")
    )
}

fn objects() -> impl Iterator<Item = String> {
    let all = (0..VALUES).flat_map(|a| (0..VALUES).map(move |b| (a, b)));
    let done = all.filter(|(a, b)| (a + b) % 2 == 0);
    let done = done.map(|(a, b)| format!("x{a}/y{b}"));
    let rest = (0..).map(|other| format!("other/{other}"));
    done.chain(rest)
        .take(OBJECTS)
        .map(|name| format!("/bench/acme/shop/ci.yml/7/{name}"))
}
