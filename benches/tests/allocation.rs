//! tftp-core never allocates: no packet, no block, no session.

use tftp_benches::scenarios::ALL;

#[test]
fn nothing_that_the_core_does_allocates() {
    for scenario in ALL {
        let allocated = allocation_counter::measure(|| (scenario.run)(1000));
        assert_eq!(allocated.count_total, 0, "{}", scenario.name);
    }
}

/// Otherwise the test above would say nothing.
#[test]
fn an_allocation_is_counted() {
    let allocated = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(allocated.count_total, 1);
}
