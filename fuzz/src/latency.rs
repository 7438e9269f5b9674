//! Questions for the latency's arithmetic, against the tests' simulations and against themselves.

use anira::ErrorKind;
use anira::latency::{Blocks, Latency, LatencyQuery, Rational, StreamHops, latencies, latency};
use arbitrary::{Result, Unstructured};

use crate::adversary::Adversary;
use crate::simulation::{Fraction, Session, Simulation, fixed_blocks};

/// Samples per second where times are given in samples.
const RATE: u32 = 1000;

/// Asks what `data` says and checks the answer.
///
/// # Panics
/// If it is not the simulation's, or a promise is broken.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    // Bytes that run out half-way say nothing about anira.
    let _ = match input.int_in_range(0..=3u8) {
        Ok(0) => fixed(&mut input),
        Ok(1) => sequence(&mut input),
        Ok(2) => adversary(&mut input),
        _ => anything(&mut input),
    };
}

fn rational((num, den): Fraction) -> Rational {
    Rational::new(num.into(), den.into()).expect("small numbers")
}

/// The question for a session and its largest block; the output is the first.
fn question(session: &Session, block: Fraction) -> LatencyQuery {
    let Session { hop_in, ref hops_out, inference, engines, ratio } = *session;
    let seconds = rational((inference.0, inference.1 * i64::from(RATE)));
    LatencyQuery::new(rational(block), RATE, hop_in as u64, hops_out[0] as u64, seconds)
        .engines(engines as u64)
        .blocking_ratio(rational(ratio))
}

fn session(input: &mut Unstructured<'_>, largest: i64) -> Result<Session> {
    let hop_in = input.int_in_range(1..=largest)?;
    let engines = input.int_in_range(1..=4usize)?;
    let parts = *input.choose(&[1i64, 2, 8, 100])?;
    let most = hop_in * engines as i64 * parts;
    let inference = match input.int_in_range(0..=3u8)? {
        0 => most,
        1 => most - input.int_in_range(0..=most.min(8))?,
        _ => input.int_in_range(0..=most)?,
    };
    let ratio = *input.choose(&[(0, 1), (1, 2), (1, 1), (1, 3), (99, 100)])?;
    let hops_out = vec![hop_in, input.int_in_range(1..=2 * largest)?];
    Ok(Session { hop_in, hops_out, inference: (inference, parts), engines, ratio })
}

/// The same block over and over: the figure is what the simulation needs.
fn fixed(input: &mut Unstructured<'_>) -> Result<()> {
    let session = session(input, 64)?;
    let unit = *input.choose(&[1i64, 1, 2, 4, 10])?;
    let block = (input.int_in_range(1..=64 * unit)?, unit);
    let need = fixed_blocks(&session, block);
    let outputs: Vec<StreamHops> = session.hops_out.iter().map(|&hop| StreamHops::new(hop as u64)).collect();
    let answers = latencies(&question(&session, block), &outputs).expect("the engines keep up");
    for (output, answer) in answers.iter().enumerate() {
        let case = format!("{session:?} block {block:?} output {output}: {answer:?} {need:?}");
        assert!(answer.exact, "{case}");
        assert_eq!(answer.samples as i64, need.zero_fill[output], "{case}");
        assert_eq!(answer.slots as i64, need.slots.max(1), "{case}");
        assert!(answer.input_ring as i64 >= need.input, "{case}");
        assert!(answer.output_ring as i64 >= need.zero_fill[output] + need.surplus[output], "{case}");
    }
    Ok(())
}

/// Blocks one after the other, some of them late: the figure covers what the simulation needs.
fn sequence(input: &mut Unstructured<'_>) -> Result<()> {
    let session = session(input, 256)?;
    let max = input.int_in_range(1..=256i64)?;
    let min = input.int_in_range(1..=max)?;
    // As much lateness as leaves the engines able to keep up, and callbacks in order.
    let spare = session.hop_in * session.engines as i64
        - (session.inference.0 + session.inference.1 - 1) / session.inference.1;
    let late = if input.ratio(1, 2)? { 0 } else { input.int_in_range(0..=spare.clamp(0, min))? };
    let mut simulation = Simulation::new(session.clone(), 1);
    for _ in 0..400 {
        if input.is_empty() {
            break;
        }
        let block = match input.int_in_range(0..=3u8)? {
            0 => min,
            1 => max,
            _ => input.int_in_range(min..=max)?,
        };
        simulation.late_callback(block, input.int_in_range(0..=late)?);
    }
    let query = question(&session, (max, 1))
        .scheduling_allowance(rational((late, RATE.into())))
        .blocks(Blocks::Varying { min: rational((min, 1)) });
    let (answer, need) = (latency(&query).expect("the engines keep up"), &simulation.need);
    let case = format!("{session:?} blocks {min} to {max}, {late} late: {answer:?} {need:?}");
    assert!(answer.samples as i64 >= need.zero_fill[0] && answer.slots as i64 >= need.slots, "{case}");
    if late == 0 {
        assert!(answer.input_ring as i64 >= need.input, "{case}");
        assert!(answer.output_ring as i64 >= answer.samples as i64 + need.surplus[0], "{case}");
    }
    Ok(())
}

