//! Decimals as people and JSON write them, read without rounding.

use std::str::FromStr;

use anira_traits::{Error, Result};

use super::rational::{Rational, fits};

/// The most digits between the first and the last that are not 0.
const MAX_DIGITS: usize = 18;
/// The most places behind the point, and the most noughts behind the last other digit.
const MAX_EXPONENT: i64 = 21;
/// The most characters.
const MAX_CHARACTERS: usize = 64;

impl FromStr for Rational {
    type Err = Error;

    /// Reads `[sign] digits [. digits] [e [sign] digits]`: at most 18 significant digits, at most 21 places behind the
    /// point and at most 64 characters. A JSON number is one of these.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config), with the text and what is wrong with it.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |right: &str| {
            let shown: String = text.chars().take(MAX_CHARACTERS).collect();
            Error::config("number", format!("{shown:?}"), right)
        };
        let malformed = || refused("a decimal number, such as 480, 12.5 or 5e-3");
        if text.len() > MAX_CHARACTERS {
            return Err(refused("at most 64 characters"));
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent).ok_or_else(malformed)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dangling = mantissa.contains('.') && fraction.is_empty();
        if whole.is_empty() || dangling || !is_digits(whole) || !is_digits(fraction) {
            return Err(malformed());
        }

        let all = format!("{whole}{fraction}");
        let leading = all.trim_start_matches('0');
        let digits = leading.trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self::ZERO);
        }
        if digits.len() > MAX_DIGITS {
            return Err(refused("at most 18 significant digits"));
        }
        let signed = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let exponent = exponent + signed(leading.len() - digits.len()) - signed(fraction.len());
        let power = match u32::try_from(exponent.unsigned_abs()) {
            Ok(power) if exponent.abs() <= MAX_EXPONENT => 10i128.pow(power),
            _ => {
                return Err(refused("a number of at most 21 places, without more than 21 noughts behind it"));
            }
        };
        let digits = digits.parse::<i128>().map_err(|_| malformed())?;
        let digits = if negative { -digits } else { digits };
        if exponent < 0 { Self::new(digits, power) } else { Self::new(fits(digits.checked_mul(power))?, 1) }
    }
}

/// A signed exponent; one of many digits is as good as 10⁹.
fn exponent_of(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1, &text[1..]),
        [b'+', ..] => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(sign * digits.parse::<i64>().unwrap_or(1_000_000_000).min(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(num: i128, den: i128) -> Rational {
        Rational::new(num, den).unwrap()
    }

    #[test]
    fn decimals_are_read_exactly() {
        for (text, num, den) in [
            ("480", 480, 1),
            ("12.5", 25, 2),
            ("42.66", 2133, 50),
            ("0.1", 1, 10),
            ("-0.001", -1, 1000),
            ("+7", 7, 1),
            ("5e-3", 1, 200),
            ("1.5E+2", 150, 1),
            ("0000.500000000000000000000000000000", 1, 2),
            ("0e999999999999", 0, 1),
            ("42.666666666666664", 5_333_333_333_333_333, 125_000_000_000_000),
            ("100000000000000000000", 100_000_000_000_000_000_000, 1),
        ] {
            assert_eq!(text.parse::<Rational>().unwrap(), ratio(num, den), "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused_with_its_text() {
        let long = "1".repeat(65);
        let texts = [
            "", "-", "abc", "1.", ".5", "1e", "1e+", "--1", "1 ", "NaN", "inf", "0x10", "1_000", "١", "1.2.3",
        ];
        for text in
            texts.into_iter().chain(["1e22", "1e-22", "1e99999999999999999999", "1234567890123456789", &long])
        {
            let error = text.parse::<Rational>().unwrap_err().to_string();
            assert!(error.contains(&format!("{:?}", &text[..text.len().min(64)])), "{text}: {error}");
        }
    }

    #[test]
    fn decimals_show_as_they_were_written() {
        for text in ["480", "12.5", "-0.001", "42.66", "0.000000000000000000001", "-7", "0"] {
            assert_eq!(text.parse::<Rational>().unwrap().to_string(), text);
        }
        assert_eq!(ratio(-2, 6).to_string(), "-1/3");
    }

    #[test]
    fn floats_and_durations_are_taken_for_what_they_are() {
        assert_eq!(Rational::try_from(44_100.0).unwrap(), ratio(44_100, 1));
        assert_eq!(Rational::try_from(-0.75).unwrap(), ratio(-3, 4));
        assert_eq!(Rational::try_from(0.1).unwrap(), ratio(3_602_879_701_896_397, 1 << 55));
        assert_eq!(Rational::try_from(0.0).unwrap(), Rational::ZERO);
        for bad in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX] {
            assert!(Rational::try_from(bad).is_err(), "{bad}");
        }
        assert_eq!(Rational::from(std::time::Duration::from_micros(5_500)), ratio(11, 2000));
    }

    #[test]
    fn results_that_do_not_fit_are_errors() {
        let huge = ratio(i128::MAX, 3);
        let tiny = ratio(1, i128::MAX);
        assert!(huge.times(huge).is_err() && huge.plus(huge).is_err() && tiny.plus(ratio(1, 2)).is_err());
        assert!(huge.over(tiny).is_err() && Rational::ONE.over(Rational::ZERO).is_err());
        assert_eq!(huge.times(ratio(3, i128::MAX)).unwrap(), Rational::ONE, "what cancels need not fit");
        assert!(Rational::new(i128::MIN, 1).is_err() && Rational::new(1, 0).is_err());
        assert!(tiny < ratio(1, i128::MAX - 1) && huge > ratio(i128::MAX - 2, 3), "order never overflows");
        assert!(ratio(-7, 2) < ratio(-10, 3) && ratio(22, 7) > ratio(355, 113));
    }

    #[test]
    fn rounding_is_directed() {
        let third = ratio(1, 3);
        assert_eq!(third.rounded_down(4).unwrap(), ratio(5, 16));
        assert_eq!(third.rounded_up(4).unwrap(), ratio(6, 16));
        assert_eq!(ratio(-1, 3).rounded_down(4).unwrap(), ratio(-6, 16));
        assert_eq!(ratio(5, 16).rounded_up(4).unwrap(), ratio(5, 16));
        assert_eq!((ratio(-7, 2).floor(), ratio(-7, 2).ceil(), ratio(8, 2).ceil()), (-4, -3, 4));
    }
}
