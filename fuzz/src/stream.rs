//! Sessions and what hosts do to them, against the tests' plain stream.

use anira::LatePolicy;
use anira_tests::twin::{How, Op, Scenario, play};
use arbitrary::{Result, Unstructured};

/// The most that happens in a case.
const LONGEST: usize = 300;

/// Plays what `data` says on the library and on the plain stream.
///
/// # Panics
/// At the first sample or count that differs.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    // Bytes that run out half-way say nothing about anira.
    let Ok((scenario, how)) = session(&mut input) else { return };
    let mut ops = Vec::new();
    while ops.len() < LONGEST && !input.is_empty() {
        let Ok(op) = op(&mut input, scenario.max_block) else { break };
        ops.push(op);
    }
    play(scenario, how, &ops);
}

/// Small models and hosts: what goes wrong goes wrong with hops of three, too.
fn session(input: &mut Unstructured<'_>) -> Result<(Scenario, How)> {
    let how = *input.choose(&[How::RealTime, How::RealTime, How::InTheCall, How::Waiting])?;
    let (i, o) = *input.choose(&[(1, 1), (1, 1), (1, 2), (2, 1), (2, 3), (5, 1)])?;
    let hop = input.int_in_range(1..=16)?;
    let policy = *input.choose(&[LatePolicy::Silence, LatePolicy::Dry, LatePolicy::Hold])?;
    let scenario = Scenario {
        hop_in: hop * i,
        hop_out: hop * o,
        context: input.int_in_range(0..=24)?,
        channels: input.int_in_range(1..=2)?,
        lanes: input.int_in_range(1..=3)?,
        max_block: input.int_in_range(1..=40)?,
        busy: input.int_in_range(0..=100)?,
        max_catch_up: input.int_in_range(1..=4)?,
        // Where hops differ there is nothing dry to hear.
        late_policy: if policy == LatePolicy::Dry && i != o { LatePolicy::Silence } else { policy },
        late_fade: *input.choose(&[0, 1, 7, 64, 200])?,
        fail_every: *input.choose(&[0, 0, 2, 3, 5, 8])?,
    };
    Ok((scenario, how))
}

/// Mostly callbacks, and runs in between.
fn op(input: &mut Unstructured<'_>, max_block: usize) -> Result<Op> {
    let frames = |input: &mut Unstructured<'_>| -> Result<usize> {
        Ok(match input.int_in_range(0..=7u8)? {
            0 => 0,
            1 => 1,
            2 | 3 => max_block,
            // The library takes a block that is longer than prepared in parts.
            4 => max_block + input.int_in_range(1..=80)?,
            _ => input.int_in_range(0..=max_block)?,
        })
    };
    Ok(match input.int_in_range(0..=31u8)? {
        0..=11 => Op::Process(frames(input)?),
        12..=17 => Op::PushRunPop(frames(input)?, input.int_in_range(0..=5)?),
        18..=24 => Op::Run(input.int_in_range(1..=12)?),
        25 => Op::Silence(frames(input)?),
        26 => Op::WrongChannels(frames(input)?),
        27 => Op::Gain(input.arbitrary()?),
        28 => Op::GainFromAudio(input.arbitrary()?),
        29 | 30 => Op::Bypass(input.arbitrary()?),
        _ => Op::Reset,
    })
}
