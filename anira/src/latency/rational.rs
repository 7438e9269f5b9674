//! Exact numbers: fractions of 128-bit integers whose every operation is checked.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use anira_traits::{Error, ErrorKind, Result};

/// A fraction in lowest terms with a positive denominator.
///
/// No operation rounds: a result that does not fit is an error. Decimals are read exactly, by
/// [`FromStr`](std::str::FromStr); [`TryFrom<f64>`] takes a float for the binary fraction that it is, and
/// [`From<Duration>`] gives seconds.
///
/// ```
/// use anira::latency::Rational;
/// let block: Rational = "12.5".parse()?;
/// assert_eq!(block, Rational::new(25, 2)?);
/// assert_eq!(block.ceil(), 13);
/// # Ok::<(), anira_traits::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rational {
    num: i128,
    den: i128,
}

impl Rational {
    /// Nought.
    pub const ZERO: Self = Self { num: 0, den: 1 };
    /// One.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den`, reduced.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if `den` is 0, or if either is `i128::MIN`, whose negative does not fit.
    pub fn new(num: i128, den: i128) -> Result<Self> {
        if den == 0 {
            return Err(Error::config("denominator", 0, "anything else"));
        }
        if num == i128::MIN || den == i128::MIN {
            return Err(overflow());
        }
        let (num, den) = if den < 0 { (-num, -den) } else { (num, den) };
        let common = gcd(num, den);
        Ok(Self { num: num / common, den: den / common })
    }

    /// The numerator; it bears the sign.
    #[must_use]
    pub fn num(self) -> i128 {
        self.num
    }

    /// The denominator, 1 or more.
    #[must_use]
    pub fn den(self) -> i128 {
        self.den
    }

    /// Whether the denominator is 1.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.den == 1
    }

    /// Whether it is 0.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.num == 0
    }

    /// The greatest integer that is not above.
    #[must_use]
    pub fn floor(self) -> i128 {
        self.num.div_euclid(self.den)
    }

    /// The least integer that is not below.
    #[must_use]
    pub fn ceil(self) -> i128 {
        self.floor() + i128::from(!self.is_integer())
    }

    /// The sum.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it does not fit 128 bits.
    pub fn plus(self, other: Self) -> Result<Self> {
        let common = gcd(self.den, other.den);
        let (left, right) = (other.den / common, self.den / common);
        let num = fits(self.num.checked_mul(left).zip(other.num.checked_mul(right)))
            .and_then(|(a, b)| fits(a.checked_add(b)))?;
        Self::new(num, fits(self.den.checked_mul(left))?)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it does not fit 128 bits.
    pub fn minus(self, other: Self) -> Result<Self> {
        self.plus(Self { num: -other.num, den: other.den })
    }

    /// The product.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it does not fit 128 bits.
    pub fn times(self, other: Self) -> Result<Self> {
        let (left, right) = (gcd(self.num, other.den), gcd(other.num, self.den));
        let num = fits((self.num / left).checked_mul(other.num / right))?;
        Self::new(num, fits((self.den / right).checked_mul(other.den / left))?)
    }

    /// The quotient.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if `other` is 0 or the quotient does not fit 128 bits.
    pub fn over(self, other: Self) -> Result<Self> {
        self.times(Self::new(other.den, other.num)?)
    }

    /// The nearest multiple of 2⁻ᵇⁱᵗˢ that is not above. `bits` up to 100.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it does not fit 128 bits.
    pub(super) fn rounded_down(self, bits: u32) -> Result<Self> {
        // Long division, a bit at a time: the remainder stays below the denominator.
        let mut digits = self.floor();
        let mut rest = self.num.rem_euclid(self.den);
        for _ in 0..bits.min(100) {
            let doubled = fits(rest.checked_mul(2))?;
            let bit = i128::from(doubled >= self.den);
            rest = doubled - bit * self.den;
            digits = fits(digits.checked_mul(2))? + bit;
        }
        Self::new(digits, 1 << bits.min(100))
    }

    /// The nearest multiple of 2⁻ᵇⁱᵗˢ that is not below. `bits` up to 100.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it does not fit 128 bits.
    pub(super) fn rounded_up(self, bits: u32) -> Result<Self> {
        let below = Self { num: -self.num, den: self.den }.rounded_down(bits)?;
        Ok(Self { num: -below.num, den: below.den })
    }

    /// The nearest float, or a neighbour of it: for people to read, never to decide by.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let whole = self.floor();
        whole as f64 + self.num.rem_euclid(self.den) as f64 / self.den as f64
    }
}

