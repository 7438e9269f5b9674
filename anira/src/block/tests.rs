#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use super::*;

fn read(source: &(impl Source + ?Sized), channel: usize, start: usize, len: usize) -> Vec<f32> {
    let mut target = vec![-1.0; len];
    source.read(channel, start, &mut target);
    target
}

#[test]
fn planar_interleaved_and_strided_blocks_hold_the_same_samples() {
    let (left, right) = ([1.0f64, 2.0, 3.0], [10.0f64, 20.0, 30.0]);
    let interleaved = [1.0f32, 10.0, 2.0, 20.0, 3.0, 30.0, 99.0];
    let framed = [1.0f32, 10.0, -1.0, 2.0, 20.0, -1.0, 3.0, 30.0];
    let planar = [&left[..], &right[..]];
    let blocks: [&dyn Source; 3] =
        [&planar, &Strided::interleaved(&interleaved, 2), &Strided::new(&framed, 2, 9, 1, 3)];
    for block in blocks {
        assert_eq!((block.channels(), block.frames()), (2, 3));
        assert_eq!(read(block, 1, 1, 2), [20.0, 30.0]);
        assert_eq!(read(block, 0, 2, 3), [3.0, -1.0, -1.0], "beyond the end nothing is touched");
        assert_eq!(read(block, 2, 9, 1), [-1.0], "no such channel or frame");
    }
}

#[test]
fn writing_stays_inside_the_block() {
    let mut data = [0.0f32; 7];
    let mut block = StridedMut::interleaved(&mut data, 2);
    block.write(1, 1, &[5.0, 6.0, 7.0]);
    block.silence(1, 2, 9);
    assert_eq!(read(&block, 1, 0, 3), [0.0, 5.0, 0.0]);
    assert_eq!(data, [0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0]);

    let (mut left, mut right) = ([9.0f64; 3], [9.0f64; 2]);
    let mut planar = [&mut left[..], &mut right[..]];
    assert_eq!(Sink::frames(&planar), 2, "ragged channels: the shortest");
    planar.write(0, 1, &[1.0, 2.0, 3.0]);
    planar.silence(1, 0, 1);
    planar.write(7, 0, &[1.0]);
    assert_eq!((left, right), ([9.0, 1.0, 2.0], [0.0, 9.0]));
}

#[test]
fn degenerate_strides_have_the_frames_that_fit() {
    let data = [1.0f32; 4];
    assert_eq!(Strided::interleaved(&data, 0).frames(), 0);
    assert_eq!(Strided::interleaved(&data[..0], 2).frames(), 0);
    assert_eq!(Strided::new(&data, 2, 100, 2, 1).frames(), 2);
    assert_eq!(Strided::new(&data, 5, 100, 1, 5).frames(), 0);
    assert_eq!(Strided::new(&data, 1, 3, 0, 0).frames(), 1);
}
