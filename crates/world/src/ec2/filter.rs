//! The filters of descriptions: any value of a filter, all filters together, `*` and `?` as jokers.

use super::error::Ec2Error;
use super::query::Params;

/// EC2's limit of values in one filter.
const MOST_VALUES: usize = 200;

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Its name, as `instance-id` or `tag:Name`.
    pub name: String,
    /// Its values; one of them must match.
    pub values: Vec<String>,
}

impl Filter {
    /// A filter.
    pub fn new<V: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self {
            name: name.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    pub(super) fn read_all(params: &Params) -> Result<Vec<Self>, Ec2Error> {
        params
            .structs("Filter")
            .map(|filter| {
                Ok(Self {
                    name: filter.required("Name")?.to_owned(),
                    values: filter.list("Value").collect(),
                })
            })
            .collect()
    }

    pub(super) fn admits(&self, text: &str) -> bool {
        self.values
            .iter()
            .any(|pattern| matches(pattern.as_bytes(), text.as_bytes()))
    }

    pub(super) fn unknown(&self) -> Ec2Error {
        Ec2Error::invalid_value(format!("The filter '{}' is invalid", self.name))
    }
}

pub(super) fn check_lengths(filters: &[Filter]) -> Result<(), Ec2Error> {
    if filters
        .iter()
        .any(|filter| filter.values.len() > MOST_VALUES)
    {
        return Err(Ec2Error::new(
            400,
            "FilterLimitExceeded",
            format!(
                "The maximum number of filter values specified on a single call is {MOST_VALUES}"
            ),
        ));
    }
    Ok(())
}

/// `*` is any text, `?` any character, a backslash takes the next one as it is. Linear in practice:
/// only the last `*` is ever tried again.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let (width, fits) = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => (1, true),
            Some(b'\\') => (2, pattern.get(p + 1) == text.get(t)),
            Some(byte) => (1, *byte == text[t]),
            None => (0, false),
        };
        if fits {
            (p, t) = (p + width, t + 1);
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            (p, t) = (after_star, from + 1);
        } else {
            return false;
        }
    }
    pattern[p.min(pattern.len())..]
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jokers_match_as_on_ec2() {
        let admits = |pattern: &str, text: &str| Filter::new("x", [pattern]).admits(text);
        assert!(admits("*", ""));
        assert!(admits("c7a.*", "c7a.large"));
        assert!(admits("*a*e", "c7a.large"));
        assert!(admits("i-0?", "i-01"));
        assert!(admits("100\\*", "100*"));
        assert!(!admits("100\\*", "1000"));
        assert!(!admits("c7a", "c7a.large"));
        assert!(!admits("i-0?", "i-0"));
        assert!(!admits("C7A.*", "c7a.large"));
    }

    #[test]
    fn two_hundred_and_one_values_are_too_many() {
        let values = |count: usize| {
            [Filter::new(
                "instance-id",
                (0..count).map(|n| n.to_string()),
            )]
        };
        assert!(check_lengths(&values(200)).is_ok());
        let error = check_lengths(&values(201)).expect_err("too many");
        assert_eq!(error.code, "FilterLimitExceeded");
    }
}
