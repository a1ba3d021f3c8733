//! The bytes of a snapshot: header, marker, records, end; compressed with gzip or not.
//!
//! ```text
//! snapshot = header (58 bytes) marker record* 00 count (8 bytes) BLAKE2b-256 of all before
//! record   = tag length (4 bytes) key length (4 bytes) value
//! ```
//!
//! A snapshot of the reference has the same header and then a tar archive; the marker tells them apart.

use super::SnapshotError;
use super::header::{Header, LENGTH};
use crate::store::Kind;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use soru_tezos::codec::{Decode, Encode};
use std::io::{self, BufReader, BufWriter, Read, Write};

/// What follows the header.
const MARKER: &[u8; 16] = b"soru snapshot 1\n";
/// Tag of the end.
const END: u8 = 0;
/// First bytes of what gzip wrote.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Most bytes of a key and of a value.
const MAX_KEY: u32 = 64;
const MAX_VALUE: u32 = 1 << 26;

/// Writes a snapshot.
pub struct SnapshotWriter<W: Write> {
    out: W,
    digest: blake2b_simd::State,
    count: u64,
}

fn hasher() -> blake2b_simd::State {
    blake2b_simd::Params::new().hash_length(32).to_state()
}

impl<W: Write> SnapshotWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: &Header) -> io::Result<SnapshotWriter<W>> {
        let mut writer = SnapshotWriter { out, digest: hasher(), count: 0 };
        writer.put(&header.to_bytes())?;
        writer.put(MARKER)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }

    fn chunk(&mut self, bytes: &[u8], most: u32) -> io::Result<()> {
        match u32::try_from(bytes.len()) {
            Ok(length) if length <= most => {
                self.put(&length.to_be_bytes())?;
                self.put(bytes)
            }
            _ => Err(io::Error::other("a record too large for a snapshot")),
        }
    }

    /// Writes a record.
    pub fn record(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.count += 1;
        self.put(&[kind as u8])?;
        self.chunk(key, MAX_KEY)?;
        self.chunk(value, MAX_VALUE)
    }

    /// Writes the end.
    pub fn finish(mut self) -> io::Result<W> {
        let count = self.count.to_be_bytes();
        self.put(&[END])?;
        self.put(&count)?;
        let digest = self.digest.finalize();
        self.out.write_all(digest.as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Where a snapshot is written to, compressed or not.
pub enum Output<W: Write> {
    /// As it is.
    Plain(BufWriter<W>),
    /// Compressed.
    Gzip(GzEncoder<W>),
}

impl<W: Write> Output<W> {
    /// The output over a file or a connection.
    pub fn new(out: W, compressed: bool) -> Output<W> {
        match compressed {
            true => Output::Gzip(GzEncoder::new(out, Compression::default())),
            false => Output::Plain(BufWriter::with_capacity(1 << 16, out)),
        }
    }

    /// Writes what is left and gives the file back.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Output::Plain(out) => out.into_inner().map_err(|e| e.into_error()),
            Output::Gzip(out) => out.finish(),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Plain(out) => out.write(bytes),
            Output::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Plain(out) => out.flush(),
            Output::Gzip(out) => out.flush(),
        }
    }
}

/// Reads a snapshot.
pub struct SnapshotReader {
    input: Box<dyn Read + Send>,
    digest: blake2b_simd::State,
    header: Header,
    compressed: bool,
    count: u64,
}

impl SnapshotReader {
    /// Reads the header; what comes after it may be of the reference.
    pub fn open(mut input: impl Read + Send + 'static) -> Result<SnapshotReader, SnapshotError> {
        let mut first = [0; 2];
        input.read_exact(&mut first).map_err(cut)?;
        let compressed = first == GZIP;
        let whole = io::Cursor::new(first).chain(input);
        let mut input: Box<dyn Read + Send> = match compressed {
            true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(whole))),
            false => Box::new(BufReader::with_capacity(1 << 16, whole)),
        };
        let mut bytes = [0; LENGTH];
        input.read_exact(&mut bytes).map_err(cut)?;
        let header = Header::from_bytes(&bytes).map_err(SnapshotError::Header)?;
        let mut digest = hasher();
        digest.update(&bytes);
        Ok(SnapshotReader { input, digest, header, compressed, count: 0 })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the file is compressed.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(cut)?;
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// Reads the marker of our own snapshots.
    pub fn expect_own(&mut self) -> Result<(), SnapshotError> {
        match self.take::<16>()? == *MARKER {
            true => Ok(()),
            false => Err(SnapshotError::NotOurs),
        }
    }

    /// A length that was not checked costs no memory: only what is there is read.
    fn chunk(&mut self, most: u32, bytes: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let length = u32::from_be_bytes(self.take()?);
        if length > most {
            return Err(SnapshotError::Corrupted("a record that is too long"));
        }
        bytes.clear();
        let read = (&mut self.input).take(u64::from(length)).read_to_end(bytes).map_err(cut)?;
        if read as u64 != u64::from(length) {
            return Err(SnapshotError::Truncated);
        }
        self.digest.update(bytes);
        Ok(())
    }

    /// Reads all records, then checks that the end is there and that nothing was changed on the way.
    pub fn records(
        mut self,
        mut each: impl FnMut(Kind, &[u8], &[u8]) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let (mut key, mut value) = (vec![], vec![]);
        loop {
            let tag = self.take::<1>()?[0];
            if tag == END {
                break;
            }
            let kind = Kind::of_tag(tag).ok_or(SnapshotError::Corrupted("a record of an unknown kind"))?;
            self.chunk(MAX_KEY, &mut key)?;
            self.chunk(MAX_VALUE, &mut value)?;
            each(kind, &key, &value)?;
            self.count += 1;
        }
        if u64::from_be_bytes(self.take()?) != self.count {
            return Err(SnapshotError::Corrupted("the number of records"));
        }
        let expected = self.digest.finalize();
        let mut digest = [0; 32];
        self.input.read_exact(&mut digest).map_err(cut)?;
        if expected.as_bytes() != digest {
            return Err(SnapshotError::Corrupted("the digest at its end"));
        }
        match self.input.read(&mut [0]).map_err(cut)? {
            0 => Ok(()),
            _ => Err(SnapshotError::Corrupted("bytes after its end")),
        }
    }
}

/// Why reading stopped.
fn cut(error: io::Error) -> SnapshotError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotError::Truncated,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => SnapshotError::Corrupted("its compression"),
        _ => SnapshotError::Read(error.to_string()),
    }
}
