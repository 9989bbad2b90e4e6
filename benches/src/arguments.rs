//! Values on the command lines of several programs.

use tftp_core::{BlockSize, WindowSize};

/// Parses a block size.
///
/// # Errors
/// When it is none, in words for who typed it.
pub fn block_size(text: &str) -> Result<BlockSize, String> {
    let bytes = text.parse().map_err(|_| "use a number from 8 to 65464")?;
    BlockSize::new(bytes).map_err(|error| error.to_string())
}

/// Parses a window size.
///
/// # Errors
/// When it is none, in words for who typed it.
pub fn window_size(text: &str) -> Result<WindowSize, String> {
    let blocks = text.parse().map_err(|_| "use a number from 1 to 65535")?;
    WindowSize::new(blocks).map_err(|error| error.to_string())
}
