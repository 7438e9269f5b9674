//! What cannot be is said, with figures; what is merely odd is answered, and fast.

use std::time::{Duration, Instant};

use anira::latency::{Blocks, LatencyQuery, Rational, StreamHops, latencies, latency};
use anira_traits::{BlockSize, ErrorKind, HostConfig};

use crate::decimal;

fn with(mut query: LatencyQuery, change: impl FnOnce(&mut LatencyQuery)) -> LatencyQuery {
    change(&mut query);
    query
}

fn base() -> LatencyQuery {
    LatencyQuery::new(480u32, 48_000u32, 512, 512, Rational::new(5, 1000).unwrap())
}

#[test]
fn a_model_that_cannot_keep_up_is_refused_with_what_would_help() {
    let query = with(base(), |q| q.max_inference = decimal("0.012"));
    let error = latency(&query).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overload);
    let text = error.to_string();
    for figure in
        ["max_inference", "12 ms", "512 samples", "48000 Hz", "1.125", "2 engines", "576", "10.666666 ms"]
    {
        assert!(text.contains(figure), "{figure}: {text}");
    }
    let odd = with(base(), |q| q.max_inference = decimal("0.01201"));
    assert!(latency(&odd).unwrap_err().to_string().contains("hop of 577"), "576.48 samples pass");
    latency(&with(odd, |q| q.hop_in = 577)).unwrap();
    let helped = [
        query.clone().engines(2),
        with(query.clone(), |q| q.hop_in = 576),
        with(query.clone(), |q| q.max_inference = decimal("0.010666666")),
    ];
    for query in helped {
        latency(&query).unwrap();
    }
    for query in [
        with(query.clone(), |q| q.hop_in = 575),
        query.clone().blocks(Blocks::Varying { min: Rational::ONE }),
    ] {
        assert_eq!(latency(&query).unwrap_err().kind(), ErrorKind::Overload);
    }
}

#[test]
fn exactly_busy_is_possible_and_the_least_more_is_not() {
    // 512 samples at 44.1 kHz are no decimal of milliseconds: the borderline is a fraction.
    let exactly = Rational::new(512, 44_100).unwrap();
    let query = with(base(), |q| {
        q.sample_rate = 44_100u32.into();
        q.max_inference = exactly;
    });
    latency(&query).unwrap();
    let more = exactly.plus(Rational::new(1, 1 << 100).unwrap()).unwrap();
    let error = latency(&with(query, |q| q.max_inference = more)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overload);
    assert!(error.to_string().contains("2 engines"), "{error}");
}

#[test]
fn fields_that_cannot_be_are_named_with_their_value() {
    let minus = Rational::new(-1, 1).unwrap();
    let varying = |min: &str| Blocks::Varying { min: decimal(min) };
    let cases: [(&str, &str, LatencyQuery); 16] = [
        ("host_block", "0", with(base(), |q| q.host_block = Rational::ZERO)),
        ("host_block", "12.0625", with(base(), |q| q.host_block = decimal("12.0625"))),
        ("host_block", "1048577", with(base(), |q| q.host_block = 1_048_577u32.into())),
        ("sample_rate", "-1", with(base(), |q| q.sample_rate = minus)),
        ("sample_rate", "0", with(base(), |q| q.sample_rate = Rational::ZERO)),
        ("hop_in", "0", with(base(), |q| q.hop_in = 0)),
        ("hop_in", "16777217", with(base(), |q| q.hop_in = (1 << 24) + 1)),
        ("hop_out", "0", with(base(), |q| q.output = StreamHops::new(0))),
        ("max_inference", "-1", with(base(), |q| q.max_inference = minus)),
        ("scheduling_allowance", "-1", with(base(), |q| q.scheduling_allowance = minus)),
        ("engines", "0", base().engines(0)),
        ("blocking_ratio", "1.001", base().blocking_ratio(decimal("1.001"))),
        ("blocking_ratio", "-1", base().blocking_ratio(minus)),
        ("model_latency", "18446744073709551615", base().model_latency(u64::MAX)),
        ("min_block", "481", base().blocks(varying("481"))),
        ("min_block", "0", base().blocks(varying("0"))),
    ];
    for (field, value, query) in cases {
        let error = latency(&query).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some(field)));
        assert!(error.message().starts_with(&format!("is {value}; ")), "{error}");
    }
    let error = latencies(&base(), &[StreamHops::new(512), StreamHops::new(0)]).unwrap_err();
    assert_eq!(error.field(), Some("outputs[1]: hop_out"));
}

