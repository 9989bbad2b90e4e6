//! One rule: whom it is about, what it looks for, and what it does.

use std::{fmt, net::IpAddr};

use tftp_core::{Mode, Operation};

use super::{
    pattern::{Groups, Pattern},
    template::Template,
};
use crate::{server::Network, storage::Wanted};

/// A rule, as a file has it.
#[derive(Debug)]
pub(super) struct Rule {
    /// Where it begins in its file.
    pub(super) line: usize,
    pub(super) kinds: Kinds,
    /// Whom it is about; nobody named: everybody.
    pub(super) clients: Vec<Network>,
    /// What the name must hold.
    pub(super) pattern: Option<Pattern>,
    /// What the name must not hold.
    pub(super) unless: Option<Pattern>,
    pub(super) action: Action,
    pub(super) then: Then,
}

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) mail: bool,
}

#[derive(Debug)]
pub(super) enum Action {
    /// Nothing, except for what comes then.
    Keep,
    /// Puts a text in place of what has matched.
    Rewrite(Template, Repeat),
    /// Puts one of several names in place of the whole: the first that there is.
    Alias(Vec<Template>),
    /// Refuses the request, with this text where there is one.
    Deny(Option<Template>),
}

/// How often something is put in place of what has matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// For the first match.
    Once,
    /// For every match in the name as it was.
    Every,
    /// Again and again from the beginning, as long as anything matches.
    UntilNone,
}

/// How it goes on after a rule that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Next,
    Stop,
    Restart,
}

/// Why a rule does not concern a request, whatever its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    Kind,
    Client,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "is about other operations",
            Self::Client => "is about other clients",
        })
    }
}

impl Kinds {
    /// Reading and writing files; not mail, whose names are people.
    pub(super) const FILES: Self = Self { read: true, write: true, mail: false };
    pub(super) const NONE: Self = Self { read: false, write: false, mail: false };

    fn contains(self, wanted: &Wanted<'_>) -> bool {
        match (wanted.mode, wanted.operation) {
            (Mode::Mail, _) => self.mail,
            (_, Operation::Read) => self.read,
            (_, Operation::Write) => self.write,
        }
    }
}

impl Rule {
    /// Whether the rule has to do with a request of this kind, by this client.
    pub(super) fn concerns(&self, wanted: &Wanted<'_>) -> Result<(), Elsewhere> {
        if !self.kinds.contains(wanted) {
            return Err(Elsewhere::Kind);
        }
        if !self.clients.is_empty() && !self.is_about(wanted.client) {
            return Err(Elsewhere::Client);
        }
        Ok(())
    }

    fn is_about(&self, client: IpAddr) -> bool {
        self.clients.iter().any(|network| network.contains(client))
    }

    /// Whether the rule fits a name, and where.
    pub(super) fn find(&self, name: &[u8]) -> Option<Groups> {
        if self.unless.as_ref().is_some_and(|unless| unless.is_match(name)) {
            return None;
        }
        match &self.pattern {
            Some(pattern) => pattern.find(name, 0),
            None => Some(Groups::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_those_that_it_names() {
        let rule = |kinds, clients: &[&str]| Rule {
            line: 1,
            kinds,
            clients: clients.iter().map(|text| text.parse().unwrap()).collect(),
            pattern: None,
            unless: None,
            action: Action::Keep,
            then: Then::Next,
        };
        let wanted = |operation, mode, client: &str| Wanted {
            client: client.parse().unwrap(),
            operation,
            name: b"x",
            mode,
            announced: None,
            listener: None,
            file: None,
        };
        let read = wanted(Operation::Read, Mode::Octet, "192.0.2.1");
        let write = wanted(Operation::Write, Mode::Netascii, "2001:db8::1");
        let mail = wanted(Operation::Write, Mode::Mail, "192.0.2.1");
        let only_read = Kinds { read: true, ..Kinds::NONE };
        let only_mail = Kinds { mail: true, ..Kinds::NONE };
        let (kind, client) = (Err(Elsewhere::Kind), Err(Elsewhere::Client));
        for (rule, expected) in [
            (rule(Kinds::FILES, &[]), [Ok(()), Ok(()), kind]),
            (rule(only_read, &[]), [Ok(()), kind, kind]),
            (rule(only_mail, &[]), [kind, kind, Ok(())]),
            (rule(Kinds::FILES, &["192.0.2.0/24"]), [Ok(()), client, kind]),
            (rule(Kinds::FILES, &["10.0.0.0/8", "2001:db8::/32"]), [client, Ok(()), kind]),
            (rule(only_mail, &["10.0.0.0/8"]), [kind, kind, client]),
        ] {
            assert_eq!([&read, &write, &mail].map(|wanted| rule.concerns(wanted)), expected);
        }
    }
}
