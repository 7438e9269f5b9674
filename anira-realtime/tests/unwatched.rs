//! Without the allocator a guard does not pass: it says that nothing was watched.

use anira_realtime::{Breach, CountingAllocator, guard};

#[test]
fn a_program_with_another_allocator_is_told_so() {
    drop(std::hint::black_box(vec![1u8; 100]));
    assert!(!CountingAllocator::is_installed());
    let mut ran = false;
    assert_eq!(guard(|| ran = true), Err(Breach::NotWatched));
    assert!(!ran);
    assert!(Breach::NotWatched.to_string().contains("CountingAllocator"));
}
