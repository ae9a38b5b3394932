//! Figures: collected over repetitions, shown as a table, written as JSON. What counts is the median.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::Problem;

/// One measured figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) metric: &'static str,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
}

impl Figure {
    /// A figure.
    pub(crate) const fn new(metric: &'static str, value: f64, unit: &'static str) -> Self {
        Self { metric, value, unit }
    }
}

/// All figures so far, in the order in which they were first measured.
#[derive(Default)]
pub(crate) struct Report(Vec<Series>);

struct Series {
    case: &'static str,
    metric: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Entry {
    case: &'static str,
    metric: &'static str,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// Adds the figures of one run of a case.
    pub(crate) fn add(&mut self, case: &'static str, figures: Vec<Figure>) {
        for Figure { metric, value, unit } in figures {
            let known =
                self.0.iter_mut().find(|series| series.case == case && series.metric == metric);
            match known {
                Some(series) => series.values.push(value),
                None => self.0.push(Series { case, metric, unit, values: vec![value] }),
            }
        }
    }

    /// The figures of a case, each as median, least and most.
    pub(crate) fn table(&self, case: &str) -> String {
        let mut table = format!("{case}\n");
        for series in self.0.iter().filter(|series| series.case == case) {
            let sorted = series.sorted();
            let [least, most] = [sorted.first(), sorted.last()].map(|it| it.copied().unwrap_or(0.));
            let Series { metric, unit, .. } = series;
            let median = series.median();
            let _infallible =
                writeln!(table, "  {metric:34} {median:>14.3} {unit:12} ({least:.3} to {most:.3})");
        }
        table
    }

    /// Writes the medians as a list of case, metric, value and unit.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Problem> {
        let entry = |series: &Series| {
            let Series { case, metric, unit, .. } = *series;
            Entry { case, metric, value: series.median(), unit }
        };
        let entries: Vec<_> = self.0.iter().map(entry).collect();
        let mut text = serde_json::to_string_pretty(&entries)?;
        text.push('\n');
        Ok(std::fs::write(file, text)?)
    }
}

impl Series {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        match (sorted.get(low), sorted.get(high)) {
            (Some(low), Some(high)) => f64::midpoint(*low, *high),
            _ => f64::NAN,
        }
    }
}

/// The value below which a part of sorted values lies.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