#[test]
fn a_hosts_own_words_are_understood() {
    let five = Duration::from_millis(5);
    let fixed = LatencyQuery::for_host(&HostConfig::fixed(48e3, 480), 512, 512, five).unwrap();
    assert_eq!(fixed, base());
    let host = HostConfig::fixed(48e3, 480).block(BlockSize::Varying { min: 32, max: 480 });
    let varying = LatencyQuery::for_host(&host, 512, 512, five).unwrap();
    assert_eq!(varying, base().blocks(Blocks::Varying { min: 32u32.into() }));
    let error = LatencyQuery::for_host(&HostConfig::fixed(f64::NAN, 480), 512, 512, five).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
}

#[test]
fn numbers_of_many_digits_are_answered_exactly_where_no_digit_matters() {
    let query = with(base(), |q| {
        q.host_block = decimal("341.333");
        q.sample_rate = Rational::try_from(44_099.999_999_97).unwrap();
        q.max_inference = decimal("0.00512345678901234567");
        q.blocking_ratio = decimal("0.123456789012345678");
    });
    let rounded = with(query.clone(), |q| {
        q.sample_rate = 44_100u32.into();
        q.max_inference = decimal("0.005123");
        q.blocking_ratio = decimal("0.123");
    });
    let (answer, expected) = (latency(&query).unwrap(), latency(&rounded).unwrap());
    assert!(answer.exact);
    assert_eq!((answer.samples, answer.slots), (expected.samples, expected.slots));
}

#[test]
fn where_a_lost_digit_matters_the_figure_is_an_upper_bound_and_says_so() {
    // τ is 1 + 2⁻⁵⁵ + 2⁻¹⁰⁰ and the ratio 10⁻¹⁸: together too many digits, and rounded down they cost a callback less.
    let power = |n: u32| Rational::new(1, 1 << n).unwrap();
    let tau = Rational::ONE.plus(power(55)).and_then(|tau| tau.plus(power(100))).unwrap();
    let longer = with(base(), |q| q.max_inference = decimal("0.01").times(tau).unwrap());
    let answer = latency(&longer).unwrap();
    assert_eq!((answer.samples, answer.exact), (1440, true), "without the ratio all digits fit");
    let answer = latency(&longer.blocking_ratio(decimal("1e-18"))).unwrap();
    assert_eq!((answer.samples, answer.exact), (1440, false));
}

#[test]
fn rounding_never_overloads_engines_that_can_just_keep_up() {
    let rate = Rational::try_from(48_000.1).unwrap();
    let exactly = Rational::from(512u32).over(rate).unwrap();
    // The next binary fraction of 100 places below: its product with the rate has 137.
    let seconds = exactly.times(Rational::new(1 << 62, 1).unwrap()).unwrap().floor();
    let below =
        Rational::new(seconds << 38, 1 << 100).and_then(|s| s.plus(Rational::new(1, 1 << 100)?)).unwrap();
    assert!(below < exactly);
    let query = |seconds: Rational| {
        with(base(), |q| {
            q.sample_rate = rate;
            q.max_inference = seconds;
        })
    };
    let (busy, nearly) = (latency(&query(exactly)).unwrap(), latency(&query(below)).unwrap());
    assert_eq!((nearly.samples, nearly.exact), (busy.samples, true));
}

