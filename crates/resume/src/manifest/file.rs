//! The manifest as it is written, with the line of everything, and all that is no such file.
//!
//! It is walked by hand: serde stops at the first mistake.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{At, Problems, meant, shown};

/// The largest manifest that is read, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) store: Option<At<String>>,
    pub(crate) prefix: Option<At<String>>,
    pub(crate) matrix: Option<Matrix>,
    pub(crate) jobs: Vec<Job>,
    /// All of its jobs are there, with all that they need.
    pub(crate) is_whole: bool,
}

/// One `[[job]]`.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) line: usize,
    pub(crate) name: At<String>,
    pub(crate) artifacts: Vec<At<String>>,
    pub(crate) prefix: Option<At<String>>,
    pub(crate) unless_found: Option<At<String>>,
    pub(crate) needs: Vec<At<String>>,
    pub(crate) stale_with_inputs: Option<At<bool>>,
    pub(crate) only_if_wanted: Option<At<bool>>,
    pub(crate) matrix: Option<Matrix>,
}

/// A `[matrix]`.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) line: usize,
    pub(crate) axes: Vec<Axis>,
    pub(crate) exclude: Vec<Combination>,
    pub(crate) include: Vec<Combination>,
}

/// The values of one name.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) name: At<String>,
    pub(crate) values: Vec<At<String>>,
}

/// Values that belong together.
#[derive(Debug)]
pub(crate) struct Combination {
    pub(crate) line: usize,
    pub(crate) values: Vec<(String, At<String>)>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads a file. What is wrong is left out of the answer and told.
pub(crate) fn read(text: &str, problems: &mut Problems) -> File {
    if text.len() > LARGEST {
        problems.add(
            1,
            format!("the file has more than {LARGEST} bytes; name jobs by patterns"),
        );
        return File::default();
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        problems,
        is_whole: true,
    };
    if !errors.is_empty() {
        // What was guessed behind a mistake of syntax is not what was meant.
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let message = format!("this is no TOML: {}", error.message());
            reader.problems.add(reader.line(at), message);
        }
        return File::default();
    }
    let mut file = reader.file(table.get_ref());
    file.is_whole = reader.is_whole;
    file
}

struct Reader<'a> {
    text: &'a str,
    problems: &'a mut Problems,
    is_whole: bool,
}

/// A key and what it is given.
type Entry<'t, 'i> = (At<String>, &'t Value<'i>);

