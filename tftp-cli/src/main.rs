//! The prompt client.
fn main() {}
