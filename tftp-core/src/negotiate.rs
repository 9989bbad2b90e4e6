//! Option negotiation (RFC 2347) as pure policy: what a server grants, what a client accepts.

use crate::{
    error::{ErrorCode, Misconduct},
    numbers::Rollover,
    options::{OptionKind, OptionSet, Options, parse_decimal},
    request::{Mode, Operation, Request},
    values::{BlockSize, FineTimeout, MsftWindow, Timeout, WindowSize},
    wire::OptionAck,
};

/// What a server is willing to agree to. Plain data for an operator to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The options that are negotiated at all; any other is left out of the answer.
    pub options: OptionSet,
    /// The largest `blksize` granted; a larger wish is lowered to it.
    pub max_block_size: BlockSize,
    /// The largest `windowsize` granted; a larger wish is lowered to it.
    pub max_window_size: WindowSize,
    /// The longest file accepted in a write request that announces its `tsize`, in bytes. `None`:
    /// any that 64 bits can count.
    pub max_upload: Option<u64>,
    /// Whether mail mode is accepted for write requests.
    pub mail: bool,
}

impl Default for Limits {
    /// Everything that the RFCs allow, with windows of at most 64 blocks, and no mail.
    fn default() -> Self {
        Self {
            options: OptionSet::STANDARD,
            max_block_size: BlockSize::MAX,
            max_window_size: WindowSize::new(64).unwrap_or(WindowSize::LOCK_STEP),
            max_upload: None,
            mail: false,
        }
    }
}

/// Why a request is refused by policy. Answer with an ERROR of this [code](Self::code) and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// RFC 1350 section 1: "mail [...] should be used with a WRQ only".
    #[error("mail mode is for write requests only")]
    MailRead,
    /// Mail mode is not accepted here.
    #[error("mail mode is not accepted here")]
    Mail,
    /// The announced `tsize` is larger than what is accepted.
    #[error("the file is larger than is taken here")]
    TooLarge,
}

impl Refusal {
    /// The code of the ERROR to answer with.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::MailRead | Self::Mail => ErrorCode::ILLEGAL_OPERATION,
            Self::TooLarge => ErrorCode::DISK_FULL,
        }
    }
}

impl Limits {
    /// Decides which of the request's options are granted, in the request's order.
    ///
    /// `size` is the length in bytes of what a read will deliver, where it is known exactly:
    /// `None` for a netascii read, whose encoded length is not the file's. It does not matter for
    /// writes. Give the answer to [`Sender::reply`](crate::Sender::reply) or
    /// [`Receiver::reply`](crate::Receiver::reply).
    ///
    /// # Errors
    /// When the request must be answered with an ERROR instead.
    pub fn answer(&self, request: &Request<'_>, size: Option<u64>) -> Result<Options, Refusal> {
        match (request.mode, request.operation) {
            (Mode::Mail, Operation::Read) => return Err(Refusal::MailRead),
            (Mode::Mail, Operation::Write) if !self.mail => return Err(Refusal::Mail),
            (Mode::Octet | Mode::Netascii | Mode::Mail, Operation::Read | Operation::Write) => {}
        }
        // What 64 bits do not hold was read as the largest number that they do.
        let most = self.max_upload.unwrap_or(u64::MAX).min(u64::MAX - 1);
        if request.operation == Operation::Write
            && request.options.transfer_size().is_some_and(|bytes| bytes > most)
        {
            return Err(Refusal::TooLarge);
        }
        let wanted = request.options.iter().filter(|&(kind, _)| self.options.contains(kind));
        Ok(wanted.fold(Options::NONE, |granted, (kind, _)| {
            self.grant(kind, request, size, granted).unwrap_or(granted)
        }))
    }