impl Reader<'_> {
    fn file(&mut self, table: &DeTable<'_>) -> File {
        const KNOWN: [&str; 4] = ["store", "prefix", "matrix", "job"];
        let mut file = File::default();
        for (key, value) in self.entries(table) {
            match key.value.as_str() {
                "store" => file.store = self.string(&key.value, value),
                "prefix" => file.prefix = self.string(&key.value, value),
                "matrix" => file.matrix = self.counted(|reader| reader.matrix(value)),
                "job" => file.jobs = self.jobs(value),
                _ => {
                    self.unknown(&key, &KNOWN);
                    // Jobs may lie below it that are left out now.
                    self.is_whole = false;
                }
            }
        }
        if file.jobs.is_empty() && self.problems.is_empty() {
            self.problems.add(
                1,
                "there is no job in it; write a [[job]] with a name and artifacts for each",
            );
        }
        file
    }

    fn jobs(&mut self, value: &Value<'_>) -> Vec<Job> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(
                value,
                "job",
                "a list of tables; write [[job]] with two brackets",
            );
            self.is_whole = false;
            return Vec::new();
        };
        list.iter()
            .filter_map(|job| {
                let read = self.job(job);
                self.is_whole &= read.is_some();
                read
            })
            .collect()
    }

    fn job(&mut self, value: &Value<'_>) -> Option<Job> {
        const KNOWN: [&str; 8] = [
            "name",
            "artifacts",
            "prefix",
            "unless-found",
            "needs",
            "stale-with-inputs",
            "only-if-wanted",
            "matrix",
        ];
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value, "job", "a table");
            return None;
        };
        let line = self.line(value.span().start);
        let mut name = None;
        let mut job = Job {
            line,
            name: At {
                line,
                value: String::new(),
            },
            artifacts: Vec::new(),
            prefix: None,
            unless_found: None,
            needs: Vec::new(),
            stale_with_inputs: None,
            only_if_wanted: None,
            matrix: None,
        };
        let mut has_name = false;
        for (key, value) in self.entries(table) {
            match key.value.as_str() {
                "name" => {
                    has_name = true;
                    name = self.string("name", value);
                }
                "artifacts" => job.artifacts = self.strings("artifacts", value),
                "prefix" => job.prefix = self.string("prefix", value),
                "unless-found" => job.unless_found = self.string("unless-found", value),
                "needs" => job.needs = self.counted(|reader| reader.strings("needs", value)),
                "stale-with-inputs" => {
                    job.stale_with_inputs = self.boolean("stale-with-inputs", value);
                }
                "only-if-wanted" => job.only_if_wanted = self.boolean("only-if-wanted", value),
                "matrix" => job.matrix = self.counted(|reader| reader.matrix(value)),
                _ => self.unknown(&key, &KNOWN),
            }
        }
        if !has_name {
            self.problems.add(
                line,
                "this job has no name; write the one that GitHub shows, as name = \"Build\"",
            );
        }
        job.name = name?;
        Some(job)
    }

    /// Reads what says which jobs there are and what they need; with a mistake in it, nobody knows.
    fn counted<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.problems.len();
        let value = read(self);
        self.is_whole &= self.problems.len() == before;
        value
    }

    fn matrix(&mut self, value: &Value<'_>) -> Option<Matrix> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value, "matrix", "a table of lists");
            return None;
        };
        let mut matrix = Matrix {
            line: self.line(value.span().start),
            axes: Vec::new(),
            exclude: Vec::new(),
            include: Vec::new(),
        };
        for (key, value) in self.entries(table) {
            match key.value.as_str() {
                "exclude" => matrix.exclude = self.combinations("exclude", value),
                "include" => matrix.include = self.combinations("include", value),
                _ => {
                    let values = self.values(&key.value, value);
                    matrix.axes.push(Axis { name: key, values });
                }
            }
        }
        Some(matrix)
    }

    fn values(&mut self, name: &str, value: &Value<'_>) -> Vec<At<String>> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value, name, "a list of values, as [\"3.3\", \"3.4\"]");
            return Vec::new();
        };
        if list.is_empty() {
            self.wrong(value, name, "a list with at least one value");
        }
        list.iter()
            .filter_map(|item| self.scalar(name, item))
            .collect()
    }

    fn combinations(&mut self, key: &str, value: &Value<'_>) -> Vec<Combination> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(
                value,
                key,
                "a list of tables, as [{ distro = \"debian-12\" }]",
            );
            return Vec::new();
        };
        let mut combinations = Vec::new();
        for item in list.iter() {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong(
                    item,
                    key,
                    "a list of tables, as [{ distro = \"debian-12\" }]",
                );
                continue;
            };
            let mut values = Vec::new();
            for (name, value) in self.entries(table) {
                values.extend(self.scalar(&name.value, value).map(|at| (name.value, at)));
            }
            let line = self.line(item.span().start);
            combinations.push(Combination { line, values });
        }
        combinations
    }

    /// A value of a matrix, as GitHub writes it in a name.
    fn scalar(&mut self, name: &str, value: &Value<'_>) -> Option<At<String>> {
        let text = match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number.to_string()),
            DeValue::Boolean(value) => Some(value.to_string()),
            // 3.10 is 3.1 to GitHub, and to nobody else.
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                None
            }
        };
        if text.is_none() {
            self.wrong(value, name, "a text; put it in quotes, as \"3.10\"");
        }
        text.map(|text| self.at(value, text))
    }

    fn string(&mut self, key: &str, value: &Value<'_>) -> Option<At<String>> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(value, key, "a text in quotes");
        }
        text.map(|text| self.at(value, text))
    }

    fn strings(&mut self, key: &str, value: &Value<'_>) -> Vec<At<String>> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value, key, "a list of texts, as [\"a\", \"b\"]");
            return Vec::new();
        };
        list.iter()
            .filter_map(|item| self.string(key, item))
            .collect()
    }

    fn boolean(&mut self, key: &str, value: &Value<'_>) -> Option<At<bool>> {
        let said = value.get_ref().as_bool();
        if said.is_none() {
            self.wrong(value, key, "true or false");
        }
        said.map(|said| self.at(value, said))
    }

    fn wrong(&mut self, value: &Value<'_>, key: &str, wanted: &str) {
        let line = self.line(value.span().start);
        self.problems.add(line, format!("{key} must be {wanted}"));
    }

    fn unknown(&mut self, key: &At<String>, known: &[&str]) {
        let hint = match meant(&key.value, known.iter().copied()) {
            hint if hint.is_empty() => format!(" Known here are: {}", known.join(", ")),
            hint => hint,
        };
        let message = format!("the key {} is not known.{hint}", shown(&key.value));
        self.problems.add(key.line, message);
    }

    /// The entries of a table in the order in which they stand in the file.
    fn entries<'t, 'i>(&self, table: &'t DeTable<'i>) -> Vec<Entry<'t, 'i>> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| (self.at(key, key.get_ref().to_string()), value))
            .collect()
    }

    fn at<T, U>(&self, spanned: &Spanned<T>, value: U) -> At<U> {
        At {
            line: self.line(spanned.span().start),
            value,
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
