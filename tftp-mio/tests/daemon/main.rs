//! `tftpd` as its clients and its operator see it: the real program on loopback, raw bytes in, raw
//! bytes out.
//!
//! The tests that are ignored take minutes or need root; `.ci/run` runs them too, or by hand:
//! `cargo test -p tftp-mio --test daemon -- --ignored`.
#![cfg(target_os = "linux")]

mod access;
mod addresses;
mod calls;
mod clock;
mod cold;
mod config;
mod confinement;
mod explaining;
mod fragments;
mod hostile;
mod hosts;
mod idle;
mod large;
mod limits;
mod log;
mod mail;
mod manager;
mod mapping;
mod metrics;
mod names;
mod negotiation;
mod netascii;
#[path = "../support/network.rs"]
mod network;
mod own_files;
mod peer;
mod ports;
mod preload;
mod races;
mod reads;
mod replaced;
mod requests;
#[path = "../support/tftpd.rs"]
mod server;
mod service;
mod single_port;
mod starting;
mod stopping;
mod uncut;
mod uploads;
mod workers;
mod writes;
