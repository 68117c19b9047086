//! Text for pages that, for a public repository, everybody may read.
//!
//! Names of jobs and workflows are a stranger's, and EC2's words may name the account. So names stand
//! between backticks that they cannot end, and accounts, ARNs and encoded messages are left out; the
//! controller's log has them.

/// The longest reason: GitHub takes more, and nobody reads it.
const LONGEST_REASON: usize = 600;

/// The longest name in a title. GitHub has none over 100 characters; a matrix may.
const LONGEST_NAME: usize = 100;

/// What EC2 says before a text that only its account can decode.
const ENCODED: &str = "Encoded authorization failure message";

/// Somebody else's words without what is not for everybody.
pub(crate) fn reason(words: &str) -> String {
    let words = words.split(ENCODED).next().unwrap_or_default();
    let public: Vec<String> = words.split_whitespace().map(public).collect();
    code(&shortened(&public.join(" "), LONGEST_REASON))
}

/// A name for a title, which is no Markdown.
pub(crate) fn name(text: &str) -> String {
    shortened(&one_line(text), LONGEST_NAME)
}

/// A text as it is, whatever Markdown it would be.
pub(crate) fn code(text: &str) -> String {
    let text = one_line(text).replace('`', "'");
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{text}`")
    }
}

pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn public(word: &str) -> String {
    if word.contains("arn:") {
        return "(an ARN)".to_owned();
    }
    let is_account = |run: &str| run.len() == 12;
    let digits = |text: char| !text.is_ascii_digit();
    let account = word.split(digits).find(|run| is_account(run));
    match account {
        Some(account) => word.replace(account, "(an account)"),
        None => word.to_owned(),
    }
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} ...", &text[..end]),
    }
}
