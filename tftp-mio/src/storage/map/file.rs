//! Rules in TOML: a list of `[[rule]]`s.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    faults::MapFault,
    pattern::Pattern,
    rule::{Action, Kinds, Repeat, Rule, Then},
    template::Template,
};
use crate::{server::Network, storage::client::Spelling};

const KEYS: [&str; 10] = [
    "match",
    "unless",
    "operation",
    "client",
    "rewrite",
    "every",
    "alias",
    "deny",
    "stop",
    "restart",
];

/// Reads the rules in a file's text.
///
/// # Errors
/// With all that is wrong with them.
pub(super) fn read(content: &str, ignore_case: bool) -> Result<Vec<Rule>, Vec<MapFault>> {
    let mut reader = Reader { content, ignore_case, faults: Vec::new() };
    let rules = reader.read();
    if reader.faults.is_empty() { Ok(rules) } else { Err(reader.faults) }
}

struct Reader<'a> {
    content: &'a str,
    ignore_case: bool,
    faults: Vec<MapFault>,
}

/// What is wrong, and where.
type Wrong = (Range<usize>, String);

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn read(&mut self) -> Vec<Rule> {
        let (table, errors) = DeTable::parse_recoverable(self.content);
        for error in errors {
            self.fault((error.span().unwrap_or_default(), error.message().into()));
        }
        if !self.faults.is_empty() {
            return Vec::new();
        }
        let mut rules = Vec::new();
        for (key, value) in table.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("rule", DeValue::Array(list)) => {
                    rules = list.iter().filter_map(|rule| self.rule(rule)).collect();
                }
                ("rule", _) => {
                    self.fault((key.span(), "each rule begins with a line `[[rule]]`".into()));
                }
                (name, _) if KEYS.contains(&name) => {
                    let what =
                        format!("`{name}` belongs to a rule: put a line `[[rule]]` above it");
                    self.fault((key.span(), what));
                }
                (name, _) => {
                    let what = format!("there is no `{name}`; each rule begins with `[[rule]]`");
                    self.fault((key.span(), what));
                }
            }
        }
        rules
    }

    fn rule(&mut self, value: &Value<'_>) -> Option<Rule> {
        let DeValue::Table(table) = value.get_ref() else {
            self.fault((value.span(), "each rule begins with a line `[[rule]]`".into()));
            return None;
        };
        let mut keys = Keys { table, span: value.span(), ignore_case: self.ignore_case };
        let before = self.faults.len();
        for key in table.keys() {
            if !KEYS.contains(&key.get_ref().as_ref()) {
                self.fault((key.span(), unknown(key.get_ref())));
            }
        }
        let line = self.line(value.span().start);
        let rule = keys.rule(line).map_err(|wrong| self.fault(wrong)).ok();
        rule.filter(|_| self.faults.len() == before)
    }

    fn fault(&mut self, (at, what): Wrong) {
        self.faults.push(MapFault { line: Some(self.line(at.start)), what });
    }

    fn line(&self, at: usize) -> usize {
        1 + self.content.get(..at).unwrap_or(self.content).matches('\n').count()
    }
}

/// The keys of one rule.
struct Keys<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    ignore_case: bool,
}