/// Whatever a host of varying blocks may do: the figure is the worst of it.
fn adversary(input: &mut Unstructured<'_>) -> Result<()> {
    let (max, hop) = (input.int_in_range(1..=8i64)?, input.int_in_range(1..=8i64)?);
    let (min, engines) = (input.int_in_range(1..=max)?, input.int_in_range(1..=2usize)?);
    let inference = (input.int_in_range(0..=2 * hop * engines as i64)?, 2);
    let ratio = *input.choose(&[(0, 1), (1, 3), (1, 2), (1, 1)])?;
    let worst = Adversary { min, max, hop, inference, engines, ratio }.worst();
    let hop_out = input.int_in_range(1..=20i64)?;
    let session = Session { hop_in: hop, hops_out: vec![hop_out], inference, engines, ratio };
    let query = question(&session, (max, 1)).blocks(Blocks::Varying { min: rational((min, 1)) });
    let answer = latency(&query).expect("the engines keep up");
    let case = format!("{session:?} blocks {min} to {max}: {answer:?} {worst:?}");
    assert_eq!(answer.samples as i64, worst.lag * hop_out / hop, "{case}");
    assert_eq!(answer.slots as i64, worst.slots.max(1), "{case}");
    Ok(())
}

/// Any question at all: an answer that adds up, or an error that says which field.
fn anything(input: &mut Unstructured<'_>) -> Result<()> {
    let mut query =
        LatencyQuery::new(number(input)?, number(input)?, count(input)?, count(input)?, number(input)?);
    query.output.model_latency = count(input)?;
    if input.ratio(1, 4)? {
        query.output.declared_latency = Some(count(input)?);
    }
    if input.ratio(1, 2)? {
        query = query.engines(count(input)?);
    }
    if input.ratio(1, 2)? {
        query = query.blocking_ratio(number(input)?).scheduling_allowance(number(input)?);
    }
    if input.ratio(1, 2)? {
        query = query.blocks(Blocks::Varying { min: number(input)? });
    }
    query = query.align(input.arbitrary()?);
    let first = latency(&query);
    if let Some(answer) = answered(&query, first) {
        // A wait never raises the figure, nor does a quicker engine.
        let mut none = query.clone();
        none.max_inference = Rational::ZERO;
        if query.output.declared_latency.is_none()
            && let Some(quicker) = answered(&none, latency(&none))
        {
            assert!(!answer.exact || quicker.samples <= answer.samples, "{query:?} {answer:?} {quicker:?}");
        }
    }
    let outputs = [query.output, StreamHops::new(count(input)?), StreamHops::new(count(input)?)];
    if let Ok(answers) = latencies(&query, &outputs) {
        answers.iter().zip(&outputs).for_each(|(answer, output)| adds_up(&query, output, answer));
    }
    Ok(())
}

fn answered(query: &LatencyQuery, answer: anira::Result<Latency>) -> Option<Latency> {
    match answer {
        Ok(answer) => {
            adds_up(query, &query.output, &answer);
            Some(answer)
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Overload), "{query:?}: {error}");
            assert!(!error.message().is_empty(), "{query:?}: {error:?}");
            None
        }
    }
}

fn adds_up(query: &LatencyQuery, output: &StreamHops, answer: &Latency) {
    let case = format!("{query:?} {output:?} {answer:?}");
    let Latency { samples, adaptation, inference, model, padding, .. } = *answer;
    assert_eq!(samples, adaptation + inference + model + padding, "{case}");
    assert_eq!(model, output.model_latency, "{case}");
    assert!(answer.slots >= 1 && answer.zero_fill() + model == samples, "{case}");
    if let Some(declared) = output.declared_latency
        && !query.align
    {
        assert_eq!(samples, declared, "{case}");
    }
    let block = query.host_block.ceil() as u64;
    assert!(answer.input_ring >= (answer.slots + query.engines) * query.hop_in + block, "{case}");
    assert!(answer.output_ring >= answer.zero_fill(), "{case}");
}

/// A number as people write them, or any at all.
fn number(input: &mut Unstructured<'_>) -> Result<Rational> {
    let fallback = Rational::ONE;
    Ok(match input.int_in_range(0..=7u8)? {
        0 => Rational::new(input.arbitrary()?, input.arbitrary()?).unwrap_or(fallback),
        1 => Rational::try_from(input.arbitrary::<f64>()?).unwrap_or(fallback),
        2 => {
            let length = input.int_in_range(0..=24)?;
            let letters: Result<String> =
                (0..length).map(|_| Ok(char::from(*input.choose(b"0123456789.eE+-")?))).collect();
            let Ok(number) = letters?.parse::<Rational>() else { return Ok(fallback) };
            number
        }
        3 => rational((input.int_in_range(1..=100_000)?, 1000)),
        4 => rational((input.int_in_range(1..=1 << 20)?, 1)),
        5 => rational((1, input.int_in_range(1..=1 << 20)?)),
        _ => rational((input.int_in_range(1..=1000)?, *input.choose(&[1, 2, 10, 1000])?)),
    })
}

fn count(input: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match input.int_in_range(0..=7u8)? {
        0 => input.arbitrary()?,
        1 => (1u64 << input.int_in_range(0..=63)?).wrapping_sub(input.int_in_range(0..=1)?),
        2 => input.int_in_range(0..=1 << 24)?,
        _ => input.int_in_range(1..=1024)?,
    })
}
