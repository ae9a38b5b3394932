//! Shows progress: a bar on a terminal, a line for each tenth elsewhere. Alerts go to standard output, one JSON object per line;
//! everything else goes to standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::types::Alert;

const BAR: &str = "{elapsed_precise} {bar:32} {human_pos}/{human_len} records {rate} {msg}";

pub(super) struct Display {
    bar: Option<ProgressBar>,
    total: usize,
    accepted: usize,
    alerts: usize,
}

impl Display {
    pub(super) fn new(total: usize) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            // The template is a constant; if it were wrong, the default style would do.
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
                    // Nothing can be done about a bar that cannot be written.
                    let _ = write!(text, "{:.0}/s", state.per_sec());
                };
                bar.set_style(style.with_key("rate", rate));
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, total, accepted: 0, alerts: 0 }
    }

    pub(super) fn accepted(&mut self, records: u64) -> io::Result<()> {
        let tenth = |accepted: usize| accepted * 10 / self.total.max(1);
        let (before, now) = (self.accepted, self.accepted + records as usize);
        self.accepted = now;
        match &self.bar {
            Some(bar) => bar.inc(records),
            None if tenth(now) > tenth(before) => {
                let (total, alerts) = (self.total, self.alerts);
                writeln!(io::stderr(), "{now} of {total} records accepted, {alerts} alerts")?;
            }
            None => {}
        }
        Ok(())
    }

    pub(super) fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        self.alerts += 1;
        let line = serde_json::to_string(alert)?;
        let print = || writeln!(io::stdout(), "{line}");
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{} alerts", self.alerts));
                bar.suspend(print)
            }
            None => print(),
        }
    }

    pub(super) fn finish(&self, summary: &str) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        write!(io::stderr(), "{summary}")
    }
}
