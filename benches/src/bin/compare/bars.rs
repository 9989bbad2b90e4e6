//! Bars: what our figures are to be, beside those of others in the same rounds.

use crate::{run::Figures, servers::Server, workloads::Contestant};

/// A bar for our server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// Processor time of the server at most so many times the rival's.
    Cpu(f64, Rival),
    /// Throughput at least so many times the rival's.
    Throughput(f64, Rival),
    /// At most so many system calls a block.
    Calls(f64),
    /// No client had to repeat its request.
    NoRequestRepeated,
    /// Processor time per datagram with the last contestant's load at most so many times that with
    /// the first one's.
    CpuPerDatagram(f64),
}

/// Whom a bar compares with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rival {
    Floor,
    Peer(Server),
    /// The one of the peers that is best at it.
    BestPeer,
    /// Ours with other options: the contestant of this label.
    Ourselves(&'static str),
}

/// What became of a bar.
pub(crate) struct Verdict {
    pub(crate) met: bool,
    pub(crate) text: String,
}

/// A contestant and its figures.
pub(crate) type Row<'a> = (&'a Contestant, &'a Figures);

impl Bar {
    /// Holds the bar against the figures; the first row is ours.
    pub(crate) fn judge(self, rows: &[Row<'_>]) -> Verdict {
        let (Some(&(_, ours)), Some(&(_, last))) = (rows.first(), rows.last()) else {
            return Verdict { met: false, text: "nothing was measured".into() };
        };
        match self {
            Self::Cpu(most, rival) => {
                let Some((name, cpu)) = rival.least(rows, |figures| figures.cpu_seconds) else {
                    return unknown(rival);
                };
                at_most("CPU", ours.cpu_seconds / cpu, most, &name)
            }
            Self::Throughput(bar, rival) => {
                let Some((name, seconds)) = rival.least(rows, |figures| figures.seconds) else {
                    return unknown(rival);
                };
                let ratio = seconds / ours.seconds;
                let text = format!("throughput {ratio:.2} x {name}'s, at least {bar}");
                Verdict { met: ratio >= bar, text }
            }
            Self::Calls(most) => match ours.calls_per_block {
                Some(calls) => Verdict {
                    met: calls <= most,
                    text: format!("{calls:.3} system calls a block, at most {most}"),
                },
                None => Verdict { met: false, text: "system calls were not counted".into() },
            },
            Self::NoRequestRepeated => Verdict {
                met: ours.requests_repeated == 0.0,
                text: format!("{} requests repeated, at most 0", ours.requests_repeated),
            },
            Self::CpuPerDatagram(most) => {
                let ratio = last.cpu_per_datagram() / ours.cpu_per_datagram();
                at_most("CPU per datagram", ratio, most, "the smaller crowd")
            }
        }
    }
}

impl Rival {
    /// The rival's name and its figure; of several the one with the least.
    fn least(self, rows: &[Row<'_>], figure: impl Fn(&Figures) -> f64) -> Option<(String, f64)> {
        rows.iter()
            .filter(|(contestant, figures)| figures.is_whole() && self.is(contestant))
            .map(|(contestant, figures)| (contestant.label.clone(), figure(figures)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    fn is(self, contestant: &Contestant) -> bool {
        match self {
            Self::Floor => contestant.server == Server::Floor,
            Self::Peer(peer) => contestant.server == peer,
            Self::BestPeer => contestant.server.is_peer(),
            Self::Ourselves(label) => contestant.label == label,
        }
    }
}

fn at_most(what: &str, ratio: f64, most: f64, name: &str) -> Verdict {
    Verdict { met: ratio <= most, text: format!("{what} {ratio:.2} x {name}'s, at most {most}") }
}

fn unknown(rival: Rival) -> Verdict {
    Verdict { met: false, text: format!("{rival:?} was not measured") }
}
