//! The end of a console's output, as harmless lines.

/// How many lines are kept: a boot's last words and what the agent said.
const LINES: usize = 40;

/// How many letters of a line.
const LETTERS: usize = 200;

/// How many bytes of all lines together: DynamoDB counts writes by the kilobyte.
const BYTES: usize = 4096;

/// What stands where something looked like a secret.
const HIDDEN: &str = "***";

/// From this length on, a word of mixed letters and digits is taken for a key: AWS's have 40 letters, a
/// runner's configuration hundreds.
const KEY_LENGTH: usize = 32;

/// What tokens of GitHub and key ids of AWS begin with
/// (<https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
const TOKENS: [&str; 9] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "AKIA",
    "ASIA",
    "eyJ",
];

/// Words behind which a secret stands.
const NAMES: [&str; 5] = ["password", "passwd", "secret", "token", "jitconfig"];

/// The last lines of a console's output, the oldest first, without what moves a terminal and what looks like
/// a secret. Empty lines are left out.
pub fn tail(output: &str) -> Vec<String> {
    let mut bytes = 0;
    let mut lines: Vec<String> = output
        .rsplit('\n')
        .map(shown)
        .filter(|line| !line.is_empty())
        .take(LINES)
        .take_while(|line| {
            bytes += line.len();
            bytes <= BYTES
        })
        .collect();
    lines.reverse();
    lines
}

fn shown(line: &str) -> String {
    let line = without_secrets(plain(line).trim_end());
    match line.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Without escape sequences, control characters, and letters that turn the direction of others.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // ESC [ parameters, up to its last letter.
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                letters.by_ref().find(|letter| matches!(letter, '@'..='~'));
            }
            '\t' => plain.push(' '),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {}
            _ if letter.is_control() => {}
            _ => plain.push(letter),
        }
    }
    plain
}

fn without_secrets(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    let mut is_named = false;
    while !rest.is_empty() {
        let end = rest
            .find(|letter| !is_of_word(letter))
            .unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let hides = !word.is_empty() && (is_named || is_secret(word));
        shown.push_str(if hides { HIDDEN } else { word });
        if !word.is_empty() {
            is_named = names_secret(word);
        }
        let end = behind.find(is_of_word).unwrap_or(behind.len());
        let (between, behind) = behind.split_at(end);
        // "token: abc", "token=abc", but not "token for abc".
        is_named &= between.contains([':', '=']);
        shown.push_str(between);
        rest = behind;
    }
    shown
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+' | '/' | '.')
}

fn is_secret(word: &str) -> bool {
    let is_token = TOKENS.iter().any(|start| word.starts_with(start));
    let has = |kind: fn(&char) -> bool| word.chars().any(|letter| kind(&letter));
    let is_mixed =
        has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
    // The names of files are long, too.
    let is_key = word.len() >= KEY_LENGTH && is_mixed && !word.starts_with('/');
    is_key || (is_token && word.len() >= 16)
}

fn names_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    NAMES.iter().any(|name| word.ends_with(name))
}
