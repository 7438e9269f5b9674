//! What is heard in place of samples that came late.

/// What is heard in place of samples that came late. A function of the user's or a second model is set at the handler's
/// builder, and goes before this.
///
/// The replacement begins at the last sample that was heard and settles within the fade; when the model is back, the two are
/// cross-faded. Neither moves anything in time: what comes back is where it would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LatePolicy {
    /// Zeros.
    #[default]
    Silence,
    /// The input, delayed by the reported latency. For output streams that have an input stream of the same number, hop and
    /// channels; others are silent.
    Dry,
    /// The last whole hop that was heard, over and over.
    Hold,
}

impl LatePolicy {
    /// Every policy, by the name that configuration files give it.
    pub const ALL: [(&'static str, Self); 3] =
        [("silence", Self::Silence), ("dry", Self::Dry), ("hold", Self::Hold)];

    /// The policy of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, policy)| *policy)
    }

    /// The name in configuration files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, policy)| *policy == self).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for (name, policy) in LatePolicy::ALL {
            assert_eq!((LatePolicy::by_name(name), policy.name()), (Some(policy), name));
        }
        assert_eq!(LatePolicy::by_name("bypass"), None);
        assert_eq!(LatePolicy::default(), LatePolicy::Silence);
    }
}
