//! The image as `docker load` would get it: its layers in a folder, and what it says of itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Whoever has this number on a host is nobody there.
pub(crate) const USER: u32 = 65532;

/// An unpacked image.
#[derive(Debug)]
pub(crate) struct Unpacked {
    folder: TempDir,
    config: Value,
}

/// All that is in it, as kind, mode, owner and path.
const CONTENTS: [&str; 9] = [
    "file 644 0 etc/ssl/certs/ca-certificates.crt",
    "file 755 0 reprise-controller",
    "folder 755 65532 var/lib/reprise",
    "folder 755 0 etc",
    "folder 755 0 etc/ssl",
    "folder 755 0 etc/ssl/certs",
    "folder 755 0 var",
    "folder 755 0 var/lib",
    "folder 755 0 ",
];

impl Unpacked {
    pub(crate) fn of(archive: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let (packed, root) = (folder.path().join("packed"), folder.path().join("root"));
        for made in [&packed, &root] {
            std::fs::create_dir(made)?;
            std::fs::set_permissions(made, PermissionsExt::from_mode(0o755))?;
        }
        // The unpacked image's user must reach it.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        untar(archive, &packed)?;
        let manifest = read(&packed.join("manifest.json"))?;
        let names = |key: &str| manifest[0][key].clone();
        let layers: Vec<String> = serde_json::from_value(names("Layers"))?;
        ensure!(!layers.is_empty(), "no layers in {manifest}");
        for layer in layers {
            untar(&packed.join(layer), &root)?;
        }
        let config: String = serde_json::from_value(names("Config"))?;
        let config = read(&packed.join(config))?["config"].take();
        Ok(Self { folder, config })
    }

    /// The folder that its processes see as their root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where its processes begin.
    pub(crate) fn working_dir(&self) -> Result<&str> {
        self.config["WorkingDir"].as_str().context("no WorkingDir")
    }

    /// The program.
    pub(crate) fn entrypoint(&self) -> Result<&str> {
        self.config["Entrypoint"][0]
            .as_str()
            .context("no Entrypoint")
    }

    /// Fails where there is more in it than the controller and what it trusts, or where it says something else of
    /// itself.
    pub(crate) fn holds_what_it_should(&self) -> Result<()> {
        let root = self.root();
        let mut found = BTreeSet::new();
        list(&root, &root, &mut found)?;
        let wanted: BTreeSet<String> = CONTENTS.map(str::to_owned).into();
        ensure!(found == wanted, "in it: {found:#?}");
        self.says_what_it_should()
    }

    fn says_what_it_should(&self) -> Result<()> {
        let seconds = |number: u64| number * 1_000_000_000;
        let program = "/reprise-controller";
        let wanted = [
            ("User", json!("65532:65532")),
            ("Entrypoint", json!([program])),
            ("Cmd", json!([])),
            ("WorkingDir", json!("/var/lib/reprise")),
            ("ExposedPorts", json!({ "9464/tcp": {} })),
            ("StopSignal", json!("SIGTERM")),
            (
                "Healthcheck",
                json!({
                    "Test": ["CMD", program, "--check-health"], "Retries": 3,
                    "Interval": seconds(10), "Timeout": seconds(5), "StartPeriod": seconds(30),
                }),
            ),
        ];
        for (key, value) in wanted {
            ensure!(
                self.config[key] == value,
                "{key} is {}, and should be {value}",
                self.config[key]
            );
        }
        let environment = self.config["Env"].to_string();
        ensure!(!environment.contains("REPRISE"), "Env is {environment}");
        let label = |name: &str| {
            let label = &self.config["Labels"][format!("org.opencontainers.image.{name}")];
            label.as_str().unwrap_or_default()
        };
        let (version, revision) = (label("version"), label("revision"));
        ensure!(version == env!("CARGO_PKG_VERSION"), "version is {version}");
        ensure!(revision.len() >= 40, "revision is {revision}");
        ensure!(!label("title").is_empty() && !label("licenses").is_empty());
        Ok(())
    }
}

/// By tar, as root: owners and modes stay.
fn untar(archive: &Path, into: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--same-owner", "--same-permissions", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(into);
    let status = tar.status().context("failed to start tar")?;
    ensure!(status.success(), "failed to unpack {}", archive.display());
    Ok(())
}

fn read(file: &Path) -> Result<Value> {
    let opened = File::open(file).with_context(|| format!("no {} in it", file.display()))?;
    Ok(serde_json::from_reader(opened)?)
}

fn list(root: &Path, place: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    let metadata = std::fs::symlink_metadata(place)?;
    let kind = match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => "folder",
        (false, true) => "file",
        (false, false) => "other",
    };
    let mode = metadata.mode() & 0o7777;
    let shown = place.strip_prefix(root)?.display();
    found.insert(format!("{kind} {mode:o} {} {shown}", metadata.uid()));
    if metadata.is_dir() {
        for entry in std::fs::read_dir(place)? {
            list(root, &entry?.path(), found)?;
        }
    }
    Ok(())
}
