//! What a job has declared, and where that is on a machine.
//!
//! Invariant: nothing is read or written but below the workspace or the home folder, and never through a link.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;

/// What holds a job's files. Attempts on other machines may have them elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Root {
    Workspace,
    Home,
}

impl Root {
    const ALL: [Self; 2] = [Self::Workspace, Self::Home];

    /// What members of its begin with.
    fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Home => "home",
        }
    }
}

/// A file or a folder below a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    pub(super) root: Root,
    pub(super) below: PathBuf,
}

/// The roots of this machine, and what was declared of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    workspace: PathBuf,
    home: PathBuf,
    declared: Vec<Declared>,
}

impl Places {
    /// Reads paths as a step names them: below the workspace, or absolute, or with a `~/` that no shell has replaced.
    ///
    /// # Errors
    /// Where one is neither below the workspace nor the home folder, or there is none.
    pub fn new(workspace: &Path, home: &Path, paths: &[PathBuf]) -> Result<Self, CheckpointError> {
        if paths.is_empty() {
            return Err(CheckpointError::NoPath);
        }
        let mut places = Self {
            workspace: workspace.to_owned(),
            home: home.to_owned(),
            declared: Vec::new(),
        };
        for path in paths {
            places.declared.push(places.declare(path)?);
        }
        Ok(places)
    }

    fn declare(&self, path: &Path) -> Result<Declared, CheckpointError> {
        let outside = || CheckpointError::Outside(path.to_owned());
        let full = match path.strip_prefix("~") {
            Ok(below) => self.home.join(below),
            Err(_) => self.workspace.join(path),
        };
        // The workspace first: runners often have it in their home.
        for root in Root::ALL {
            if let Ok(below) = full.strip_prefix(self.folder(root)) {
                let below = plain(below).ok_or_else(outside)?;
                if root == Root::Home && below == Path::new("") {
                    return Err(CheckpointError::Home(path.to_owned()));
                }
                return Ok(Declared { root, below });
            }
        }
        Err(outside())
    }

    pub(super) fn folder(&self, root: Root) -> &Path {
        match root {
            Root::Workspace => &self.workspace,
            Root::Home => &self.home,
        }
    }

    pub(super) fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// A file's name in an archive.
    pub(super) fn member(root: Root, below: &Path) -> PathBuf {
        Path::new(root.as_str()).join(below)
    }

    /// Where a member belongs: below a root, and below what was declared; nothing where it does not belong here.
    pub(super) fn place(&self, member: &Path) -> Option<(Root, PathBuf)> {
        let member = plain(member)?;
        let root = Root::ALL
            .into_iter()
            .find(|root| member.starts_with(root.as_str()))?;
        let below = member.strip_prefix(root.as_str()).ok()?;
        let is_declared = |one: &Declared| one.root == root && below.starts_with(&one.below);
        let fits = below != Path::new("") && self.declared.iter().any(is_declared);
        fits.then(|| (root, below.to_owned()))
    }
}

/// Without `.`; nothing where it leads up or begins anew.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// Whether each folder between a root and what lies below it is a folder, and no link.
pub(super) fn leads_there(root: &Path, below: &Path) -> bool {
    let mut path = root.to_owned();
    let above = below.parent().into_iter().flat_map(Path::components);
    above.into_iter().all(|name| {
        path.push(name);
        fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(paths: &[&str]) -> Result<Places, CheckpointError> {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        Places::new(
            Path::new("/home/run/_work/a/a"),
            Path::new("/home/run"),
            &paths,
        )
    }

    fn declared(path: &str) -> Option<(Root, String)> {
        let places = places(&[path]).ok()?;
        let one = places.declared.into_iter().next()?;
        Some((one.root, one.below.display().to_string()))
    }

    #[test]
    fn paths_lie_below_the_workspace_or_the_home_folder() {
        for (path, root, below) in [
            ("target", Root::Workspace, "target"),
            ("./a/./b", Root::Workspace, "a/b"),
            (".", Root::Workspace, ""),
            ("/home/run/_work/a/a/x", Root::Workspace, "x"),
            ("~/.cache/ccache", Root::Home, ".cache/ccache"),
            ("/home/run/.cargo", Root::Home, ".cargo"),
        ] {
            assert_eq!(declared(path), Some((root, below.to_owned())), "{path}");
        }
        for path in [
            "/etc",
            "../b",
            "a/../..",
            "~",
            "/home/run",
            "~/../x",
            "/home/running",
            "/",
        ] {
            assert_eq!(declared(path), None, "{path}");
        }
        assert!(places(&[]).is_err());
    }

    #[test]
    fn a_member_belongs_where_it_was_declared_and_nowhere_else() {
        let places = places(&["target", "~/.cache/ccache"]).expect("good paths");
        let place = |member: &str| places.place(Path::new(member));
        let target = (Root::Workspace, PathBuf::from("target/a"));
        assert_eq!(place("workspace/target/a"), Some(target));
        let cache = (Root::Home, PathBuf::from(".cache/ccache/b"));
        assert_eq!(place("home/.cache/ccache/b"), Some(cache));
        for member in [
            "workspace/targets",
            "workspace/src/main.rs",
            "workspace",
            "home/.ssh/authorized_keys",
            "workspace/target/../../x",
            "/etc/passwd",
            "etc/passwd",
            "../x",
        ] {
            assert_eq!(place(member), None, "{member}");
        }
    }
}