impl Keys<'_> {
    fn rule(&mut self, line: usize) -> Result<Rule, Wrong> {
        let pattern = self.pattern("match")?;
        let unless = self.pattern("unless")?;
        let kinds = self.kinds()?;
        let clients = self.clients()?;
        let (stop, restart) = (self.flag("stop")?, self.flag("restart")?);
        let action = self.action(pattern.as_ref())?;
        let ends = matches!(action, Action::Alias(_) | Action::Deny(_));
        let then = match (stop, restart) {
            (true, true) => {
                return Err(self.wrong("restart", "a rule cannot both stop and restart"));
            }
            (_, true) if ends => {
                return Err(self.wrong("restart", "after `alias` and `deny` nothing comes"));
            }
            (true, _) => Then::Stop,
            (_, true) => Then::Restart,
            (false, false) => Then::Next,
        };
        if matches!(action, Action::Keep) && then == Then::Next {
            let what = "the rule does nothing: it needs `rewrite`, `alias`, `deny` or `stop`";
            return Err((self.span.clone(), what.into()));
        }
        Ok(Rule { line, kinds, clients, pattern, unless, action, then })
    }

    fn action(&self, pattern: Option<&Pattern>) -> Result<Action, Wrong> {
        let given: Vec<&str> = ["rewrite", "alias", "deny"]
            .into_iter()
            .filter(|key| self.table.get(*key).is_some())
            .collect();
        if let [first, second, ..] = given[..] {
            let what = format!("a rule has one of `{first}` and `{second}`, not both");
            return Err(self.wrong(second, &what));
        }
        let every = self.flag("every")?;
        if every && given != ["rewrite"] {
            return Err(self.wrong("every", "`every` goes with `rewrite`"));
        }
        Ok(match given[..] {
            ["rewrite"] if pattern.is_none() => {
                return Err(
                    self.wrong("rewrite", "`rewrite` replaces what `match` finds: it needs one")
                );
            }
            ["rewrite"] => {
                let template = self.template("rewrite", pattern, Spelling::FileName)?;
                Action::Rewrite(template, if every { Repeat::Every } else { Repeat::Once })
            }
            ["deny"] => Action::Deny(Some(self.template("deny", pattern, Spelling::Plain)?)),
            ["alias"] => {
                let names = self.texts("alias")?;
                if names.is_empty() {
                    return Err(self.wrong("alias", "`alias` names no file"));
                }
                let read = |(text, span): (String, _)| {
                    Template::parse(&text, pattern, Spelling::FileName).map_err(|what| (span, what))
                };
                Action::Alias(names.into_iter().map(read).collect::<Result<_, _>>()?)
            }
            _ => Action::Keep,
        })
    }

    fn kinds(&self) -> Result<Kinds, Wrong> {
        let mut kinds = Kinds::NONE;
        for (text, span) in self.texts("operation")? {
            match &*text {
                "read" => kinds.read = true,
                "write" => kinds.write = true,
                "mail" => kinds.mail = true,
                _ => {
                    let what = format!("`{text}` is no operation: use read, write or mail");
                    return Err((span, what));
                }
            }
        }
        Ok(if kinds == Kinds::NONE { Kinds::FILES } else { kinds })
    }

    fn clients(&self) -> Result<Vec<Network>, Wrong> {
        let read = |(text, span): (String, _)| {
            text.parse().map_err(|error| (span, format!("`{text}` is no network: {error}")))
        };
        self.texts("client")?.into_iter().map(read).collect()
    }

    fn pattern(&self, key: &str) -> Result<Option<Pattern>, Wrong> {
        let Some((text, span)) = self.text(key)? else { return Ok(None) };
        let wrong = |what| (span, format!("`{key}` is no regular expression: {what}"));
        Pattern::new(&text, self.ignore_case).map(Some).map_err(wrong)
    }

    fn template(
        &self,
        key: &str,
        pattern: Option<&Pattern>,
        ip: Spelling,
    ) -> Result<Template, Wrong> {
        let (text, span) = self.text(key)?.unwrap_or_default();
        Template::parse(&text, pattern, ip).map_err(|what| (span, what))
    }

    fn flag(&self, key: &str) -> Result<bool, Wrong> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(false),
            Some(DeValue::Boolean(on)) => Ok(*on),
            Some(_) => Err(self.wrong(key, &format!("`{key}` is on or off: write {key} = true"))),
        }
    }

    fn text(&self, key: &str) -> Result<Option<(String, Range<usize>)>, Wrong> {
        match self.table.get(key) {
            Some(value) => text(key, value).map(Some),
            None => Ok(None),
        }
    }

    /// One text, or a list of them.
    fn texts(&self, key: &str) -> Result<Vec<(String, Range<usize>)>, Wrong> {
        match self.table.get(key) {
            None => Ok(Vec::new()),
            Some(value) => match value.get_ref() {
                DeValue::Array(list) => list.iter().map(|value| text(key, value)).collect(),
                _ => Ok(vec![text(key, value)?]),
            },
        }
    }

    fn wrong(&self, key: &str, what: &str) -> Wrong {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        (span, what.into())
    }
}

