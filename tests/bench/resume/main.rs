//! What putting and fetching artifacts costs, beside a plain copy of the same bytes in the same run.
//!
//! `cargo xtask bench resume` builds it and the program that jobs run, optimized, and starts it. It
//! prints Markdown for docs/benchmarks.md, and ends with 1 where something is over its budget.

#[path = "../figures.rs"]
mod figures;
mod memory;
mod plain;
mod plan;
mod program;
mod server;
mod transfers;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::figures::Table;
use crate::program::Program;
use crate::server::Server;
use crate::transfers::Order;

/// Measures what artifacts cost.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench resume --")]
struct Arguments {
    /// The program to measure: reprise-job, or reprise.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// How often all is measured; the table shows medians.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How many MiB a file has. Four times as much is taken of the disk.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// Where all files are; without it a folder beside this program.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism()?;
    println!(
        "{cores} cores, {} runs, files of {} MiB.\n",
        arguments.runs, arguments.size
    );
    let folder = match arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => beside_own_program()?,
    };
    let server = Server::start(&folder.path().join("server"))?;
    let program = Program {
        file: arguments
            .program
            .canonicalize()
            .with_context(|| format!("there is no program {}", arguments.program.display()))?,
        folder: folder.path().to_owned(),
        endpoint: server.url(),
    };
    let bench = transfers::Bench::new(program, server, arguments.size << 20)?;
    let mut tables = [
        Table::new("a local folder"),
        Table::new("S3"),
        Table::new("a plan"),
    ];
    for run in 1..=arguments.runs {
        eprintln!("run {run} of {}", arguments.runs);
        let order = match run % 2 {
            0 => Order::PlainLast,
            _ => Order::PlainFirst,
        };
        let figures = [
            bench.folder(order).await?,
            bench.s3(order).await?,
            bench.plan().await?,
        ];
        for (table, figures) in tables.iter_mut().zip(figures) {
            table.add(figures);
        }
    }
    let mut over = 0;
    for table in &tables {
        println!("{}", table.markdown());
        over += table.over();
    }
    if over == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{over} figures are over their budgets");
    Ok(ExitCode::FAILURE)
}

/// On a disk, where this program is: a folder for temporary files may be in memory.
fn beside_own_program() -> Result<tempfile::TempDir> {
    let own = std::env::current_exe().context("failed to find this program's own file")?;
    let folder = own.parent().context("this program stands in no folder")?;
    Ok(tempfile::tempdir_in(folder)?)
}
