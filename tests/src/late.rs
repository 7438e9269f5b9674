//! What is heard where samples are late, as the documentation has it: sample by sample, for one channel.

/// The way from the model to what stands in for it, and back.
///
/// The first sample of a replacement is the last that was heard; that step fades away linearly within the fade. When the model
/// is back, it is mixed in: its sample i of the fade, counted from 1, has the weight i / (fade + 1).
#[derive(Clone, Debug)]
pub struct Fading {
    fade: usize,
    /// The last sample that was heard, and the last of the replacement alone.
    heard: f32,
    made: f32,
    /// How far the replacement began from what was before it, and how many samples ago.
    step: f32,
    age: usize,
    /// Whether a replacement is heard at all; with how many of the model's samples so far.
    replaced: bool,
    back: usize,
}

impl Fading {
    /// The model alone, with fades of this length to come.
    #[must_use]
    pub fn new(fade: usize) -> Self {
        Self { fade, heard: 0.0, made: 0.0, step: 0.0, age: 0, replaced: false, back: 0 }
    }

    /// The next sample that is heard: the model's, if it is there, and what may stand in for it. `seam`: the replacement does
    /// not go on here from its sample before.
    pub fn next(&mut self, model: Option<f32>, replacement: f32, seam: bool) -> f32 {
        let Self { fade, .. } = *self;
        if let Some(model) = model.filter(|_| !self.replaced || self.back >= fade) {
            self.replaced = false;
            self.heard = model;
            return model;
        }
        let enters = model.is_none() && (!self.replaced || self.back > 0);
        if enters || seam {
            // While the model fades in, what it fades in over has to go on by itself.
            let from = if model.is_none() { self.heard } else { self.made };
            (self.step, self.age) = (from - replacement, 0);
        }
        self.made = match self.age {
            age if age < fade => replacement + self.step * (1.0 - age as f32 / fade as f32),
            _ => replacement,
        };
        self.age += 1;
        self.replaced = true;
        self.back = model.map_or(0, |_| self.back + 1);
        self.heard = match model {
            Some(model) => self.made + (model - self.made) * (self.back as f32 / (fade + 1) as f32),
            None => self.made,
        };
        self.heard
    }

    /// Whether anything of a replacement is in the sample that was heard last.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Silence was heard, in place of anything.
    pub fn silence(&mut self) {
        *self = Self::new(self.fade);
    }
}

/// What the policy `hold` has to say: the last hop whose every sample was there when it went out, over and over; silence
/// before the first.
#[derive(Clone, Debug)]
pub struct Holding {
    hop: usize,
    held: Vec<f32>,
    /// This hop's samples, as far as they were there.
    fresh: Vec<f32>,
}

impl Holding {
    /// Nothing is held yet, for hops of this length.
    #[must_use]
    pub fn new(hop: usize) -> Self {
        Self { hop, held: vec![0.0; hop], fresh: Vec::new() }
    }

    /// What stands in for sample `offset` of a hop, which the model has answered or not.
    pub fn next(&mut self, model: Option<f32>, offset: usize) -> f32 {
        if offset == 0 {
            if self.fresh.len() == self.hop {
                self.held.clone_from(&self.fresh);
            }
            self.fresh.clear();
        }
        self.fresh.extend(model);
        self.held[offset]
    }

    /// Silence was heard, in place of anything.
    pub fn silence(&mut self) {
        *self = Self::new(self.hop);
    }
}
