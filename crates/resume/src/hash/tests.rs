//! Files of a workspace, hashed.

use super::*;

fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    folder
}

fn hash(globs: &str, folder: &tempfile::TempDir) -> Result<String, HashError> {
    let files = FileSet::parse(globs).expect("patterns");
    Hashes::of([&files], folder.path()).map(|all| all.get(&files).expect("a hash").to_owned())
}

const FILES: [(&str, &str); 4] = [
    ("Gemfile.lock", "a"),
    ("src/main.rb", "b"),
    ("src/lib/x.rb", "c"),
    (".git/index", "d"),
];

#[test]
fn only_the_files_that_are_meant_count_with_their_names_and_content() {
    let before = workspace(&FILES);
    let hash_of = |globs| hash(globs, &before).expect("a hash");
    let mut more = FILES.to_vec();
    more.push(("src/lib/y.rb", ""));
    for (globs, changed, differs) in [
        ("src/**", "src/lib/x.rb", true),
        ("src/*", "src/lib/x.rb", false),
        ("src/*.rb,Gemfile.lock", "Gemfile.lock", true),
        ("**/*.rb", "Gemfile.lock", false),
        ("**", ".git/index", false),
    ] {
        let files = FILES.map(|(name, text)| (name, if name == changed { "z" } else { text }));
        let after = hash(globs, &workspace(&files)).expect("a hash");
        assert_eq!(hash_of(globs) != after, differs, "{globs}");
    }
    assert_ne!(
        hash_of("src/**"),
        hash("src/**", &workspace(&more)).expect("a hash")
    );
    let moved = [("src/b", "a"), ("src/a", "b")];
    let here = [("src/a", "a"), ("src/b", "b")];
    assert_ne!(
        hash("src/*", &workspace(&moved)).expect("a hash"),
        hash("src/*", &workspace(&here)).expect("a hash")
    );
}

#[test]
fn a_hash_is_the_same_everywhere_and_stays_so() {
    insta::assert_snapshot!(
        hash("src/**,Gemfile.lock", &workspace(&FILES)).expect("a hash"),
        @"cd2a0582fbd6e772ee34da0a13093b535cd2b6ab7a5b162e332cff9fb00bfb89"
    );
}

#[test]
fn a_hash_of_no_file_is_a_mistake_as_it_would_never_change() {
    for globs in [
        "nothing/**",
        "Gemfile",
        "src",
        "Gemfile.lock/x",
        "Gemfile.lock,sorce/**",
    ] {
        let error = hash(globs, &workspace(&FILES)).expect_err(globs);
        assert!(matches!(error, HashError::NoFile { .. }), "{error}");
    }
}

#[test]
fn a_link_counts_by_where_it_leads_and_is_not_followed() {
    let outside = workspace(&[("secret", "1")]);
    let folder = workspace(&[("src/a", "a")]);
    let alone = hash("src/**", &folder).expect("a hash");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("src/out")).expect("a link");
    let linked = hash("src/**", &folder).expect("a hash");
    assert_ne!(alone, linked);
    fs::write(outside.path().join("secret"), "2").expect("a file");
    assert_eq!(linked, hash("src/**", &folder).expect("a hash"));
}
