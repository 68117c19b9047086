//! Manifests as people write them, good and not.

use std::collections::BTreeMap;

use super::*;

const RUBY: &str = r#"
[matrix]
distro = ["debian-12", "ubuntu-24.04"]
version = ["3.3", "3.4"]
variant = ["normal", "jemalloc"]
exclude = [{ distro = "debian-12", variant = "jemalloc" }]
include = [{ version = "3.4", flags = "--yjit" }, { version = "3.3", flags = "" }]

[[job]]
name = "Download Ruby source {version}"
artifacts = ["ruby-{version}-src.tar"]
only-if-wanted = true

[[job]]
name = "Build common DEB"
artifacts = ["common.deb", "common.deb.sha256"]
prefix = "shared/{hash:deb/**,VERSION}"

[[job]]
name = "Build Ruby [{distro}/{version}/{variant}]"
artifacts = ["ruby-{distro}-{version}-{variant}{flags}.deb"]
unless-found = "https://deb.example.com/{distro}/ruby-{version}-{variant}"
needs = ["Download Ruby source {version}", "Build common DEB"]
stale-with-inputs = true

[[job]]
name = "Test [{distro}]"
artifacts = ["test-{distro}.json"]
needs = ["Build Ruby [{distro}/{version}/{variant}]", "Build Ruby [ubuntu-24.04/3.4/normal]"]
"#;

fn run() -> RunFacts {
    let variables = [
        ("GITHUB_REPOSITORY", "acme/ruby"),
        (
            "GITHUB_WORKFLOW_REF",
            "acme/ruby/.github/workflows/ci.yml@refs/heads/main",
        ),
        ("GITHUB_RUN_NUMBER", "7"),
        ("GITHUB_RUN_ID", "9000000001"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    RunFacts::from_environment(&BTreeMap::from(variables))
}

/// Its jobs, as people compare them.
fn told(text: &str, hashes: &Hashes) -> String {
    let manifest = Manifest::parse("resume.toml", text).expect("a good manifest");
    let jobs = manifest.jobs(&run(), hashes).expect("good keys");
    let name = |place: &usize| jobs[*place].name.to_string();
    let told = jobs.iter().map(|job| {
        let keys: Vec<&str> = job.artifacts.iter().map(Key::as_str).collect();
        let mut told = format!("{}\n  makes {}", job.name, keys.join(", "));
        if let Some(address) = &job.unless_found {
            told.push_str(&format!("\n  unless {address}"));
        }
        let needs: Vec<String> = job.needs.iter().map(name).collect();
        if !needs.is_empty() {
            told.push_str(&format!("\n  needs {}", needs.join(", ")));
        }
        told
    });
    told.collect::<Vec<_>>().join("\n")
}

fn mistakes(text: &str) -> String {
    let manifest = Manifest::parse("resume.toml", text);
    manifest.expect_err("mistakes").to_string()
}

#[test]
fn patterns_become_the_jobs_that_github_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("deb")).expect("a folder");
    for file in ["deb/control", "VERSION"] {
        std::fs::write(folder.path().join(file), "1\n").expect("a file");
    }
    let manifest = Manifest::parse("resume.toml", RUBY).expect("a good manifest");
    let hashes = Hashes::of(manifest.hashed_files(), folder.path()).expect("hashes");
    insta::assert_snapshot!(told(RUBY, &hashes));
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    insta::assert_snapshot!(mistakes(
        r#"
store = 7
prefx = "x"
prefix = "ci/{run_number}/{distro}"

[matrix]
distro = ["debian-12", "debian-12", 3.10]
version = "3.4"
sha = ["a"]
exclude = [{ distro = "debian-13" }, { variant = "x" }, {}]

[[job]]
name = "a;b"
artifacts = ["x"]

[[job]]
artifacts = ["x"]

[[job]]
name = "Build {run_id}"
artifacts = ["{oops", "a}", "{hash:../x}", "{no such}"]
needs = "Build"
stale-with-inputs = "yes"
stale-with-input = true

[[job]]
name = "Nothing to show"
"#
    ));
}

#[test]
fn names_that_workflows_cannot_tell_apart_are_told() {
    insta::assert_snapshot!(mistakes(
        r#"
[matrix]
version = ["3.3", "3.4"]
variant = ["normal", "Normal"]

[[job]]
name = "Build {version}"
artifacts = ["{version}.tar"]

[[job]]
name = "Build 3.4"
artifacts = ["3.4.other.tar"]

[[job]]
name = "build 3.3"
artifacts = ["3.3.other.tar"]

[[job]]
name = "Test {variant}"
artifacts = ["{variant}.json"]

[[job]]
name = "Pack {version}"
artifacts = ["{version}-{variant}.zip", "{versoin}.zip"]

[[job]]
name = "Ship {version}"
artifacts = ["{version}-{variant}.zip"]

[[job]]
name = "Copy {version}"
artifacts = ["copies/../{version}", "{version}.tar"]
"#
    ));
}

#[test]
fn needs_that_name_nothing_or_each_other_are_told() {
    insta::assert_snapshot!(mistakes(
        r#"
[[job]]
name = "Build {distro}"
artifacts = ["build-{distro}"]
needs = ["Test {distro}", "Downlaod", "{nothing}"]
matrix = { distro = ["debian-12", "debian-13"] }

[[job]]
name = "Test {distro}"
artifacts = ["test-{distro}"]
matrix.distro = ["debian-12"]

[[job]]
name = "Download"
artifacts = ["download"]
only-if-wanted = true
stale-with-inputs = true
"#
    ));
    insta::assert_snapshot!(mistakes(
        r#"
[[job]]
name = "a"
artifacts = ["a"]
needs = ["b"]

[[job]]
name = "b"
artifacts = ["b"]
needs = ["c"]

[[job]]
name = "c"
artifacts = ["c"]
needs = ["b"]
"#
    ));
    insta::assert_snapshot!(mistakes(
        r#"
[[job]]
name = "alone"
artifacts = ["a"]
only-if-wanted = true
stale-with-inputs = true
"#
    ));
}