fn text(key: &str, value: &Value<'_>) -> Result<(String, Range<usize>), Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok((text.to_string(), value.span())),
        _ => Err((value.span(), format!("`{key}` is a text: write {key} = '...'"))),
    }
}

fn unknown(key: &str) -> String {
    let near = KEYS
        .iter()
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match near {
        Some((likeness, name)) if likeness > 0.8 => {
            format!("a rule has no `{key}`; did you mean `{name}`?")
        }
        _ => format!("a rule has no `{key}`; it has {}", KEYS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_line_and_says_what_to_write() {
        for (content, line, what) in [
            (
                "[[rule]]\nmatch = '('\nstop = true",
                2,
                "`match` is no regular expression: unclosed group",
            ),
            (
                "\n[[rule]]\nmatsch = 'x'\nstop = true",
                3,
                "a rule has no `matsch`; did you mean `match`?",
            ),
            (
                "[[rule]]\nmatch = 'x'",
                1,
                "the rule does nothing: it needs `rewrite`, `alias`, `deny` or `stop`",
            ),
            ("[[rule]]\nrewrite = 'x'", 2, "`rewrite` replaces what `match` finds: it needs one"),
            (
                "[[rule]]\nmatch = 'x'\nrewrite = '{1}'",
                3,
                "there is no group {1}: `match` has 0 in parentheses, and {0} is all of it",
            ),
            (
                "[[rule]]\nalias = 'x'\ndeny = 'x'",
                3,
                "a rule has one of `alias` and `deny`, not both",
            ),
            ("[[rule]]\nalias = []", 2, "`alias` names no file"),
            ("[[rule]]\nalias = 'x'\nevery = true", 3, "`every` goes with `rewrite`"),
            ("[[rule]]\nstop = 1", 2, "`stop` is on or off: write stop = true"),
            ("[[rule]]\nstop = true\nrestart = true", 3, "a rule cannot both stop and restart"),
            ("[[rule]]\ndeny = ''\nrestart = true", 3, "after `alias` and `deny` nothing comes"),
            (
                "[[rule]]\nstop = true\noperation = 'get'",
                3,
                "`get` is no operation: use read, write or mail",
            ),
            (
                "[[rule]]\nstop = true\nclient = ['10.0.0.0/8',\n'10/8']",
                4,
                "`10/8` is no network: use a network such as 192.0.2.0/24 or 2001:db8::/32, or an address",
            ),
            ("[[rule]]\nmatch = 7\nstop = true", 2, "`match` is a text: write match = '...'"),
            ("[rule]\nstop = true", 1, "each rule begins with a line `[[rule]]`"),
            ("match = 'x'", 1, "`match` belongs to a rule: put a line `[[rule]]` above it"),
            ("rules = 1", 1, "there is no `rules`; each rule begins with `[[rule]]`"),
        ] {
            let faults = read(content, false).expect_err(content);
            assert_eq!(faults, [MapFault { line: Some(line), what: what.into() }], "{content}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        for (content, expected) in [
            ("[[rule]]\nmatch = '('\n[[rule]]\nwat = 1\nstop = true\n", vec![2, 4]),
            ("[[rule]]\nmatch = \nwat = 1\n[[rule]\nstop = 1", vec![2, 4]),
        ] {
            let faults = read(content, false).expect_err(content);
            let mut lines: Vec<_> = faults.iter().filter_map(|fault| fault.line).collect();
            lines.sort_unstable();
            assert_eq!(lines, expected, "{content}");
        }
    }
}