/// The numerators of `a` and `b` over their least common denominator, and that denominator.
pub(super) fn common(a: Rational, b: Rational) -> Result<(i128, i128, i128)> {
    let shared = gcd(a.den, b.den);
    let (left, right) = (b.den / shared, a.den / shared);
    let den = fits(a.den.checked_mul(left))?;
    Ok((fits(a.num.checked_mul(left))?, fits(b.num.checked_mul(right))?, den))
}

/// What an operation on 128-bit integers gave, or the error for one that overflowed.
pub(super) fn fits<T>(checked: Option<T>) -> Result<T> {
    checked.ok_or_else(overflow)
}

pub(super) fn overflow() -> Error {
    Error::new(ErrorKind::Config, "an exact result needs more than 128 bits; give numbers with fewer digits")
}

/// The greatest common divisor of the magnitudes, 1 for two noughts. Never called with `i128::MIN`.
fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        // Small numbers, the usual case, divide an order of magnitude faster as 64-bit ones.
        if let (Ok(mut x), Ok(mut y)) = (u64::try_from(a), u64::try_from(b)) {
            while y != 0 {
                (x, y) = (y, x % y);
            }
            return i128::from(x.max(1));
        }
        (a, b) = (b, a % b);
    }
    i128::try_from(a.max(1)).unwrap_or(1)
}

impl Ord for Rational {
    /// Compares continued fractions term by term, so that nothing can overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (*self, *other);
        let mut reversed = false;
        let order = loop {
            let terms = a.floor().cmp(&b.floor());
            let (rest_a, rest_b) = (a.num.rem_euclid(a.den), b.num.rem_euclid(b.den));
            match (terms, rest_a, rest_b) {
                (Ordering::Equal, 0, 0) => break Ordering::Equal,
                (Ordering::Equal, 0, _) => break Ordering::Less,
                (Ordering::Equal, _, 0) => break Ordering::Greater,
                (Ordering::Equal, ..) => {
                    a = Self { num: a.den, den: rest_a };
                    b = Self { num: b.den, den: rest_b };
                    reversed = !reversed;
                }
                _ => break terms,
            }
        };
        if reversed { order.reverse() } else { order }
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => { $(
        impl From<$integer> for Rational {
            fn from(integer: $integer) -> Self {
                Self { num: i128::from(integer), den: 1 }
            }
        }
    )* };
}

from_integers! { u8 u16 u32 u64 i32 i64 }

impl From<Duration> for Rational {
    /// Seconds.
    fn from(duration: Duration) -> Self {
        let nanoseconds = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        let common = gcd(nanoseconds, 1_000_000_000);
        Self { num: nanoseconds / common, den: 1_000_000_000 / common }
    }
}

impl TryFrom<f64> for Rational {
    type Error = Error;

    /// The binary fraction that the float is, exactly.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for NaN, infinities, magnitudes of 2¹²⁰ and more, and digits below 2⁻¹²⁰.
    fn try_from(float: f64) -> Result<Self> {
        let refused = || Error::config("number", float, "a finite number of at most 120 bits");
        if !float.is_finite() {
            return Err(refused());
        }
        let bits = float.to_bits();
        let raw_exponent = (bits >> 52) & 0x7ff;
        let fraction = i128::from(bits & ((1 << 52) - 1));
        let (mantissa, exponent) = match raw_exponent {
            0 => (fraction, -1074),
            raw => (fraction | 1 << 52, i64::try_from(raw).map_or(0, |raw| raw - 1075)),
        };
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        let zeros = mantissa.trailing_zeros();
        let (mantissa, exponent) = (mantissa >> zeros, exponent + i64::from(zeros));
        let mantissa = if float < 0.0 { -mantissa } else { mantissa };
        match exponent {
            0..=67 => Ok(Self { num: mantissa << exponent, den: 1 }),
            -120..=-1 => Ok(Self { num: mantissa, den: 1 << -exponent }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Rational {
    /// As a decimal where one of at most 21 places is exact, else as `n/d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_integer() {
            return write!(f, "{}", self.num);
        }
        let mut scale = 1i128;
        for places in 0..=21 {
            if scale % self.den == 0 {
                let Some(digits) = self.num.checked_abs().and_then(|n| n.checked_mul(scale / self.den))
                else {
                    break;
                };
                let sign = if self.num < 0 { "-" } else { "" };
                return write!(f, "{sign}{}.{:0>places$}", digits / scale, digits % scale);
            }
            scale *= 10;
        }
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl fmt::Debug for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
