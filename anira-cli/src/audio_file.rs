//! Audio files: WAV and FLAC in, 32-bit float WAV out, never half-written.

use std::fs::File;
use std::io::{BufWriter, Read, Seek};
use std::path::Path;

use anira::{Error, ErrorKind, Result};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::codecs::{FlacDecoder, PcmDecoder};
use symphonia::default::formats::{FlacReader, WavReader};

use crate::whole_file::WholeFile;

/// The bytes of samples that a WAV file can hold: its lengths have 32 bits.
const LARGEST_WAV: u64 = u32::MAX as u64 - 4096;

/// The highest sample rate that a host may announce.
const FASTEST: u32 = 10_000_000;

/// A file's samples: planar, each from -1 to 1 where the file holds integers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recording {
    /// Samples per second.
    pub(crate) rate: u32,
    /// One vector per channel, all of one length.
    pub(crate) channels: Vec<Vec<f32>>,
}

impl Recording {
    /// Samples per channel.
    pub(crate) fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// Reads a WAV or a FLAC file, whole.
    ///
    /// # Errors
    /// `NotFound` or `Io` with the path: also for a file that is neither, is cut short, or holds NaN or infinity.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        quietly(|| read(path)).map_err(|error| error.at(path.display().to_string()))
    }
}

/// A decoder that panics over a malformed file says no more than one that refuses it. Runs before any other thread.
fn quietly(read: impl FnOnce() -> Result<Recording> + std::panic::UnwindSafe) -> Result<Recording> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(read);
    std::panic::set_hook(hook);
    outcome.unwrap_or_else(|_| Err(unreadable("is malformed: its header holds numbers that cannot be")))
}

fn read(path: &Path) -> Result<Recording> {
    let mut file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(unreadable("is a folder; name a WAV or FLAC file"));
    }
    let mut marker = [0; 12];
    let known = read_up_to(&mut file, &mut marker)?;
    file.rewind()?;
    let source = MediaSourceStream::new(Box::new(file), Default::default());
    let options = FormatOptions::default;
    match (&marker[..4], &marker[8..]) {
        _ if known == 0 => Err(unreadable("is empty; name a WAV or FLAC file")),
        (b"RIFF", b"WAVE") => {
            let wav = WavReader::try_new(source, options()).map_err(|fault| header("WAV", &fault))?;
            decode(wav, |p, o| Ok(Box::new(PcmDecoder::try_new(p, o)?)))
        }
        (b"fLaC", _) => {
            let flac = FlacReader::try_new(source, options()).map_err(|fault| header("FLAC", &fault))?;
            decode(flac, |p, o| Ok(Box::new(FlacDecoder::try_new(p, o)?)))
        }
        (b"RIFF", _) if known < 12 => Err(unreadable("ends within the WAV header")),
        (b"RF64" | b"RIFX" | b"BW64", _) => {
            Err(unreadable("is a WAV variant that is not read: save it as plain WAV or FLAC"))
        }
        _ => Err(unreadable("is neither WAV nor FLAC: its first bytes are those of another format")),
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8; 12]) -> Result<usize> {
    let mut start = Vec::with_capacity(12);
    file.take(12).read_to_end(&mut start)?;
    buffer[..start.len()].copy_from_slice(&start);
    Ok(start.len())
}

