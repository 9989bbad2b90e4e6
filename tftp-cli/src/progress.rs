//! The line that shows how far a running transfer has come.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tftp_mio::client::Progress;

/// A transfer that is over sooner than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

// Without colours, so that NO_COLOR has nothing to take away.
const BAR: &str = "{prefix} [{wide_bar}] {percent:>3}% of {binary_total_bytes}, \
                   {binary_bytes_per_sec}, {eta} left";
const SPINNER: &str = "{prefix} {spinner} {binary_bytes}, {binary_bytes_per_sec}";

/// A bar on standard error, or nothing where nobody would see it. It goes when it is dropped.
pub(crate) struct Bar {
    began: Instant,
    name: String,
    state: State,
}

enum State {
    Off,
    Waiting,
    Shown(ProgressBar),
}

impl Bar {
    /// A bar that appears when the transfer called `name` turns out to take a while.
    pub(crate) fn new(name: String, wanted: bool) -> Self {
        let seen = wanted && io::stderr().is_terminal();
        Self {
            began: Instant::now(),
            name,
            state: if seen { State::Waiting } else { State::Off },
        }
    }

    /// Shows how far the transfer has come.
    pub(crate) fn update(&mut self, progress: Progress) {
        match &self.state {
            State::Off => {}
            State::Waiting => {
                let elapsed = self.began.elapsed();
                if elapsed >= PATIENCE {
                    let bar = draw(&self.name, progress.total, elapsed);
                    bar.set_position(progress.bytes);
                    self.state = State::Shown(bar);
                }
            }
            State::Shown(bar) => bar.set_position(progress.bytes),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let State::Shown(bar) = &self.state {
            bar.finish_and_clear();
        }
    }
}

fn draw(name: &str, total: Option<u64>, elapsed: Duration) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), BAR),
        None => (ProgressBar::no_length(), SPINNER),
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    bar.with_style(style)
        .with_prefix(name.to_owned())
        .with_elapsed(elapsed)
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::{BAR, SPINNER};

    #[test]
    fn the_templates_are_well_formed() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
