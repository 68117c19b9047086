//! One run of each kind of transfer, plain and by the program, one after the other.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use crate::figures::Figure;
use crate::plain::{self, Kept};
use crate::program::{Program, Took};
use crate::server::Server;
use crate::{memory, plan};

/// How much of a plain copy's speed is to be left (issue 8), in percent.
const LEAST_SPEED: f64 = 70.0;

/// The most memory of the program (issue 8), in megabytes.
const MOST_MEMORY: f64 = 64.0;

/// The bucket, and the one object in it that is fetched.
const BUCKET: &str = "s3://bench";
const PATH: &str = "/bench/big";

/// All that a run takes.
#[derive(Debug)]
pub(crate) struct Bench {
    program: Program,
    server: Server,
    source: PathBuf,
    bytes: u64,
}

impl Bench {
    /// Writes the file that is moved; nothing can compress it.
    pub(crate) fn new(program: Program, server: Server, bytes: u64) -> Result<Self> {
        let source = program.folder.join("source");
        write_noise(&source, bytes).context("failed to write the source")?;
        memory::keep_busy(&program.folder, 3 * bytes)?;
        Ok(Self {
            program,
            server,
            source,
            bytes,
        })
    }

    /// Into a local folder and out of it.
    pub(crate) async fn folder(&self, order: Order) -> Result<Vec<Figure>> {
        let (store, back) = (self.path("store"), self.path("back"));
        std::fs::create_dir_all(&store)?;
        let (address, stored) = (format!("file://{}", store.display()), store.join("big"));

        let plain = || self.plain(&back, || plain::copy(&self.source, &back));
        let put = self.run(&address, &["put", "source", "big"]);
        let (plain, put) = both(order, plain, put).await?;
        let mut figures = self.beside("put", "cp", plain, put);

        let plain = || self.plain(&back, || plain::copy(&stored, &back));
        let got = both(order, plain, self.fetched(&address, &back)).await?;
        figures.extend(self.beside("get", "cp", got.0, got.1));
        std::fs::remove_dir_all(&store)?;
        Ok(figures)
    }

    /// To a server that answers as S3, and from it.
    pub(crate) async fn s3(&self, order: Order) -> Result<Vec<Figure>> {
        let back = self.path("back");
        let plain_put = |kept| -> Result<f64> {
            self.warm()?;
            let took = timed(|| plain::put(&self.server, PATH, &self.source, kept))?;
            self.server.clear()?;
            Ok(took)
        };
        let volatile = plain_put(Kept::InMemory)?;
        let (plain, put) = match order {
            Order::PlainFirst => {
                let plain = plain_put(Kept::ForGood)?;
                (plain, self.put().await?)
            }
            Order::PlainLast => {
                let put = self.put().await?;
                self.server.clear()?;
                let plain = plain_put(Kept::ForGood)?;
                // What the plain copy left is gone: it is put again, to be fetched.
                self.put().await?;
                (plain, put)
            }
        };
        let mut figures = self.beside("put", "plain PUT", plain, put);
        figures.push(self.speed("put: plain PUT that is answered from memory", volatile));

        let plain = || self.plain(&back, || plain::get(&self.server, PATH, &back));
        let got = both(order, plain, self.fetched(BUCKET, &back)).await?;
        figures.extend(self.beside("get", "plain GET", got.0, got.1));
        self.server.clear()?;
        Ok(figures)
    }

    async fn put(&self) -> Result<Took> {
        self.run(BUCKET, &["put", "source", "big"]).await
    }

    /// That all bytes came back: a transfer that is quick because it moves nothing is none.
    async fn fetched(&self, store: &str, back: &Path) -> Result<Took> {
        let got = self.run(store, &["get", "big", "back"]).await?;
        let same = std::process::Command::new("cmp")
            .args([&self.source, back])
            .status();
        let same = same.context("failed to start cmp")?;
        ensure!(same.success(), "{} is not what was put", back.display());
        std::fs::remove_file(back)?;
        Ok(got)
    }

    /// A plan of a large workflow.
    pub(crate) async fn plan(&self) -> Result<Vec<Figure>> {
        plan::measured(&self.program, &self.server).await
    }

    async fn run(&self, store: &str, arguments: &[&str]) -> Result<Took> {
        self.warm()?;
        self.program.run(store, arguments).await
    }

    fn plain(&self, back: &Path, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        self.warm()?;
        let took = timed(work)?;
        std::fs::remove_file(back)?;
        Ok(took)
    }

    fn warm(&self) -> Result<()> {
        memory::touch_free(&self.program.folder, self.bytes / 4)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.program.folder.join(name)
    }

    fn speed(&self, what: impl Into<String>, seconds: f64) -> Figure {
        Figure::new(what, self.bytes as f64 / 1e6 / seconds, " MB/s").digits(0)
    }

    fn beside(&self, what: &str, other: &str, plain: f64, took: Took) -> Vec<Figure> {
        let percent = 100.0 * plain / took.seconds;
        vec![
            self.speed(format!("{what}: {other}"), plain),
            self.speed(format!("{what}: reprise"), took.seconds),
            Figure::new(format!("{what}: reprise by {other}"), percent, " %")
                .digits(0)
                .at_least(LEAST_SPEED),
            Figure::new(
                format!("{what}: peak memory of reprise"),
                took.peak_megabytes,
                " MB",
            )
            .digits(1)
            .at_most(MOST_MEMORY),
        ]
    }
}

/// Who comes first in a run: what the disk still does for one of both takes from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    PlainFirst,
    PlainLast,
}

async fn both(
    order: Order,
    plain: impl FnOnce() -> Result<f64>,
    program: impl Future<Output = Result<Took>>,
) -> Result<(f64, Took)> {
    match order {
        Order::PlainFirst => {
            let plain = plain()?;
            Ok((plain, program.await?))
        }
        Order::PlainLast => {
            let took = program.await?;
            Ok((plain()?, took))
        }
    }
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn write_noise(path: &Path, bytes: u64) -> Result<()> {
    const BLOCK: usize = 1 << 20;
    let mut file = File::create(path)?;
    let mut block = vec![0; BLOCK];
    let mut noise = fastrand::Rng::with_seed(8);
    for _ in 0..bytes / BLOCK as u64 {
        noise.fill(&mut block);
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}
