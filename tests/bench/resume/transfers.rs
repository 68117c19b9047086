//! One run of each kind of transfer, plain and by the program, one after the other.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use crate::figures::Figure;
use crate::program::{Program, Took};
use crate::server::Server;
use crate::{plain, plan};

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
        Ok(Self {
            program,
            server,
            source,
            bytes,
        })
    }

    /// Into a local folder and out of it.
    pub(crate) async fn folder(&self) -> Result<Vec<Figure>> {
        let (store, back) = (self.path("store"), self.path("back"));
        std::fs::create_dir_all(&store)?;
        let address = format!("file://{}", store.display());
        let mut figures = Vec::new();

        let plain = timed(|| plain::copy(&self.source, &back))?;
        std::fs::remove_file(&back)?;
        let put = self.program.run(&address, &["put", "source", "big"]).await?;
        figures.extend(self.beside("put", "cp", plain, put));

        let stored = store.join("big");
        let plain = timed(|| plain::copy(&stored, &back))?;
        std::fs::remove_file(&back)?;
        let got = self.program.run(&address, &["get", "big", "back"]).await?;
        self.is_source(&back)?;
        figures.extend(self.beside("get", "cp", plain, got));
        std::fs::remove_file(&back)?;
        std::fs::remove_dir_all(&store)?;
        Ok(figures)
    }

    /// To a server that answers as S3, and from it.
    pub(crate) async fn s3(&self) -> Result<Vec<Figure>> {
        let back = self.path("back");
        let mut figures = Vec::new();

        let plain = timed(|| plain::put(&self.server, PATH, &self.source))?;
        self.server.clear()?;
        let put = self.program.run(BUCKET, &["put", "source", "big"]).await?;
        self.server.settle()?;
        figures.extend(self.beside("put", "plain PUT", plain, put));

        let plain = timed(|| plain::get(&self.server, PATH, &back))?;
        self.is_source(&back)?;
        std::fs::remove_file(&back)?;
        let got = self.program.run(BUCKET, &["get", "big", "back"]).await?;
        self.is_source(&back)?;
        std::fs::remove_file(&back)?;
        self.server.clear()?;
        figures.extend(self.beside("get", "plain GET", plain, got));
        Ok(figures)
    }

    /// A plan of a large workflow.
    pub(crate) async fn plan(&self) -> Result<Vec<Figure>> {
        plan::measured(&self.program, &self.server).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.program.folder.join(name)
    }

    fn beside(&self, what: &str, other: &str, plain: f64, took: Took) -> Vec<Figure> {
        let speed = |seconds: f64| self.bytes as f64 / 1e6 / seconds;
        vec![
            Figure::new(format!("{what}: {other}"), speed(plain), " MB/s").digits(0),
            Figure::new(format!("{what}: reprise"), speed(took.seconds), " MB/s").digits(0),
            Figure::new(
                format!("{what}: reprise by {other}"),
                100.0 * plain / took.seconds,
                " %",
            )
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

    /// That all bytes came back: a transfer that is quick because it moves nothing is none.
    fn is_source(&self, back: &Path) -> Result<()> {
        let same = std::process::Command::new("cmp")
            .args([&self.source, back])
            .status();
        let same = same.context("failed to start cmp")?;
        ensure!(same.success(), "{} is not what was put", back.display());
        Ok(())
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
