//! Model checking: every interleaving of a small transfer of a real `Sender` to a real `Receiver`.
//!
//! The network loses, reorders, delays and duplicates without bound, timers go off at any moment,
//! and the two clocks have nothing to do with each other. What must hold in every state stands in
//! `transfer.rs`. The number of states is printed:
//!
//! ```text
//! cargo test -p tftp-core --test model
//! cargo test -p tftp-core --release --test model -- --ignored
//! ```

mod halves;
mod network;
mod transfer;

use std::{
    io::{Write, stdout},
    thread::available_parallelism,
    time::Instant,
};

use Opener::{Receiver, Sender};
use Order::{Any, Strict};
use Weather::{Boundless, Counted};
use halves::{BLOCK_SIZE, File, Opener, Setup};
use stateright::{Checker, HasDiscoveries, Model};
use tftp_core::{BlockSize, Options, Order, Timeout, WindowSize};
use transfer::{Transfer, Weather};

#[test]
fn a_transfer_from_its_opening_on() {
    check(OPENING, Receiver, 1, 3, Any, Boundless);
    check(OPENING, Sender, 1, 4, Any, Boundless);
    check(OPENING, Receiver, 2, 2, Any, Boundless);
    check(OPENING, Sender, 3, 3, Any, Boundless);
}

#[test]
fn a_transfer_across_the_rollover() {
    check(65_534, Sender, 1, 4, Any, Boundless);
    check(65_534, Receiver, 2, 3, Any, Boundless);
    check(65_535, Sender, 3, 3, Any, Boundless);
    check(65_535, Receiver, 2, 3, Strict, Boundless);
}

#[test]
fn where_copies_and_time_outs_are_counted() {
    check(65_534, Receiver, 1, 3, Any, Counted { copies: 1, expiries: 1 });
    check(65_534, Receiver, 2, 3, Any, Counted { copies: 0, expiries: 0 });
    check(65_535, Sender, 3, 2, Any, Counted { copies: 0, expiries: 1 });
}

#[test]
#[ignore = "takes a minute in a release build; .ci/run does it"]
fn longer_transfers() {
    for opener in [Receiver, Sender] {
        check(OPENING, opener, 1, 8, Any, Boundless);
        check(OPENING, opener, 2, 4, Any, Boundless);
        check(OPENING, opener, 3, 4, Any, Boundless);
        check(OPENING, opener, 3, 3, Strict, Boundless);
    }
    check(65_530, Receiver, 1, 10, Any, Boundless);
    check(65_532, Sender, 2, 7, Any, Boundless);
    check(65_532, Receiver, 3, 6, Any, Boundless);
    check(65_534, Sender, 3, 3, Strict, Boundless);
    check(65_535, Receiver, 3, 3, Strict, Boundless);
    check(65_534, Receiver, 1, 4, Any, Counted { copies: 2, expiries: 1 });
    check(65_534, Sender, 2, 3, Any, Counted { copies: 1, expiries: 0 });
    check(65_535, Receiver, 3, 3, Any, Counted { copies: 0, expiries: 0 });
}

/// Where the model begins: with the opening, or when so many blocks have been acknowledged.
type Begin = u64;
const OPENING: Begin = 0;

/// Checks a transfer of so many blocks, the last one short.
#[track_caller]
fn check(begin: Begin, opener: Opener, window: u16, blocks: u64, order: Order, weather: Weather) {
    let options = Options::NONE
        .with_block_size(BlockSize::new(BLOCK_SIZE).unwrap())
        .with_window_size(WindowSize::new(window).unwrap())
        .with_timeout(Timeout::new(TIMEOUT).unwrap());
    let len = (begin + blocks - 1) * u64::from(BLOCK_SIZE) + 3;
    let setup = Setup { opener, options, order, file: File { len } };
    let transfer = match begin {
        OPENING => Transfer::opening(setup, weather),
        begin => Transfer::from_block(setup, weather, begin),
    };

    let start = Instant::now();
    let threads = available_parallelism().map_or(1, Into::into);
    let checker = transfer
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    // Not `println`, which the test runner keeps to itself.
    let mut terminal = stdout().lock();
    writeln!(
        terminal,
        "model: {blocks} blocks after {begin}, {opener:?} asks, windowsize {window}, {order:?}, \
         {weather:?}: {} states, {} steps, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        start.elapsed(),
    )
    .unwrap();
    checker.assert_properties();
}

/// As long as a silent peer is kept, so that there are few retries and few states.
const TIMEOUT: u8 = 60;
