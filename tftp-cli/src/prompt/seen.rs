//! Hosts and names that were typed before, in this run or an earlier one.

use std::collections::BTreeSet;

use crate::{
    command::{self, transfer},
    word,
};

/// What completion offers of them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Servers, as `connect` takes them.
    pub(super) hosts: BTreeSet<String>,
    /// Files on servers, as `get` takes them.
    pub(super) names: BTreeSet<String>,
}

impl Seen {
    /// Learns from a line of the prompt. One that makes no sense teaches nothing.
    pub(super) fn learn(&mut self, line: &str) {
        let Ok(words) = word::split(line.as_bytes()) else { return };
        let Ok(Some(command)) = command::parse(&words) else { return };
        match command {
            command::Command::Connect(host) => self.learn_host(&host.name),
            command::Command::Get(files) => {
                let names = transfer::names_of_get(&words);
                self.names.extend(names.filter_map(|name| name.to_str()).map(str::to_owned));
                for host in files.iter().filter_map(|file| file.remote.host.as_ref()) {
                    self.learn_host(&host.name);
                }
            }
            _ => {}
        }
    }

    pub(super) fn learn_host(&mut self, host: &str) {
        self.hosts.insert(host.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn hosts_and_names_are_learnt_from_what_was_typed() {
        let mut seen = Seen::default();
        for line in ["connect boot 69", "get a/b c", "get -a 'd e' f", "get h:x", "bogus", "get '"]
        {
            seen.learn(line);
        }
        assert_eq!(seen.hosts.iter().collect::<Vec<_>>(), ["boot", "h"]);
        assert_eq!(seen.names.iter().collect::<Vec<_>>(), ["a/b", "d e", "f", "h:x"]);
    }
}
