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

/// A reader of a published value sees all of it or none.
#[test]
fn a_reading_is_never_torn() {
    loom::model(|| {
        let latest = Arc::new(Latest::new(2));
        let theirs = latest.clone();
        let writer = thread::spawn(move || theirs.publish([1, 1]));
        if let Some((count, words)) = latest.try_read() {
            assert_eq!(words, [count, count]);
        }
        writer.join().unwrap();
        assert_eq!(latest.try_read(), Some((1, vec![1, 1])));
    });
}
