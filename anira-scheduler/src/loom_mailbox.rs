//! Loom models of the parameter mailbox and of published readings. Run by `cargo xtask loom`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use loom::thread;

use crate::latest::Latest;
use crate::mailbox::Mailbox;
use crate::sync::Arc;

/// A writer sets two values of two words while the audio thread takes: never half of one and half of the other, and the last
/// one is there in the end.
#[test]
fn a_value_is_taken_whole() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new(2));
        let theirs = mailbox.clone();
        let writer = thread::spawn(move || {
            assert!(theirs.set([1, 1]));
            assert!(theirs.set([2, 2]));
        });
        let mut last = 0;
        let take = |last: &mut u64| {
            let mut value = [0; 2];
            if mailbox.take(|i, word| value[i] = word) {
                assert!(value[0] == value[1] && value[0] > *last, "{value:?} after {last}");
                *last = value[0];
            }
        };
        take(&mut last);
        writer.join().unwrap();
        take(&mut last);
        assert_eq!(last, 2);
    });
}

/// Two writers: the second takes over and reuses the cell of the first one's value, which nobody read. Cells are tracked, so loom
/// fails if two users of one are not ordered one after the other. Two threads, three values.
#[test]
fn a_cell_changes_from_writer_to_writer() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new(1));
        let theirs = mailbox.clone();
        let writer = thread::spawn(move || assert!(theirs.set([1])));
        assert!(mailbox.set([2]));
        assert!(mailbox.set([3]));
        writer.join().unwrap();
        let mut last = 0;
        assert!(mailbox.take(|_, word| last = word));
        assert!([1, 3].contains(&last), "{last}");
    });
}

/// A writer fills the cell that the reader has just put back. Two threads, three values.
#[test]
fn a_cell_changes_from_reader_to_writer() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new(1));
        assert!(mailbox.set([1]));
        let theirs = mailbox.clone();
        let writer = thread::spawn(move || {
            assert!(theirs.set([2]));
            assert!(theirs.set([3]));
        });
        let mut last = 0;
        while last < 3 {
            let before = last;
            if mailbox.take(|_, word| last = word) {
                assert!(last > before, "{last} after {before}");
            } else {
                thread::yield_now();
            }
        }
        writer.join().unwrap();
    });
}

/// A reader of a published value sees all of it or none. Two threads, two values. (The reader is the thread that is spawned: the
/// other way round loom's reduction leaves out runs in which a reading begins after a publication.)
#[test]
fn a_reading_is_never_torn() {
    loom::model(|| {
        let latest = Arc::new(Latest::new(2));
        let theirs = latest.clone();
        let reader = thread::spawn(move || {
            let before = theirs.count();
            if let Some((count, words)) = theirs.try_read() {
                assert_eq!(words, [count, count]);
                assert!(count >= before, "{count} after {before}");
            }
        });
        latest.publish([1, 1]);
        latest.publish([2, 2]);
        reader.join().unwrap();
        assert_eq!(latest.try_read(), Some((2, vec![2, 2])));
    });
}
