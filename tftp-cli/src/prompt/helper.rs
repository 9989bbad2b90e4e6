//! What the editor asks about a line while it is being typed: completions, hints, looks.

use std::borrow::Cow;

use rustyline::{
    Context, Helper,
    completion::{Completer, Pair},
    highlight::Highlighter,
    hint::{Hint, Hinter, HistoryHinter},
    validate::Validator,
};

use super::{complete::candidates, seen::Seen};
use crate::command;

/// Helps with a line by what was typed before and what commands there are.
pub(super) struct Assistant {
    pub(super) seen: Seen,
    /// Nobody where there are no colours: an earlier line could not be told from a typed one.
    history: Option<HistoryHinter>,
}

impl Assistant {
    pub(super) fn new(colours: bool) -> Self {
        Self { seen: Seen::default(), history: colours.then(HistoryHinter::new) }
    }
}

impl Helper for Assistant {}
impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(candidates(line.get(..position).unwrap_or(line), &self.seen))
    }
}

/// Text behind the cursor that has not been typed.
pub(super) struct Suggestion {
    shown: String,
    /// Whether it becomes part of the line with Right or End.
    can_be_taken: bool,
}

impl Hint for Suggestion {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.can_be_taken.then_some(&*self.shown)
    }
}

impl Hinter for Assistant {
    type Hint = Suggestion;

    /// The words that a command still takes, or else the line of the history that began like this.
    fn hint(&self, line: &str, position: usize, context: &Context<'_>) -> Option<Suggestion> {
        if position < line.len() {
            return None;
        }
        let used = |shown| Suggestion { shown, can_be_taken: false };
        usage(line).map(used).or_else(|| {
            let shown = self.history.as_ref()?.hint(line, position, context)?;
            Some(Suggestion { shown, can_be_taken: true })
        })
    }
}

/// What may follow a line that ends in a blank.
fn usage(line: &str) -> Option<String> {
    if !line.ends_with(' ') {
        return None;
    }
    let mut words = line.split_whitespace();
    let spec = command::find(words.next()?.as_ref()).ok()?;
    let words: Vec<_> = words.collect();
    let with_option = words.first() == Some(&"-a");
    let usage = spec.usage.split("  or  ").find(|usage| usage.contains(" -a ") == with_option)?;
    let rest: Vec<_> = usage.split(' ').skip(1 + words.len()).collect();
    (!rest.is_empty()).then(|| rest.join(" "))
}

// The editor asks for these only where colours may be used.
impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

#[cfg(test)]
mod tests {
    use super::usage;

    #[test]
    fn a_command_hints_at_the_words_that_it_still_takes() {
        assert_eq!(usage("connect ").as_deref(), Some("HOST [PORT]"));
        assert_eq!(usage("connect boot ").as_deref(), Some("[PORT]"));
        assert_eq!(usage("get ").as_deref(), Some("REMOTE [LOCAL]"));
        assert_eq!(usage("get -a ").as_deref(), Some("REMOTE..."));
        assert_eq!(usage("put -a ").as_deref(), Some("LOCAL..."));
        assert_eq!(usage("connect boot 69 "), None);
        assert_eq!(usage("connect boot"), None);
        assert_eq!(usage("bogus "), None);
        assert_eq!(usage(" "), None);
    }
}
