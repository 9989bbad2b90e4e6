//! Numbers that users type, read once for the command line and for the prompt.

use std::ops::RangeInclusive;

use tftp_core::{BlockSize, OutOfRange, Timeout, WindowSize};

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadValue {
    /// It is no whole number.
    #[error("`{text}` is not a whole number: {what} takes {} to {}", range.start(), range.end())]
    NotANumber {
        /// What was typed.
        text: String,
        /// What the number is for.
        what: &'static str,
        /// The numbers that are allowed.
        range: RangeInclusive<u64>,
    },
    /// It is too small or too large.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// It is no range of ports.
    #[error("`{0}` is not a range of ports: write FIRST-LAST, such as 20000-20100")]
    NotARange(String),
}

/// The block size in `text`.
pub(crate) fn block_size(text: &str) -> Result<BlockSize, BadValue> {
    let range = BlockSize::MIN.get().into()..=BlockSize::MAX.get().into();
    Ok(BlockSize::new(number("blksize", text, range)?)?)
}

/// The window size in `text`.
pub(crate) fn window_size(text: &str) -> Result<WindowSize, BadValue> {
    // A larger one would not be asked for.
    let most = WindowSize::LARGEST_SAFE.get().into();
    Ok(WindowSize::new(number("windowsize", text, 1..=most)?)?)
}

/// The seconds of a negotiated time-out in `text`.
pub(crate) fn timeout(text: &str) -> Result<Timeout, BadValue> {
    Ok(Timeout::new(number("timeout", text, 1..=255)?)?)
}

/// The number of retransmissions in `text`.
pub(crate) fn retries(text: &str) -> Result<u8, BadValue> {
    number("retries", text, 0..=255)
}

/// The UDP port in `text`.
pub(crate) fn port(text: &str) -> Result<u16, BadValue> {
    number("port", text, 1..=65535)
}

/// A range of UDP ports; tftp-hpa's `FIRST:LAST` and a single port are understood as well.
pub(crate) fn port_range(text: &str) -> Result<RangeInclusive<u16>, BadValue> {
    let (first, last) = text.split_once(['-', ':']).unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(BadValue::NotARange(text.to_owned()));
    }
    Ok(first..=last)
}

fn number<T: TryFrom<u64>>(
    what: &'static str,
    text: &str,
    range: RangeInclusive<u64>,
) -> Result<T, BadValue> {
    let Ok(value) = text.parse() else {
        let text = text.escape_debug().to_string();
        return Err(BadValue::NotANumber { text, what, range });
    };
    let in_range = range.contains(&value).then_some(value);
    let out_of_range =
        OutOfRange { option: what, value, least: *range.start(), most: *range.end() };
    let value = in_range.and_then(|value| T::try_from(value).ok());
    value.ok_or(BadValue::OutOfRange(out_of_range))
}

#[cfg(test)]
mod tests {
    use super::{block_size, port, port_range, retries, timeout, window_size};

    #[test]
    fn the_edges_of_each_range_are_allowed_and_no_more() {
        assert_eq!(block_size("8").unwrap().get(), 8);
        assert_eq!(block_size("65464").unwrap().get(), 65464);
        assert!(block_size("7").is_err() && block_size("65465").is_err());
        assert_eq!(window_size("32767").unwrap().get(), 32767);
        assert!(window_size("0").is_err() && window_size("32768").is_err());
        assert!(timeout("0").is_err() && timeout("256").is_err());
        assert_eq!(retries("0"), Ok(0));
        assert!(port("0").is_err() && port("65536").is_err());
    }

    #[test]
    fn an_error_says_what_is_allowed() {
        assert_eq!(
            block_size("70000").unwrap_err().to_string(),
            "70000 is out of range: blksize takes 8 to 65464"
        );
        assert_eq!(
            timeout("1.5").unwrap_err().to_string(),
            "`1.5` is not a whole number: timeout takes 1 to 255"
        );
    }

    #[test]
    fn a_range_of_ports_is_two_ports_in_order() {
        assert_eq!(port_range("20000-20100"), Ok(20000..=20100));
        assert_eq!(port_range("20000:20100"), Ok(20000..=20100));
        assert_eq!(port_range("20000"), Ok(20000..=20000));
        assert!(port_range("20100-20000").is_err());
        assert!(port_range("-20000").is_err());
    }
}
