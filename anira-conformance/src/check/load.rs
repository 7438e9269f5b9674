//! Names, options, sources.

use anira_traits::{Backend, ErrorKind, Model, ModelSource};

use super::expect_error;
use crate::answer::expect_same;
use crate::subject::{Subject, run};
use crate::verdict::{Verdict, fail, pass, skip};

/// An option that no backend reads.
const NO_SUCH_OPTION: &str = "no-such-option-of-any-backend";

pub(super) fn name<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let name = subject.backend.name();
    let bad = |c: char| c.is_whitespace() || c.is_control() || c.is_uppercase();
    if name.is_empty() || name.contains(bad) {
        return fail(format!("the name is `{name}`; it needs letters without capitals and blanks"));
    }
    if subject.backend.name() != name {
        return fail(format!("the name was `{name}` and is `{}` now", subject.backend.name()));
    }
    pass(format!("`{name}`"))
}

pub(super) fn loads<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    subject.load()?;
    pass("")
}

pub(super) fn unknown_option<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    // Only beside a load that works is a refusal the option's own.
    subject.load()?;
    let request = subject.specimen.request.clone().option(NO_SUCH_OPTION, "1");
    let result = subject.backend.load(&subject.specimen.source, &request);
    let text = expect_error(&format!("the option `{NO_SUCH_OPTION}`"), result, &[ErrorKind::Config])?;
    if !text.contains(NO_SUCH_OPTION) {
        return fail(format!("the refusal does not name the option `{NO_SUCH_OPTION}`: {text}"));
    }
    pass("")
}

pub(super) fn missing_file<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    subject.bytes()?;
    let ending = subject.specimen.source.path().and_then(|path| path.extension()?.to_str()).unwrap_or("bin");
    let path = format!("no/such/directory/model.{ending}");
    let result = subject.backend.load(&ModelSource::file(&path), &subject.specimen.request);
    let text = expect_error("a missing file", result, &[ErrorKind::NotFound])?;
    if !text.contains(&path) {
        return fail(format!("the error does not name the file `{path}`: {text}"));
    }
    pass("")
}

pub(super) fn missing_source<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    subject.bytes()?;
    let result = subject.backend.load(&ModelSource::None, &subject.specimen.request);
    expect_error("no source", result, &[ErrorKind::Config])?;
    pass("")
}

pub(super) fn file_and_memory<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let bytes = subject.bytes()?;
    let (own, file);
    let other = match &subject.specimen.source {
        ModelSource::File(_) => ModelSource::memory(bytes.to_vec()),
        ModelSource::Memory(_) => {
            file = super::malformed::Scratch::new(&bytes, "bin")?;
            ModelSource::file(file.path())
        }
        _ => return skip("a source that is neither file nor memory"),
    };
    own = subject.load()?;
    let model = subject.load_from(&other)?;
    if model.signature() != own.signature() {
        return fail(format!("the signatures differ: {:?} and {:?}", own.signature(), model.signature()));
    }
    let feed = subject.feed(&own, 0)?;
    let expected = run(&mut subject.engine(&own)?, &feed)?;
    expect_same("the other way in", &expected, &run(&mut subject.engine(&model)?, &feed)?)?;
    pass("")
}