#[test]
fn a_mistake_that_leaves_no_job_out_hides_none_of_needs() {
    let text = |needs: &str| {
        format!(
            r#"
[[job]]
name = "Build"
artifacts = ["build"]
colour = "red"

[[job]]
name = "Test"
artifacts = ["test"]
needs = {needs}
"#
        )
    };
    let told = mistakes(&text(r#"["Biuld"]"#));
    assert!(told.contains("colour") && told.contains("Biuld"), "{told}");
    // Whether the other job is needed, this does not say.
    let told = mistakes(&text("\"Build\"\nonly-if-wanted = true"));
    assert!(told.contains("a list of texts"), "{told}");
    assert!(!told.contains("would never let it run"), "{told}");
    // A job may lie below what is not known.
    let told = mistakes(&format!(
        "{}[[jobs]]\nname = \"Biuld\"\n",
        text(r#"["Biuld"]"#)
    ));
    assert!(!told.contains("no job"), "{told}");
}

#[test]
fn a_prefix_that_all_runs_share_is_a_mistake_unless_a_job_says_so_itself() {
    let job = "[[job]]\nname = \"a\"\nartifacts = [\"a\"]\n";
    for (prefix, wanted) in [
        ("ruby", "the same in every run"),
        ("{repository}/{workflow_id}", "the same in every run"),
        ("{run_number}", "put {workflow_id} before it"),
    ] {
        let told = mistakes(&format!("prefix = \"{prefix}\"\n{job}"));
        assert!(told.contains(wanted), "{prefix}: {told}");
    }
    for prefix in [
        "{workflow_id}/{run_number}",
        "{run_id}",
        "x/{sha}",
        "{hash:*}",
    ] {
        let text = format!("prefix = \"{prefix}\"\n{job}");
        Manifest::parse("resume.toml", &text).expect(prefix);
    }
    Manifest::parse("resume.toml", &format!("{job}prefix = \"ruby\"\n")).expect("its own affair");
}

#[test]
fn what_is_not_known_of_a_run_is_told_for_each_job() {
    let text = "prefix = \"{run_id}/{hash:x}\"\n[[job]]\nname = \"a\"\nartifacts = [\"{sha}\"]\n";
    let manifest = Manifest::parse("resume.toml", text).expect("a good manifest");
    let error = manifest
        .jobs(&RunFacts::default(), &Hashes::default())
        .expect_err("nothing is known");
    insta::assert_snapshot!(error);
}

#[test]
fn values_that_make_no_key_or_address_are_told_with_the_line() {
    let text = "matrix.v = [\"a b\", \"../..\", \"\"]\n[[job]]\nname = \"J {v}.\"\nartifacts = [\"{v}\"]\n\
                unless-found = \"https://example.com/{v}\"\n";
    let manifest = Manifest::parse("resume.toml", text).expect("a good manifest");
    let error = manifest.jobs(&run(), &Hashes::default());
    insta::assert_snapshot!(error.expect_err("keys that are none"));
}

#[test]
fn what_is_no_toml_or_too_much_is_told() {
    assert_eq!(
        mistakes("[[job]\nname = \"a\"\nartifacts = [\n"),
        "resume.toml:1: this is no TOML: unclosed array table, expected `]`\n\
         resume.toml:3: this is no TOML: unclosed array, expected `]`"
    );
    assert!(mistakes("").contains("there is no job in it"));
    assert!(mistakes("[job]\nname = \"a\"\n").contains("two brackets"));
    assert!(mistakes(&"#\n".repeat(LARGEST)).contains("more than 1048576 bytes"));
    let axis: Vec<String> = (0..200).map(|n| format!("\"{n}\"")).collect();
    let axis = axis.join(",");
    let job = "[[job]]\nname = \"{a} {b}\"\nartifacts = [\"{a} {b}\"]\n";
    let large = format!("matrix.a = [{axis}]\nmatrix.b = [{axis}]\n{job}");
    assert!(
        mistakes(&large).contains("more than 10000 combinations"),
        "{}",
        mistakes(&large)
    );
    let narrow = axis.replace(",\"199\"", "");
    let many = format!("matrix.a = [{narrow}]\nmatrix.b = [{axis}]\n{job}").replace(
        &format!("matrix.b = [{axis}]"),
        "matrix.b = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26]",
    );
    assert!(
        mistakes(&many).contains("at most 5000 are planned"),
        "{}",
        mistakes(&many)
    );
}

#[test]
fn a_needs_that_grows_without_end_is_stopped() {
    let axis: Vec<String> = (0..1000).map(|n| format!("\"{n}\"")).collect();
    let text = format!(
        "[[job]]\nname = \"A {{a}}\"\nartifacts = [\"A {{a}}\"]\nmatrix.a = [{axis}]\n\
         [[job]]\nname = \"B {{b}}\"\nartifacts = [\"B {{b}}\"]\nmatrix.b = [{axis}]\nneeds = [\"A {{a}}\"]\n",
        axis = axis.join(",")
    );
    assert!(mistakes(&text).contains("more than 500000 times"));
}
