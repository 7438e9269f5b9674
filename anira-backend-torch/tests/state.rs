//! What a module remembers inside: found, kept per engine, forgotten at a reset.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_traits::*;
use support::{all, engine, engine_of, get, load, load_with, set};

const X: &[usize] = &[1, 1, 8];

/// What an engine gives for this input.
fn step(engine: &mut anira_backend_torch::TorchEngine, value: f32) -> Vec<f32> {
    set(engine, 0, &[value; 8]);
    engine.run().unwrap();
    get(engine, 0)
}

#[test]
fn modules_that_write_to_themselves_are_known_and_others_are_not_suspected() {
    let options = [("outputs", "a, b")];
    for path in all() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["dict", "forks", "huge", "lacking"].contains(&name.as_str()) {
            continue;
        }
        let model = load_with(&name, if name == "list" { &options } else { &[] }).unwrap();
        let inside =
            matches!(name.as_str(), "counter" | "deep" | "delay" | "inside" | "maybe" | "moods" | "trained");
        assert_eq!(model.internal_state() == InternalState::Inside, inside, "{name}");
    }
    assert_eq!(load_with("counter", &[("state", "none")]).unwrap().internal_state(), InternalState::None);
    assert_eq!(load_with("gain", &[("state", "inside")]).unwrap().internal_state(), InternalState::Inside);
}

#[test]
fn a_new_engine_and_one_that_was_reset_start_from_the_beginning() {
    let model = load("counter").unwrap();
    let mut engine = engine_of(&model, &[X]).unwrap();
    for round in 0..3 {
        for run in 1..4 {
            assert_eq!(step(&mut engine, 10.0), [10.0 + run as f32; 8], "round {round}");
        }
        engine.reset().unwrap();
    }
    assert_eq!(engine.input(0).unwrap().f32_mut().unwrap(), [10.0; 8], "a reset is not for inputs");
}

#[test]
fn engines_of_one_model_do_not_share_state() {
    for options in [&[][..], &[("state", "none")]] {
        let model = load_with("counter", options).unwrap();
        let (mut a, mut b) = (engine_of(&model, &[X]).unwrap(), engine_of(&model, &[X]).unwrap());
        assert_eq!(step(&mut a, 0.0), [1.0; 8]);
        assert_eq!(step(&mut a, 0.0), [2.0; 8]);
        assert_eq!(step(&mut b, 0.0), [1.0; 8]);
        a.reset().unwrap();
        assert_eq!(step(&mut b, 0.0), [2.0; 8]);
        assert_eq!(step(&mut a, 0.0), [1.0; 8]);
    }
}

#[test]
fn an_input_that_a_module_keeps_is_the_one_of_then() {
    let mut engine = engine("delay", &[X]).unwrap();
    assert_eq!(step(&mut engine, 1.0), [0.0; 8]);
    assert_eq!(step(&mut engine, 2.0), [1.0; 8]);
    assert_eq!(step(&mut engine, 3.0), [2.0; 8]);
    engine.reset().unwrap();
    assert_eq!(step(&mut engine, 4.0), [0.0; 8]);
}

#[test]
fn every_kind_of_attribute_goes_back() {
    for (name, right) in [
        ("counter", [2.0, 3.0, 4.0, 5.0]),
        ("trained", [2.0, 3.0, 4.0, 5.0]),
        ("delay", [0.0, 1.0, 1.0, 1.0]),
        ("maybe", [1.0, 2.0, 2.0, 2.0]),
        ("deep", [2.0, 5.5, 12.0, 20.5]),
        ("moods", [1.0, 4.5, 7.5, 10.5]),
    ] {
        let mut engine = engine(name, &[X]).unwrap();
        let mut runs = || (0..4).map(|_| step(&mut engine, 1.0)[0]).collect::<Vec<_>>();
        assert_eq!(runs(), right, "{name}");
        assert_ne!(runs(), right, "{name}");
        for _ in 0..2 {
            engine.reset().unwrap();
            let mut runs = || (0..4).map(|_| step(&mut engine, 1.0)[0]).collect::<Vec<_>>();
            assert_eq!(runs(), right, "{name} after a reset");
        }
    }
}

#[test]
fn state_inside_and_state_as_tensors_give_the_same() {
    let mut inside = engine("inside", &[&[1, 8, 1]]).unwrap();
    let mut outside = engine("states", &[&[1, 8, 1], &[1, 1, 4], &[1, 1, 4]]).unwrap();
    for round in 0..2 {
        for run in 0..5 {
            let input: Vec<f32> = (0..8).map(|i| ((run * 8 + i) as f32 * 0.3).sin()).collect();
            set(&mut inside, 0, &input);
            set(&mut outside, 0, &input);
            inside.run().unwrap();
            outside.run().unwrap();
            assert_eq!(get(&inside, 0), get(&outside, 0), "round {round}, run {run}");
            for state in [1, 2] {
                let new = get(&outside, state);
                set(&mut outside, state, &new);
            }
        }
        inside.reset().unwrap();
        set(&mut outside, 1, &[0.0; 4]);
        set(&mut outside, 2, &[0.0; 4]);
    }
}

#[test]
fn after_a_failed_run_the_engine_goes_on() {
    let mut engine = engine("counter", &[X]).unwrap();
    step(&mut engine, 0.0);
    let model = load("raises").unwrap();
    let mut raises = engine_of(&model, &[X]).unwrap();
    set(&mut raises, 0, &[9.0; 8]);
    assert!(raises.run().is_err());
    assert_eq!(step(&mut engine, 0.0), [2.0; 8]);
}
