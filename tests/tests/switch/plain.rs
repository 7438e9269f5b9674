//! Switching as the documentation has it, sample by sample.

/// The gain at each sample that a session of several engines is expected to have, engine failures apart.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    gains: Vec<f32>,
    /// Hops that each engine hears before it is heard.
    lead_in: Vec<usize>,
    hop: usize,
    fade: usize,
    wanted: usize,
    heard: usize,
    /// Who fades in, or is to: hops that it has yet to hear, samples of the fade that are done.
    joining: Option<(usize, usize, usize)>,
    /// How often two engines ran.
    pub(crate) pairs: usize,
    /// The engines that ran for each hop.
    pub(crate) ran: Vec<Vec<usize>>,
}

impl Plain {
    pub(crate) fn new(gains: Vec<f32>, lead_in: Vec<usize>, hop: usize, fade: usize) -> Self {
        let ran = Vec::new();
        Self { gains, lead_in, hop, fade, wanted: 0, heard: 0, joining: None, pairs: 0, ran }
    }

    pub(crate) fn ask(&mut self, engine: usize) {
        self.wanted = engine;
    }

    /// The engine that is asked for is exchanged: for a new one, to which the session switches.
    pub(crate) fn exchange(&mut self, gain: f32) {
        self.gains.push(gain);
        self.lead_in.push(0);
        self.wanted = self.gains.len() - 1;
    }

    pub(crate) fn heard(&self) -> usize {
        self.heard
    }

    pub(crate) fn reset(&mut self) {
        (self.heard, self.joining) = (self.wanted, None);
        self.ran.clear();
    }

    /// What the next hop makes of these samples.
    pub(crate) fn hop(&mut self, samples: &[f32]) -> Vec<f32> {
        assert_eq!(samples.len(), self.hop);
        match self.joining {
            Some((_, _, done)) if done > 0 => {}
            Some((engine, _, _)) if engine == self.wanted => {}
            _ if self.wanted == self.heard => self.joining = None,
            _ => self.joining = Some((self.wanted, self.lead_in[self.wanted], 0)),
        }
        if let Some((engine, 0, _)) = self.joining
            && self.fade == 0
        {
            (self.heard, self.joining) = (engine, None);
        }
        let old = self.gains[self.heard];
        self.ran.push(vec![self.heard]);
        let Some((engine, left, mut done)) = self.joining else {
            return samples.iter().map(|x| old * x).collect();
        };
        self.pairs += 1;
        self.ran.last_mut().unwrap().push(engine);
        if left > 0 {
            self.joining = Some((engine, left - 1, 0));
            return samples.iter().map(|x| old * x).collect();
        }
        let up = self.wanted != self.heard;
        let new = self.gains[engine];
        let mut mixed = Vec::new();
        for x in samples {
            done = if up { (done + 1).min(self.fade) } else { done.saturating_sub(1) };
            let (a, b) = (old * x, new * x);
            mixed.push(match done {
                0 => a,
                all if all == self.fade => b,
                part => a + (b - a) * (part as f32 / self.fade as f32),
            });
        }
        self.joining = Some((engine, 0, done));
        if up && done == self.fade {
            (self.heard, self.joining) = (engine, None);
        } else if !up && done == 0 {
            self.joining = None;
        }
        mixed
    }
}
