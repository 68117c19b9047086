//! What is said of a body that cannot be read, with an end.
//!
//! serde repeats the value that it did not want. Of a body from outside that may be any length, and what is
//! said of it is logged and kept with the dead letter.

/// So much of serde's sentence is kept of its beginning, which names the value, in characters.
const BEGINNING: usize = 300;

/// And so much of its end, which says what was wanted and where.
const END: usize = 200;

/// Why a body cannot be read: serde's sentence, without its middle where it is long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let sentence = error.to_string();
        let characters = sentence.chars().count();
        if characters <= BEGINNING + END {
            return Self(sentence);
        }
        let beginning: String = sentence.chars().take(BEGINNING).collect();
        let end: String = sentence.chars().skip(characters - END).collect();
        Self(format!("{beginning} ... {end}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_immense_value_is_told_by_its_beginning_and_what_was_wanted() {
        let body = format!("[\"{}\"]", "é".repeat(100_000));
        let told = JsonError::from(serde_json::from_str::<Vec<u8>>(&body).expect_err("a text"));
        let told = told.to_string();
        assert!(told.starts_with("invalid type: string \"éééé"), "{told}");
        assert!(
            told.ends_with("éé\", expected u8 at line 1 column 200003"),
            "{told}"
        );
        assert_eq!(told.chars().count(), BEGINNING + END + 5);
    }

    #[test]
    fn a_short_sentence_is_serdes_own() {
        let error = serde_json::from_str::<u8>("-").expect_err("no number");
        let sentence = error.to_string();
        assert_eq!(JsonError::from(error).to_string(), sentence);
    }
}
