//! Sound files, byte by byte: what the program reads is not written by what it reads with.

/// How the samples of a WAV file are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
}

impl Format {
    pub(crate) const ALL: [Format; 6] =
        [Format::U8, Format::I16, Format::I24, Format::I32, Format::F32, Format::F64];

    fn bits(self) -> u16 {
        match self {
            Self::U8 => 8,
            Self::I16 => 16,
            Self::I24 => 24,
            Self::I32 | Self::F32 => 32,
            Self::F64 => 64,
        }
    }

    fn tag(self) -> u16 {
        if matches!(self, Self::F32 | Self::F64) { 3 } else { 1 }
    }

    /// The bytes of a sample, and the value that they stand for.
    fn sample(self, x: f64) -> (Vec<u8>, f64) {
        match self {
            Self::U8 => {
                let n = (x * 127.0).round();
                (vec![(n + 128.0) as u8], n / 128.0)
            }
            Self::I16 => {
                let n = (x * 32767.0).round();
                ((n as i16).to_le_bytes().to_vec(), n / 32768.0)
            }
            Self::I24 => {
                let n = (x * 8_388_607.0).round();
                ((n as i32).to_le_bytes()[..3].to_vec(), n / 8_388_608.0)
            }
            Self::I32 => {
                let n = (x * 2_147_483_647.0).round();
                ((n as i32).to_le_bytes().to_vec(), n / 2_147_483_648.0)
            }
            Self::F32 => ((x as f32).to_le_bytes().to_vec(), f64::from(x as f32)),
            Self::F64 => (x.to_le_bytes().to_vec(), x),
        }
    }
}

/// A signal that differs from frame to frame and channel to channel.
pub(crate) fn tone(frame: usize, channel: usize) -> f64 {
    0.8 * ((frame as f64) * 0.03 * (channel + 1) as f64 + 0.5).sin()
}

/// A WAV file of [`tone`], and the samples that it holds, planar.
pub(crate) fn wav(format: Format, rate: u32, channels: usize, frames: usize) -> (Vec<u8>, Vec<Vec<f32>>) {
    let mut data = Vec::new();
    let mut planar = vec![Vec::new(); channels];
    for frame in 0..frames {
        for (channel, samples) in planar.iter_mut().enumerate() {
            let (bytes, value) = format.sample(tone(frame, channel));
            data.extend(bytes);
            samples.push(value as f32);
        }
    }
    let format_chunk = pcm_format(format.tag(), rate, channels as u16, format.bits());
    (riff(&format_chunk, &data), planar)
}

/// The same with the longer header that more than two channels or more than 16 bits ask for.
pub(crate) fn extensible_wav(format: Format, channels: usize, frames: usize) -> (Vec<u8>, Vec<Vec<f32>>) {
    let (plain, planar) = wav(format, 48_000, channels, frames);
    let mut chunk = pcm_format(0xfffe, 48_000, channels as u16, format.bits());
    chunk.extend(22u16.to_le_bytes());
    chunk.extend(format.bits().to_le_bytes());
    chunk.extend(((1u32 << channels) - 1).to_le_bytes());
    chunk.extend(format.tag().to_le_bytes());
    chunk.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    (riff(&chunk, &plain[44..]), planar)
}

/// A mono WAV of 32-bit floats.
pub(crate) fn float_wav(rate: u32, samples: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    riff(&pcm_format(3, rate, 1, 32), &data)
}

fn pcm_format(tag: u16, rate: u32, channels: u16, bits: u16) -> Vec<u8> {
    let frame = channels * (bits / 8);
    let mut chunk = Vec::new();
    chunk.extend(tag.to_le_bytes());
    chunk.extend(channels.to_le_bytes());
    chunk.extend(rate.to_le_bytes());
    chunk.extend((rate * u32::from(frame)).to_le_bytes());
    chunk.extend(frame.to_le_bytes());
    chunk.extend(bits.to_le_bytes());
    chunk
}

fn riff(format: &[u8], data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((20 + format.len() as u32 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend((format.len() as u32).to_le_bytes());
    file.extend(format);
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// A 16-bit FLAC file of [`tone`], uncompressed, and the samples that it holds.
pub(crate) fn flac(rate: u32, channels: usize, frames: usize) -> (Vec<u8>, Vec<Vec<f32>>) {
    const BLOCK: usize = 256;
    let sample = |frame, channel| (tone(frame, channel) * 32767.0).round() as i16;
    let mut file = b"fLaC\x80\x00\x00\x22".to_vec();
    file.extend((BLOCK as u16).to_be_bytes());
    file.extend((BLOCK as u16).to_be_bytes());
    file.extend([0; 6]);
    let numbers = u64::from(rate) << 44 | (channels as u64 - 1) << 41 | 15 << 36 | frames as u64;
    file.extend(numbers.to_be_bytes());
    file.extend([0; 16]);
    for (number, start) in (0..frames).step_by(BLOCK).enumerate() {
        let length = BLOCK.min(frames - start);
        // A block size in 16 bits, rate and bits as in the header, the block's number below 128.
        let mut frame = vec![0xff, 0xf8, 0x70, (channels as u8 - 1) << 4, number as u8];
        frame.extend((length as u16 - 1).to_be_bytes());
        frame.push(crc(&frame, 8, 0x07) as u8);
        for channel in 0..channels {
            frame.push(2);
            (start..start + length).for_each(|at| frame.extend(sample(at, channel).to_be_bytes()));
        }
        frame.extend(crc(&frame, 16, 0x8005).to_be_bytes());
        file.extend(frame);
    }
    let planar = |channel| (0..frames).map(|at| f32::from(sample(at, channel)) / 32768.0).collect();
    (file, (0..channels).map(planar).collect())
}

fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let (top, mask) = (1u16 << (bits - 1), u16::MAX >> (16 - bits));
    bytes.iter().fold(0, |crc, byte| {
        let mixed = crc ^ u16::from(*byte) << (bits - 8);
        (0..8).fold(mixed, |c, _| if c & top == 0 { c << 1 } else { c << 1 ^ polynomial } & mask)
    })
}

/// What the program wrote: rate and planar samples.
pub(crate) fn read(path: &str) -> (u32, Vec<Vec<f32>>) {
    let mut reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.bits_per_sample, spec.sample_format), (32, hound::SampleFormat::Float));
    let mut planar = vec![Vec::new(); usize::from(spec.channels)];
    for (i, sample) in reader.samples::<f32>().enumerate() {
        planar[i % usize::from(spec.channels)].push(sample.unwrap());
    }
    (spec.sample_rate, planar)
}

/// A one-dimensional `.npy` of float32.
pub(crate) fn npy(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(String::from_utf8_lossy(&bytes[10..10 + header]).contains("<f4"), "{path}");
    bytes[10 + header..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The largest difference of two signals of one length.
#[track_caller]
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
