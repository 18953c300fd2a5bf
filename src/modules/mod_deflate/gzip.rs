//! The two transformers: gzip's format on (RFC 1952), and off again.

use super::config::Deflate;
use crate::{
    engine::{Table, filter::Transform},
    policy::SaidExt,
};
use bstr::BString;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;

/// What Apache writes: no name, no time, made on Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// The names of the notes that DeflateFilterNote asks for.
#[derive(Clone, Debug, Default)]
struct Notes {
    input: Option<BString>,
    output: Option<BString>,
    ratio: Option<BString>,
}

impl Notes {
    fn of(conf: &Deflate) -> Notes {
        Notes {
            input: conf.note_input.value().cloned(),
            output: conf.note_output.value().cloned(),
            ratio: conf.note_ratio.value().cloned(),
        }
    }

    fn write(&self, notes: &mut Table, read: u64, written: u64) {
        let mut set = |name: &Option<BString>, value: String| {
            if let Some(name) = name {
                notes.set(name, value);
            }
        };
        set(&self.input, if read > 0 { read.to_string() } else { "-".into() });
        set(&self.output, if written > 0 { written.to_string() } else { "-".into() });
        let ratio = (written * 100).checked_div(read);
        set(&self.ratio, ratio.map_or_else(|| "-".into(), |ratio| ratio.to_string()));
    }
}

/// Compresses.
#[derive(Debug)]
pub struct Gzip {
    zlib: Compress,
    crc: Crc,
    begun: bool,
    holds: usize,
    notes: Notes,
}

impl Gzip {
    /// With the settings of a server.
    pub fn new(conf: &Deflate) -> Gzip {
        let level = conf.level.value().map_or(Compression::default(), |level| Compression::new(*level));
        let window = conf.window.value_or(15).clamp(9, 15);
        Gzip {
            zlib: Compress::new_with_window_bits(level, false, window),
            crc: Crc::new(),
            begun: false,
            holds: HEADER.len() + conf.buffer.value_or(8096),
            notes: Notes::of(conf),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&HEADER);
        }
    }

    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            out.reserve(4096);
            let before = self.zlib.total_in();
            let status = self.zlib.compress_vec(bytes, out, flush).map_err(io::Error::other)?;
            let used = usize::try_from(self.zlib.total_in() - before).unwrap_or(bytes.len());
            bytes = &bytes[used.min(bytes.len())..];
            let full = out.len() == out.capacity();
            if status == Status::StreamEnd || (bytes.is_empty() && !full && flush == FlushCompress::None) {
                return Ok(());
            }
        }
    }
}

impl Transform for Gzip {
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.crc.update(bytes);
        self.run(bytes, FlushCompress::None, out)
    }

    fn end(&mut self, notes: &mut Table, out: &mut Vec<u8>) -> io::Result<()> {
        self.begin(out);
        self.run(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
        self.notes.write(notes, self.zlib.total_in(), self.zlib.total_out());
        Ok(())
    }

    fn holds(&self) -> usize {
        self.holds
    }
}

/// Takes gzip's encoding off.
#[derive(Debug)]
pub struct Gunzip {
    zlib: Decompress,
    crc: Crc,
    /// What came of the header, and after the data of the trailer.
    around: Vec<u8>,
    stage: Stage,
    holds: usize,
    notes: Notes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Data,
    Trailer,
}

impl Gunzip {
    /// With the settings of a server.
    pub fn new(conf: &Deflate) -> Gunzip {
        Gunzip {
            zlib: Decompress::new(false),
            crc: Crc::new(),
            around: Vec::new(),
            stage: Stage::Header,
            holds: conf.buffer.value_or(8096),
            notes: Notes::of(conf),
        }
    }

    fn data(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            out.reserve(8192);
            let (from, before) = (out.len(), self.zlib.total_in());
            let status =
                self.zlib.decompress_vec(bytes, out, FlushDecompress::None).map_err(io::Error::other)?;
            let used = usize::try_from(self.zlib.total_in() - before).unwrap_or(bytes.len());
            bytes = &bytes[used.min(bytes.len())..];
            self.crc.update(&out[from..]);
            if status == Status::StreamEnd {
                self.stage = Stage::Trailer;
                self.around = bytes.to_vec();
                return Ok(());
            }
            if bytes.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}

/// How long the header is, once it is complete (RFC 1952 section 2.3).
fn header_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some([id1, id2, method, flags, ..]) = bytes.get(..HEADER.len()) else { return Ok(None) };
    if [*id1, *id2, *method] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut at = HEADER.len();
    if flags & 4 != 0 {
        let Some([low, high]) = bytes.get(at..at + 2) else { return Ok(None) };
        at += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|&byte| byte == 0) else { return Ok(None) };
            at += end + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    Ok((bytes.len() >= at).then_some(at))
}

/// Longest header that is waited for.
const LONGEST: usize = 70 * 1024;

impl Transform for Gunzip {
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self.stage {
            Stage::Data => self.data(bytes, out),
            Stage::Trailer => {
                let room = 8usize.saturating_sub(self.around.len()).min(bytes.len());
                self.around.extend_from_slice(&bytes[..room]);
                Ok(())
            }
            Stage::Header => {
                self.around.extend_from_slice(bytes);
                let Some(length) = header_length(&self.around)? else {
                    let long = self.around.len() > LONGEST;
                    return if long { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) };
                };
                self.stage = Stage::Data;
                let data = std::mem::take(&mut self.around);
                self.data(&data[length..], out)
            }
        }
    }

    fn end(&mut self, notes: &mut Table, _: &mut Vec<u8>) -> io::Result<()> {
        let expected = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()].concat();
        if self.stage != Stage::Trailer || self.around.get(..8) != Some(&expected[..]) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.notes.write(notes, self.zlib.total_in(), self.zlib.total_out());
        Ok(())
    }

    fn holds(&self) -> usize {
        self.holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(filter: &mut dyn Transform, content: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        for bytes in content.chunks(piece) {
            filter.take(bytes, &mut out)?;
        }
        filter.end(&mut Table::new(), &mut out)?;
        Ok(out)
    }

    #[test]
    fn there_and_back_in_pieces_of_any_size() {
        let conf = Deflate::default();
        let content: Vec<u8> =
            (0..200_000u32).flat_map(|n| ((n / 7).wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        for (there, back) in [(1 << 20, 7000), (999, 1 << 20), (16384, 13)] {
            let packed = through(&mut Gzip::new(&conf), &content, there).unwrap();
            assert!(packed.len() < content.len());
            assert!(through(&mut Gunzip::new(&conf), &packed, back).unwrap() == content);
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let conf = Deflate::default();
        let packed = through(&mut Gzip::new(&conf), b"some text, some text", 100).unwrap();
        assert!(through(&mut Gunzip::new(&conf), b"<html></html>", 100).is_err());
        assert!(through(&mut Gunzip::new(&conf), &packed[..packed.len() - 1], 100).is_err());
        for at in [0, 12, packed.len() - 3] {
            let mut bad = packed.clone();
            bad[at] ^= 0x55;
            assert!(through(&mut Gunzip::new(&conf), &bad, 3).is_err(), "{at}");
        }
    }
}
