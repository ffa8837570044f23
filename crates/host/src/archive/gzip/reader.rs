//! The reading side: exactly one member, checksum verified, nothing behind it.

use std::io::{self, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Decompresses one gzip member; bytes behind it are an error, since a bundle holds none.
#[derive(Debug)]
pub struct Reader<R: Read> {
    decoder: GzDecoder<BufReader<R>>,
}

impl<R: Read> Reader<R> {
    /// Reads the member that `inner` is.
    pub fn new(inner: R) -> Self {
        Self { decoder: GzDecoder::new(BufReader::with_capacity(64 * 1024, inner)) }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let mut behind = [0];
            if self.decoder.get_mut().read(&mut behind)? != 0 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "there are bytes behind the gzip member",
                ));
            }
        }
        Ok(count)
    }
}