type Params = symphonia::core::codecs::audio::AudioCodecParameters;
type MakeDecoder = fn(&Params, &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>, Fault>;

fn decode(mut reader: impl FormatReader, decoder: MakeDecoder) -> Result<Recording> {
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| unreadable("holds no audio"))?;
    let params = track.codec_params.as_ref().and_then(|p| p.audio());
    let params = params.ok_or_else(|| unreadable("holds no audio"))?.clone();
    let count = params.channels.as_ref().map_or(0, |c| c.count());
    let rate = params.sample_rate.unwrap_or(0);
    if !(1..=FASTEST).contains(&rate) {
        return Err(unreadable(format!("says {rate} Hz in its header; 1 to {FASTEST} Hz can be processed")));
    }
    if count == 0 {
        return Err(unreadable("says 0 channels in its header"));
    }
    let stated = track.num_frames.ok_or_else(|| {
        unreadable("does not say its length in its header (it was written to a pipe?): save it again")
    })?;
    let mut options = AudioDecoderOptions::default();
    options.verify = true;
    let mut decoder = decoder(&params, &options).map_err(|fault| header("audio", &fault))?;
    let mut channels: Vec<Vec<f32>> = vec![Vec::new(); count];
    let mut chunk: Vec<Vec<f32>> = Vec::new();
    loop {
        let so_far = channels[0].len();
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Fault::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(fault) => return Err(in_data(so_far, &fault)),
        };
        let samples = decoder.decode(&packet).map_err(|fault| in_data(so_far, &fault))?;
        samples.copy_to_vecs_planar::<f32>(&mut chunk);
        if chunk.len() != count {
            return Err(unreadable("changes its number of channels midway"));
        }
        for (channel, (all, new)) in channels.iter_mut().zip(&chunk).enumerate() {
            if let Some(bad) = new.iter().position(|x| !x.is_finite()) {
                let (value, frame) = (new[bad], so_far + bad);
                return Err(not_finite(value, frame, channel, rate));
            }
            all.extend_from_slice(new);
        }
    }
    let found = channels[0].len() as u64;
    if found < stated {
        return Err(unreadable(format!(
            "is cut short: its header says {stated} frames, {found} could be read"
        )));
    }
    if decoder.finalize().verify_ok == Some(false) {
        return Err(unreadable("is damaged: its samples do not match the checksum in its header"));
    }
    Ok(Recording { rate, channels })
}

fn unreadable(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Io, message)
}

fn header(format: &str, fault: &Fault) -> Error {
    match fault {
        Fault::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            unreadable(format!("ends within its {format} header"))
        }
        fault => unreadable(format!("cannot be read as {format}: {fault}")),
    }
}

fn in_data(frame: usize, fault: &Fault) -> Error {
    unreadable(format!("is damaged after frame {frame}: {fault}"))
}

fn not_finite(value: f32, frame: usize, channel: usize, rate: u32) -> Error {
    let seconds = frame as f64 / f64::from(rate);
    unreadable(format!(
        "frame {frame} ({seconds:.3} s), channel {}: the sample is {value}; only finite numbers can be processed",
        channel + 1
    ))
}

/// Writes a 32-bit float WAV that appears in its place only when it is whole.
pub(crate) struct WavSink {
    file: WholeFile,
    writer: hound::WavWriter<BufWriter<File>>,
}

impl WavSink {
    /// Starts a file of `frames` frames. An existing file of that name stays until [`finish`](Self::finish).
    ///
    /// # Errors
    /// `Io` or `NotFound` with the path; `Unsupported` if a WAV file cannot hold so much.
    pub(crate) fn create(target: &Path, rate: u32, channels: usize, frames: usize) -> Result<Self> {
        let at = |error: Error| error.at(target.display().to_string());
        let bytes = frames as u64 * channels as u64 * 4;
        let (Ok(count), true) = (u16::try_from(channels), bytes <= LARGEST_WAV) else {
            let message =
                format!("{frames} frames of {channels} channels are more than a WAV file holds (4 GiB)");
            return Err(at(Error::new(ErrorKind::Unsupported, message)));
        };
        let spec = hound::WavSpec {
            channels: count,
            sample_rate: rate,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let file = WholeFile::create(target)?;
        let writer =
            hound::WavWriter::new(BufWriter::new(file.handle()?), spec).map_err(|e| at(unwritten(e)))?;
        Ok(Self { file, writer })
    }

    /// Appends frames `from` to `to` of a planar block.
    ///
    /// # Errors
    /// `Io` with the path.
    pub(crate) fn write(&mut self, planar: &[Vec<f32>], from: usize, to: usize) -> Result<()> {
        for frame in from..to {
            for channel in planar {
                let sample = channel.get(frame).copied().unwrap_or_default();
                self.writer.write_sample(sample).map_err(|e| unwritten(e).at(self.file.name()))?;
            }
        }
        Ok(())
    }

    /// Completes the file and puts it in its place, replacing what was there.
    ///
    /// # Errors
    /// `Io` with the path; what was there is then still there.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { file, writer } = self;
        writer.finalize().map_err(|e| unwritten(e).at(file.name()))?;
        file.finish()
    }
}

fn unwritten(error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(error) => error.into(),
        other => unreadable(format!("cannot be written as WAV: {other}")),
    }
}
