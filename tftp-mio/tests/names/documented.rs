//! The examples of docs/names.md, as they stand there.