#[test]
fn no_question_takes_long() {
    let ratio = |n: i128| Rational::new(n, 1000).unwrap();
    let nearly = decimal("0.999999999999");
    let mut slowest = Duration::ZERO;
    let mut asked = 0u32;
    let start = Instant::now();
    for block in ["0.001", "1", "12.5", "8191.999", "8192", "1048575.999", "1048576"] {
        for hop in [1u64, 2, 511, 512, 8191, 1_000_003, 1 << 24] {
            for engines in [1u64, 3, 1024] {
                for share in [Rational::ZERO, decimal("1e-12"), ratio(1), ratio(500), nearly, Rational::ONE] {
                    for wait in [Rational::ZERO, decimal("1e-9"), ratio(333), Rational::ONE] {
                        let block = decimal(block);
                        let just_below = block.minus(Rational::ONE).unwrap().max(ratio(1));
                        let blocks = [Blocks::Fixed].into_iter().chain(
                            [Rational::ONE, just_below, ratio(1)]
                                .map(|min| Blocks::Varying { min: min.min(block) }),
                        );
                        for blocks in blocks {
                            let seconds =
                                share.times(Rational::new(i128::from(hop * engines), 10_000_000).unwrap());
                            let query = LatencyQuery::new(block, 10_000_000u32, hop, hop, seconds.unwrap())
                                .engines(engines)
                                .blocking_ratio(wait)
                                .blocks(blocks);
                            // On a busy machine one asking may be put off: a slow question is slow every time.
                            let took = (0..5).map(|_| time_of(&query)).find(|&took| took < PATIENCE);
                            slowest = slowest.max(took.unwrap_or(Duration::MAX));
                            asked += 1;
                        }
                    }
                }
            }
        }
    }
    let mean = start.elapsed() / asked;
    println!("{asked} questions, mean {mean:?}, slowest {slowest:?}");
    assert!(mean < Duration::from_millis(1), "{mean:?}");
    assert!(slowest < PATIENCE, "a question took {PATIENCE:?} and more, five times");
}

/// Kinds of hosts for which the search for varying blocks goes as deep as it may, a thousand of each: none is slow on average.
#[test]
fn no_kind_of_question_takes_long_on_average() {
    let whole = |n: i128| Rational::new(n, 1).unwrap();
    let tiny = |n: i128| Rational::new(n, 1_000_000_000_007).unwrap();
    // Seconds at 1000 Hz: thousandths of a sample's time.
    let query = |block: i128, min: i128, hop: i128, inference: Rational, ratio: Rational| {
        let seconds = inference.over(whole(1000)).unwrap();
        let hop = u64::try_from(hop).unwrap();
        LatencyQuery::new(whole(block), 1000u32, hop, hop, seconds)
            .blocking_ratio(ratio)
            .blocks(Blocks::Varying { min: whole(min) })
    };
    let nearly = |hop: i128, n: i128| whole(hop).minus(tiny(n)).unwrap();
    let half = Rational::new(1, 2).unwrap();
    let kinds: [(&str, &dyn Fn(i128) -> LatencyQuery); 6] = [
        ("a wait of many inferences", &|n| query(1_048_576 - n % 99, 2 + n % 7, 10, decimal("9.9"), half)),
        ("narrow", &|n| query(1_048_576 - n % 9, 1_048_560, 1009, nearly(1009, n + 1), Rational::ZERO)),
        ("narrow with a wait", &|n| query(8192, 8191, 1 + n % 300, nearly(1 + n % 300, n + 1), half)),
        ("narrow, short hops", &|n| query(1_048_576, 1_048_575 - n, 1, nearly(1, n + 1), tiny(n + 1))),
        ("narrow, all the time", &|n| {
            query(8192, 8190, 7 + n % 9, whole(7 + n % 9), Rational::new(n, 1000).unwrap())
        }),
        ("any, all the time", &|n| query(8192, 2 + n, 1, Rational::ONE, Rational::ONE)),
    ];
    for (name, kind) in kinds {
        let took = (0..5).map(|_| {
            let start = Instant::now();
            (0..1000).for_each(|n| _ = latency(&kind(n)).unwrap());
            start.elapsed() / 1000
        });
        // On a busy machine once is often enough.
        let mean = took.min().unwrap();
        let bounds = (0..1000).filter(|&n| !latency(&kind(n)).unwrap().exact).count();
        println!("{name}: {mean:?}, {bounds} of 1000 are bounds");
        assert!(mean < PATIENCE / 20, "{name}: {mean:?}");
    }
}

/// The promise is 20 ms for an optimised build; a debug one is ten times as slow.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 200 } else { 20 });

fn time_of(query: &LatencyQuery) -> Duration {
    let asked_at = Instant::now();
    latency(query).unwrap_or_else(|error| panic!("{query:?}: {error}"));
    asked_at.elapsed()
}
