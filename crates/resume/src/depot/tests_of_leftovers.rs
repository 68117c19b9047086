//! Unfinished files of a local folder: those that grow, and those that killed puts left.

use std::fs;
use std::time::Duration;

use super::landing::UNFINISHED;
use super::tests::{Setting, key};
use super::*;

#[tokio::test]
async fn an_unfinished_file_is_in_no_list() {
    let setting = Setting::new();
    let depot = setting.folder();
    let place = setting.at("store/run/a");
    fs::create_dir_all(setting.at("store/run")).expect("made");
    let landing = Landing::beside(&place).expect("begun");
    let prefix = Prefix::parse("run").expect("a prefix");
    assert_eq!(
        depot.list(&prefix, &BTreeSet::new()).await.expect("listed"),
        []
    );
    landing.place(None).expect("placed");
    assert_eq!(
        depot.list(&prefix, &BTreeSet::new()).await.expect("listed"),
        [key("run/a")]
    );
}

/// As if nobody had written to it for two hours.
fn age(file: &fs::File) {
    let written = file.metadata().and_then(|facts| facts.modified());
    let old = written.expect("a time") - Duration::from_secs(7200);
    file.set_modified(old).expect("set back");
}

fn unfinished(setting: &Setting) -> usize {
    let entries = fs::read_dir(setting.at("store/run")).expect("read");
    let names = entries.map(|entry| entry.expect("read").file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with(UNFINISHED))
        .count()
}

#[tokio::test]
async fn what_a_killed_put_left_is_removed_by_a_later_one_and_what_grows_is_not() {
    let setting = Setting::new();
    let (depot, source) = (setting.folder(), setting.file("source", 10, 0));
    let put = async || setting.put(&depot, &key("run/a"), &source).await;
    fs::create_dir_all(setting.at("store/run")).expect("made");
    let growing = Landing::beside(&setting.at("store/run/b")).expect("begun");
    age(growing.file());
    let name = format!("store/run/{}left", UNFINISHED);
    let left = fs::File::create(setting.at(&name)).expect("made");
    put().await.expect("put");
    assert_eq!(unfinished(&setting), 2, "one may be another machine's");
    age(&left);
    put().await.expect("put");
    assert_eq!(unfinished(&setting), 1);
    growing.place(None).expect("it was there all the time");
}

#[tokio::test]
async fn pruning_removes_what_killed_puts_left_anywhere_below_the_prefix() {
    let setting = Setting::new();
    let depot = setting.folder();
    fs::create_dir_all(setting.at("store/run/deep")).expect("made");
    for place in ["run/", "run/deep/", ""] {
        let name = format!("store/{place}{}left", UNFINISHED);
        age(&fs::File::create(setting.at(&name)).expect("made"));
    }
    let facts = fs::metadata(setting.at("store")).expect("facts");
    let now = facts.modified().expect("a time");
    let run = Prefix::parse("run").expect("a prefix");
    let day = now - Duration::from_secs(86_400);
    assert_eq!(depot.sweep(&run, day).expect("swept"), 0);
    let hour = now - Duration::from_secs(3600);
    assert_eq!(depot.sweep(&run, hour).expect("swept"), 2);
    assert_eq!(depot.sweep(&run, hour).expect("swept"), 0);
}
