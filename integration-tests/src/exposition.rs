//! A strict reader of Prometheus' text format. What a lenient one would pass over is a failed test here.

use std::collections::{BTreeMap, BTreeSet};

/// A name without its labels, and what was said of it.
#[derive(Clone, PartialEq, Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
}

/// A label's name and its value.
pub type Labels = BTreeMap<String, String>;

/// One line with a value.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The name, with `_bucket`, `_sum` or `_count` for histograms.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// Everything that was scraped at one time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
    samples: Vec<Sample>,
}

impl Exposition {
    /// Reads a whole text.
    ///
    /// # Panics
    /// If anything of it is not as the format wants it, or if a metric has no help.
    #[must_use]
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let mut all = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(comment) => all.comment(comment),
                None => all.samples.push(sample(line)),
            }
        }
        all.check();
        all
    }

    /// The sum of a metric over all samples with these labels, whatever others they have.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// The values that a label has in the samples of a metric.
    #[must_use]
    pub fn values_of(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples.filter_map(|sample| sample.labels.get(label).map(String::as_str)).collect()
    }

    /// Whether there is a sample of a metric.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }

    /// The names of all metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = |sample: &Sample, (key, value): &(&str, &str)| {
            sample.labels.get(*key).is_some_and(|found| found == value)
        };
        self.samples.iter().filter(move |sample| {
            sample.name == name && labels.iter().all(|label| has(sample, label))
        })
    }

    fn comment(&mut self, comment: &str) {
        let mut words = comment.splitn(3, ' ');
        let (keyword, name) = (words.next().unwrap(), words.next().unwrap());
        let rest = words.next().unwrap_or_default().to_owned();
        assert!(is_name(name), "`{name}` is no name");
        let family = self.families.entry(name.to_owned()).or_default();
        let before = match keyword {
            "HELP" => family.help.replace(rest),
            "TYPE" => {
                assert!(["counter", "gauge", "histogram"].contains(&&*rest), "{name} is a {rest}");
                family.kind.replace(rest)
            }
            _ => panic!("unknown comment: {comment}"),
        };
        assert_eq!(before, None, "{keyword} of {name} comes twice");
    }

    fn check(&self) {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "{sample:?} comes twice");
            let (name, family) = self.family(&sample.name);
            assert!(
                family.help.as_ref().is_some_and(|help| !help.is_empty()),
                "{name} has no help"
            );
            if family.kind.as_deref() == Some("counter") {
                assert!(name.ends_with("_total") && sample.value >= 0.0, "{sample:?}");
            }
        }
        for (name, family) in &self.families {
            if family.kind.as_deref() == Some("histogram") {
                self.check_histogram(name);
            }
        }
    }

    fn family(&self, sample: &str) -> (&str, &Family) {
        let parts = ["", "_bucket", "_sum", "_count"].iter().filter_map(|end| {
            let name = sample.strip_suffix(end)?;
            let (name, family) = self.families.get_key_value(name)?;
            let histogram = family.kind.as_deref() == Some("histogram");
            (histogram != end.is_empty()).then_some((name.as_str(), family))
        });
        let mut parts = parts.collect::<Vec<_>>();
        assert_eq!(parts.len(), 1, "{sample} belongs to one family");
        parts.remove(0)
    }

    /// Buckets ascend, and the last one holds all.
    fn check_histogram(&self, name: &str) {
        let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        let bucket = format!("{name}_bucket");
        for sample in self.samples.iter().filter(|sample| sample.name == bucket) {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            series.entry(labels).or_default().push((number(&bound), sample.value));
        }
        assert!(!series.is_empty(), "{name} has buckets");
        for (labels, buckets) in series {
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
            let (bound, count) = *buckets.last().unwrap();
            let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert!(bound.is_infinite(), "{name} ends with +Inf");
            assert_eq!(count, self.sum(&format!("{name}_count"), &labels), "{name} {labels:?}");
        }
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = line.split_at(end);
    assert!(is_name(name), "no name: {line}");
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest),
        None => (Labels::new(), rest),
    };
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    Sample { name: name.to_owned(), labels, value: number(value) }
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {rest}"));
        assert!(is_name(name) && !name.contains(':'), "no label: {name}");
        let (value, after) = quoted(value);
        assert_eq!(labels.insert(name.to_owned(), value), None, "{name} comes twice");
        rest = match after.strip_prefix('}') {
            Some(end) => return (labels, end),
            None => after.strip_prefix(',').unwrap_or_else(|| panic!("no end: {after}")),
        };
    }
}

/// A value up to its closing quote, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('"' | '\\'))) => escaped,
                other => panic!("unknown escape {other:?}"),
            }),
            _ => value.push(character),
        }
    }
    panic!("a quote is missing: {text}")
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => text.parse().unwrap_or_else(|_| panic!("no number: {text}")),
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
