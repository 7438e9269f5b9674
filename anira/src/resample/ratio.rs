//! Two sample rates as whole numbers: [`Ratio`].

use anira_traits::{Error, ErrorKind, Result};

/// The widest ratio between two rates, either way.
const WIDEST: u64 = 256;

/// How many samples of one stream there are for one of another: `num / den`, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) num: u64,
    pub(super) den: u64,
}

impl Ratio {
    /// Samples at the model's rate for one at the host's.
    ///
    /// # Errors
    /// [`ErrorKind::Host`], naming the rates: one that is no number of thousandths of a hertz, or they are too far apart.
    pub(super) fn of(model: f64, host: f64) -> Result<Self> {
        let (num, den) = (thousandths("the model's sample_rate", model)?, thousandths("sample_rate", host)?);
        let common = gcd(num, den);
        let ratio = Self { num: num / common, den: den / common };
        if num > den.saturating_mul(WIDEST) || den > num.saturating_mul(WIDEST) {
            let right =
                format!("from 1/{WIDEST} to {WIDEST} times the model's rate, {model} Hz, to be resampled");
            return Err(
                Error::config("sample_rate", format_args!("{host} Hz"), right).of_kind(ErrorKind::Host)
            );
        }
        Ok(ratio)
    }

    pub(super) fn inverse(self) -> Self {
        Self { num: self.den, den: self.num }
    }

    /// `samples · num / den`, rounded up.
    pub(super) fn up(self, samples: u64) -> u64 {
        let exact = (u128::from(samples) * u128::from(self.num)).div_ceil(u128::from(self.den.max(1)));
        u64::try_from(exact).unwrap_or(u64::MAX)
    }

    /// `samples · num / den`, rounded down.
    pub(super) fn down(self, samples: u64) -> u64 {
        let exact = u128::from(samples) * u128::from(self.num) / u128::from(self.den.max(1));
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

fn thousandths(field: &'static str, hertz: f64) -> Result<u64> {
    let right = "from 1 to 10000000 Hz, with at most three decimals, to be resampled";
    let error = || Error::config(field, format_args!("{hertz} Hz"), right).of_kind(ErrorKind::Host);
    if !(1.0..=10e6).contains(&hertz) {
        return Err(error());
    }
    let whole = (hertz * 1000.0).round();
    // What a decimal of three places may be off as a float.
    if (whole / 1000.0 - hertz).abs() > hertz * 1e-15 { Err(error()) } else { Ok(whole as u64) }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole_thousandths_in_lowest_terms() {
        let of = |model, host| Ratio::of(model, host).map(|r| (r.num, r.den)).ok();
        assert_eq!(of(48e3, 44.1e3), Some((160, 147)));
        assert_eq!(of(16e3, 48e3), Some((1, 3)));
        assert_eq!(of(48e3, 48e3), Some((1, 1)));
        assert_eq!(of(44_100.001, 44.1e3), Some((44_100_001, 44_100_000)));
        assert_eq!(of(44_100.000_5, 44.1e3), None);
        assert_eq!(of(256.0, 1.0), Some((256, 1)));
        assert_eq!(
            (of(256.001, 1.0), of(1.0, 257.0), of(0.0, 48e3), of(48e3, f64::NAN)),
            (None, None, None, None)
        );
    }
}
