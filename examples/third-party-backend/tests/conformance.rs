//! The backend keeps what every backend has to keep.

mod support;

use anira_conformance::{CountingAllocator, conformance_tests};
use anira_traits::{Backend, ErrorKind, LoadRequest, ModelSource};
use third_party_backend::Nam;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

conformance_tests!(nam, Nam, support::specimens());

#[test]
fn a_trim_that_is_no_number_of_decibels_is_refused() {
    for text in ["loud", "61", "NaN"] {
        let request = LoadRequest::new().option("trim", text);
        let error = Nam.load(&ModelSource::file("any.nam"), &request).map(drop).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(text), "{error}");
    }
}
