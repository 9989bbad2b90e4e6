//! What a word that has been begun may become.

use rustyline::completion::{FilenameCompleter, Pair, extract_word, unescape};

use super::seen::Seen;
use crate::{
    command::{self, Argument},
    show,
};

/// Where the word at the end of `line` begins, and the words that it may become.
pub(super) fn candidates(line: &str, seen: &Seen) -> (usize, Vec<Pair>) {
    let (start, begun) = extract_word(line, line.len(), Some('\\'), char::is_whitespace);
    let before: Vec<_> = line[..start].split_whitespace().collect();
    let begun = unescape(begun.trim_start_matches(['\'', '"']), Some('\\'));
    let offer = |names: &mut dyn Iterator<Item = &str>, after: &str| {
        let fitting = names.filter(|name| name.starts_with(&*begun));
        let pairs = fitting
            .map(|name| Pair { display: name.to_owned(), replacement: quoted(name) + after });
        (start, pairs.collect())
    };
    let Some((command, before)) = before.split_first() else {
        return offer(&mut command::names(), " ");
    };
    let Ok(spec) = command::find(command.as_ref()) else { return (start, Vec::new()) };
    match spec.argument(before) {
        Argument::None => (start, Vec::new()),
        Argument::Command => offer(&mut command::names(), ""),
        Argument::OneOf(words) => offer(&mut words.iter().copied(), ""),
        Argument::Host => offer(&mut seen.hosts.iter().map(String::as_str), " "),
        Argument::Remote => match offer(&mut seen.names.iter().map(String::as_str), " ") {
            // Of `put a b FOLDER/` all but the last are local.
            (_, names) if names.is_empty() => paths(line, |_| true),
            found => found,
        },
        Argument::LocalFile => paths(line, |_| true),
        Argument::LocalFolder => {
            paths(line, |path| path.replacement.ends_with(std::path::MAIN_SEPARATOR))
        }
    }
}

fn paths(line: &str, wanted: impl Fn(&Pair) -> bool) -> (usize, Vec<Pair>) {
    match FilenameCompleter::new().complete_path(line, line.len()) {
        Ok((start, mut paths)) => {
            // Whoever made a file chose its name: one that would steer the terminal is not shown.
            paths
                .retain(|path| wanted(path) && show::name(path.display.as_bytes()) == path.display);
            (start, paths)
        }
        Err(_) => (line.len(), Vec::new()),
    }
}

/// A name as one word of a line. None that was typed holds a NUL, which has no form.
fn quoted(name: &str) -> String {
    shlex::try_quote(name).map_or_else(|_| name.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::{Seen, candidates};

    /// The replacements for the end of a line, after names and hosts have been seen.
    fn completed(line: &str) -> Vec<String> {
        let mut seen = Seen::default();
        seen.learn("connect boot.example");
        seen.learn("get -a pxelinux.0 pxelinux.cfg/default 'a b'");
        let (_, candidates) = candidates(line, &seen);
        candidates.into_iter().map(|candidate| candidate.replacement).collect()
    }

    #[test]
    fn the_first_word_of_a_line_is_completed_to_a_command() {
        assert_eq!(completed("con"), ["connect "]);
        assert_eq!(completed("  wi"), ["windowsize "]);
        assert_eq!(completed("l"), ["lcd ", "lpwd ", "lls "]);
        assert_eq!(completed("help ge"), ["get"]);
    }

    #[test]
    fn arguments_are_completed_to_what_makes_sense_there() {
        assert_eq!(completed("connect bo"), ["boot.example "]);
        assert_eq!(completed("get px"), ["pxelinux.0 ", "pxelinux.cfg/default "]);
        assert_eq!(completed("get -a pxelinux.0 a"), ["'a b' "]);
        assert_eq!(completed("mode n"), ["netascii"]);
        assert_eq!(completed("options o"), ["on", "off"]);
        assert_eq!(completed("timeout "), ["auto"]);
        assert!(completed("connect boot.example 6").is_empty());
        assert!(completed("bogus x").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn names_that_would_steer_the_terminal_are_not_offered() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["file \x1b[2J", "file\n", "file 'of' Übung"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let offered = completed(&format!("put {}/f", folder.path().display()));
        assert_eq!(offered.len(), 1, "{offered:?}");
        assert!(offered[0].ends_with("Übung"), "{offered:?}");
    }

    #[test]
    fn where_a_word_begins_is_told() {
        assert_eq!(candidates("get px", &Seen::default()).0, 4);
    }
}
