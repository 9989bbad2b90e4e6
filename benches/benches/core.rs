//! What tftp-core costs per packet, block and KiB of text, without any I/O.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tftp_benches::scenarios::ALL;

criterion_group!(benches, scenarios);
criterion_main!(benches);

/// Turns of a measured run: what a session's beginning costs disappears among them.
const TURNS: u32 = 4096;

/// The time is that of so many turns, the throughput tells the turns a second.
fn scenarios(c: &mut Criterion) {
    for scenario in ALL {
        let mut group = c.benchmark_group(scenario.name);
        group.throughput(Throughput::Elements(TURNS.into()));
        group.bench_function(format!("{TURNS} {}s", scenario.unit), |b| {
            b.iter(|| (scenario.run)(TURNS));
        });
        group.finish();
    }
}
