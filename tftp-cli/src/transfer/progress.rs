//! The line that shows how far a running transfer has come.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tftp_mio::client::Progress;

/// A transfer that is over sooner than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// Letters of the name that are shown: half of a terminal of the usual width is for the bar.
const LONGEST: usize = 32;

// Without colours, so that NO_COLOR has nothing to take away.
const BAR: &str = "{prefix} [{wide_bar}] {percent:>3}% of {binary_total_bytes}, \
                   {binary_bytes_per_sec}, {eta} left";
const SPINNER: &str = "{prefix} {spinner} {binary_bytes}, {binary_bytes_per_sec}";

/// A bar on standard error, or nothing where nobody would see it. It goes when it is dropped.
pub(super) struct Bar {
    began: Instant,
    line: Option<ProgressBar>,
    /// Held while there is a bar.
    _keys: Option<keys::Unseen>,
}

impl Bar {
    /// A bar that appears when the transfer called `name` turns out to take a while.
    pub(super) fn new(name: String, wanted: bool) -> Self {
        let seen = wanted && io::stderr().is_terminal();
        Self {
            began: Instant::now(),
            _keys: seen.then(keys::Unseen::begin).flatten(),
            // Out of sight it is fed all the same, so that its rate is right when it appears.
            line: seen.then(|| {
                let hidden = ProgressDrawTarget::hidden();
                ProgressBar::with_draw_target(None, hidden).with_prefix(short(name))
            }),
        }
    }

    /// Shows how far the transfer has come.
    pub(super) fn update(&mut self, progress: Progress) {
        let Some(bar) = &self.line else {
            return;
        };
        bar.set_position(progress.bytes);
        if bar.is_hidden() && self.began.elapsed() >= PATIENCE {
            if let Some(total) = progress.total {
                bar.set_length(total);
            }
            bar.set_style(style(progress.total));
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.line {
            bar.finish_and_clear();
        }
    }
}

#[cfg(unix)]
mod keys {
    use std::io;

    use rustix::{
        process::getpgrp,
        termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr},
    };

    /// Keeps the terminal from showing `^C` where it is typed, which would be in the bar, until it
    /// is dropped.
    pub(super) struct Unseen(Termios);

    impl Unseen {
        pub(super) fn begin() -> Option<Self> {
            // A program in the background would be stopped for changing the terminal.
            if tcgetpgrp(io::stdin()).ok()? != getpgrp() {
                return None;
            }
            let before = tcgetattr(io::stdin()).ok()?;
            let mut during = before.clone();
            during.local_modes.remove(LocalModes::ECHOCTL);
            tcsetattr(io::stdin(), OptionalActions::Now, &during).ok()?;
            Some(Self(before))
        }
    }

    impl Drop for Unseen {
        fn drop(&mut self) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod keys {
    pub(super) struct Unseen;

    impl Unseen {
        pub(super) fn begin() -> Option<Self> {
            None
        }
    }
}

/// The name with its middle left out, where it would leave no room for the bar.
fn short(name: String) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST {
        return name;
    }
    let (begin, end) = (LONGEST / 2 - 1, letters.len() - LONGEST / 2 + 1);
    letters[..begin].iter().chain(&['.', '.']).chain(&letters[end..]).collect()
}

fn style(total: Option<u64>) -> ProgressStyle {
    ProgressStyle::with_template(if total.is_some() { BAR } else { SPINNER })
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::{BAR, LONGEST, SPINNER, short};

    #[test]
    fn a_long_name_is_cut_in_its_middle() {
        let whole = "get 12345678901234567890Übung.bi";
        assert_eq!(short(whole.to_owned()), whole);
        let long = short("get pxelinux.cfg/01-aa-bb-cc-dd-ee-ff".to_owned());
        assert_eq!(long, "get pxelinux.cf..-bb-cc-dd-ee-ff");
        assert_eq!(long.chars().count(), LONGEST);
    }

    #[test]
    fn the_templates_are_well_formed() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
