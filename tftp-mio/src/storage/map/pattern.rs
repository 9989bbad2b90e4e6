//! Regular expressions over names, which are bytes.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::{
    Anchored, Input, MatchKind,
    nfa::thompson::{self, pikevm::PikeVM},
    util::{primitives::NonMaxUsize, syntax},
};

/// A compiled expression may take this much memory.
const SIZE: usize = 1 << 20;

/// A regular expression.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// Finds the longest of the matches that begin at one place, as POSIX has it.
    longest: Option<PikeVM>,
}

/// Where the groups of an expression have matched; the first one is the whole match.
pub(super) type Groups = Vec<Option<Range<usize>>>;

impl Pattern {
    /// Compiles an expression in the syntax of the crate `regex`, in which a dot is any byte, and
    /// letters of other alphabets than ASCII have no case.
    ///
    /// # Errors
    /// With what is wrong with it, in one line.
    pub(super) fn new(text: &str, ignore_case: bool) -> Result<Self, String> {
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .dot_matches_new_line(true)
            .case_insensitive(ignore_case)
            .size_limit(SIZE)
            .dfa_size_limit(SIZE)
            .build()
            .map_err(|error| in_one_line(&error))?;
        Ok(Self { regex, longest: None })
    }

    /// The same, except that of several matches at one place the longest is taken instead of the
    /// first.
    pub(super) fn posix(text: &str, ignore_case: bool) -> Result<Self, String> {
        let pattern = Self::new(text, ignore_case)?;
        let syntax = syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .dot_matches_new_line(true)
            .case_insensitive(ignore_case);
        let longest = PikeVM::builder()
            .configure(PikeVM::config().match_kind(MatchKind::All))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(SIZE)))
            .syntax(syntax)
            .build(text)
            .map_err(|error| error.to_string())?;
        Ok(Self { longest: Some(longest), ..pattern })
    }

    pub(super) fn is_match(&self, name: &[u8]) -> bool {
        self.regex.is_match(name)
    }

    /// The first match that begins at `from` or later.
    pub(super) fn find(&self, name: &[u8], from: usize) -> Option<Groups> {
        let Some(longest) = &self.longest else {
            let captures = self.regex.captures_at(name, from)?;
            return Some(captures.iter().map(|group| group.map(|found| found.range())).collect());
        };
        let start = self.regex.find_at(name, from)?.start();
        let input = Input::new(name).range(start..).anchored(Anchored::Yes);
        let mut slots: Vec<Option<NonMaxUsize>> = vec![None; 2 * self.groups()];
        longest.search_slots(&mut longest.create_cache(), &input, &mut slots)?;
        let group = |ends: &[Option<NonMaxUsize>]| match *ends {
            [Some(start), Some(end)] => Some(start.get()..end.get()),
            _ => None,
        };
        Some(slots.chunks(2).map(group).collect())
    }

    /// How many groups there are, the whole match included.
    pub(super) fn groups(&self) -> usize {
        self.regex.captures_len()
    }

    /// The number of the group of that name.
    pub(super) fn group(&self, name: &str) -> Option<usize> {
        self.regex.capture_names().position(|found| found == Some(name))
    }
}

/// The message of an error that is drawn over several lines.
fn in_one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("it would take more than {limit} bytes of memory")
        }
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn whole(pattern: &Pattern, name: &[u8]) -> Range<usize> {
        pattern.find(name, 0).expect("a match")[0].clone().expect("the whole match")
    }

    #[test]
    fn a_dot_is_any_byte_and_a_letter_may_be_of_any_alphabet() {
        let dots = Pattern::new("^...$", false).unwrap();
        assert!(dots.is_match(b"\xFF\n\0"));
        assert!(Pattern::new("^gr\u{fc}n", false).unwrap().is_match("gr\u{fc}n".as_bytes()));
    }

    #[test]
    fn posix_takes_the_longest_match_and_its_groups() {
        for (text, name, first, longest) in [
            ("a|ab", "xab", 1..2, 1..3),
            ("(a?)(ab)?", "ab", 0..1, 0..2),
            ("(x|xy)(z?)", "xyz", 0..1, 0..3),
            ("b*", "abb", 0..0, 0..0),
            ("^(a|ab)$", "ab", 0..2, 0..2),
        ] {
            let name = name.as_bytes();
            assert_eq!(whole(&Pattern::new(text, false).unwrap(), name), first, "{text}");
            assert_eq!(whole(&Pattern::posix(text, false).unwrap(), name), longest, "{text}");
        }
        let groups = Pattern::posix("(a?)(ab)?", false).unwrap().find(b"ab", 0).unwrap();
        assert_eq!(groups, [Some(0..2), Some(0..0), Some(0..2)]);
    }

    #[test]
    fn errors_are_of_one_line() {
        assert_eq!(Pattern::new("a(b", false).unwrap_err(), "unclosed group");
        let huge = Pattern::new("(a{1000}){1000}", false).unwrap_err();
        assert_eq!(huge, "it would take more than 1048576 bytes of memory");
    }
}