    /// Adds one option to what is granted; `None` leaves it out.
    fn grant(
        &self,
        kind: OptionKind,
        request: &Request<'_>,
        size: Option<u64>,
        granted: Options,
    ) -> Option<Options> {
        let asked = &request.options;
        // Two options may stand for one thing; the first one named decides.
        let sized = granted.block_size().or(granted.block_size2()).is_some();
        let timed = granted.interval().is_some();
        Some(match kind {
            OptionKind::BlockSize | OptionKind::BlockSize2 if sized => return None,
            OptionKind::Timeout | OptionKind::FineTimeout if timed => return None,
            OptionKind::BlockSize => {
                granted.with_block_size(asked.block_size()?.min(self.max_block_size))
            }
            OptionKind::BlockSize2 => {
                let most = asked.block_size2()?.min(self.max_block_size);
                granted.with_block_size2(BlockSize::new(1 << most.get().ilog2()).ok()?)
            }
            OptionKind::WindowSize => {
                granted.with_window_size(asked.window_size()?.min(self.max_window_size))
            }
            // U-Boot and EDK2 abort when the value comes back changed.
            OptionKind::Timeout => granted.with_timeout(asked.timeout()?),
            OptionKind::FineTimeout => granted.with_fine_timeout(asked.fine_timeout()?),
            OptionKind::TransferSize => granted.with_transfer_size(match request.operation {
                // An empty file is not announced: curl cannot fetch it after `tsize=0`.
                Operation::Read => size.filter(|&bytes| bytes > 0)?,
                Operation::Write => asked.transfer_size()?,
            }),
            OptionKind::Rollover => granted.with_rollover(asked.rollover()?),
            OptionKind::MsftWindow => match (request.operation, asked.msft_window()?) {
                (Operation::Read, MsftWindow::Asked) => {
                    let most = u8::try_from(self.max_window_size.get()).unwrap_or(u8::MAX);
                    granted.with_msft_window(MsftWindow::Granted { most })
                }
                (Operation::Read | Operation::Write, _) => return None,
            },
        })
    }
}

/// Holds a server's OACK against what was asked, and returns what is agreed.
///
/// RFC 2347 lets a server leave out any option but add none; RFC 2348 and 7440 let it lower a size
/// but not raise it; RFC 2349 makes it return `timeout` unchanged. `tsize` may be any number.
/// Where an option comes twice, both sides may take different ones (RFC 2347 has each once).
pub(crate) fn accept(asked: &Options, oack: OptionAck<'_>) -> Result<Options, Misconduct> {
    let mut agreed = Options::NONE;
    for (name, value) in oack.iter() {
        let kind = OptionKind::from_name(name)
            .filter(|&kind| asked.contains(kind))
            .ok_or(Misconduct::UnaskedOption)?;
        if agreed.contains(kind) {
            return Err(Misconduct::RepeatedOption);
        }
        let value = parse_decimal(value).ok_or(Misconduct::UnacceptableValue)?;
        let small = u16::try_from(value).ok();
        let size = small.and_then(|value| BlockSize::new(value).ok());
        agreed = match kind {
            OptionKind::BlockSize => size
                .filter(|&size| Some(size) <= asked.block_size())
                .map(|size| agreed.with_block_size(size)),
            OptionKind::BlockSize2 => size
                .filter(|&size| Some(size) <= asked.block_size2())
                .map(|size| agreed.with_block_size2(size)),
            OptionKind::WindowSize => small
                .and_then(|value| WindowSize::new(value).ok())
                .filter(|&size| Some(size) <= asked.window_size())
                .map(|size| agreed.with_window_size(size)),
            OptionKind::Timeout => u8::try_from(value)
                .ok()
                .and_then(|value| Timeout::new(value).ok())
                .filter(|&timeout| Some(timeout) == asked.timeout())
                .map(|timeout| agreed.with_timeout(timeout)),
            OptionKind::FineTimeout => u32::try_from(value)
                .ok()
                .and_then(|value| FineTimeout::new(value).ok())
                .filter(|&timeout| Some(timeout) == asked.fine_timeout())
                .map(|timeout| agreed.with_fine_timeout(timeout)),
            OptionKind::TransferSize => Some(agreed.with_transfer_size(value)),
            OptionKind::Rollover => match value {
                0 => Some(Rollover::ToZero),
                1 => Some(Rollover::ToOne),
                _ => None,
            }
            .filter(|&rollover| Some(rollover) == asked.rollover())
            .map(|rollover| agreed.with_rollover(rollover)),
            OptionKind::MsftWindow => {
                let granted = MsftWindow::Granted { most: u8::MAX };
                (small == Some(granted.magic())).then(|| agreed.with_msft_window(granted))
            }
        }
        .ok_or(Misconduct::UnacceptableValue)?;
    }
    // Garbage does no harm, but an option that is cut off counts for the server: with a smaller
    // block size than we believe, its first block would be taken for the last.
    let garbage = oack.garbage();
    let name = garbage.split(|&byte| byte == 0).next().unwrap_or_default();
    let is_cut_off = OptionKind::from_name(name)
        .is_some_and(|kind| asked.contains(kind) && !agreed.contains(kind));
    let is_nothing_else = agreed.is_empty() && garbage.iter().any(|&byte| byte != 0);
    if is_cut_off || is_nothing_else {
        return Err(Misconduct::UnacceptableValue);
    }
    Ok(agreed)
}
