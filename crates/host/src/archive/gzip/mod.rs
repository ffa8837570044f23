//! gzip: one member, deterministic, written by several threads; read back with nothing allowed behind it.
//!
//! The writer cuts its input into blocks of [`BLOCK`] bytes and deflates each by itself, so the result depends on
//! the input alone. Blocks that are compressed already are stored, which is what makes bundles of vendor files quick.
//! RFC 1952 gives the frame, RFC 1951 the blocks; every block ends byte-aligned (an empty stored block, zlib's
//! "sync flush"), so blocks made side by side join into one stream that any gunzip reads.

#[cfg(feature = "net")]
mod block;
mod reader;
#[cfg(feature = "net")]
mod writer;

pub use reader::Reader;
#[cfg(feature = "net")]
pub use writer::{BlockWriter, write};

/// Bytes of input a block holds. Part of the format: another value gives other bytes.
#[cfg(feature = "net")]
pub const BLOCK: usize = 1 << 20;
