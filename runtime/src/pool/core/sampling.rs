//! Profiles: asking the workers that run an item where they are, at a steady rate, and counting what they say.

use super::Core;
use crate::ids::Seq;
use crate::pool::profile::Profile;
use crate::pool::slot::State;

/// Samples under way.
#[derive(Debug)]
pub(super) struct Sampling {
    /// Nanoseconds from one to the next.
    every: u64,
    /// When the next one is due.
    next: u64,
    profile: Profile,
}

impl Sampling {
    /// So many a second.
    pub fn new(frequency: u32) -> Self {
        Sampling {
            every: 1_000_000_000 / u64::from(frequency.max(1)),
            next: 0,
            profile: Profile::new(frequency),
        }
    }
}

impl Core {
    /// When workers are to be asked; never while none has anything to do.
    pub(super) fn next_sample(&self) -> u64 {
        let runs = |at: usize| self.is_sampled(at);
        match &self.sampling {
            Some(sampling) if (0..self.places.len()).any(runs) => sampling.next,
            _ => u64::MAX,
        }
    }

    fn is_sampled(&self, at: usize) -> bool {
        let slot = &self.places[at].slot;
        matches!(slot.state(), State::Serving { .. }) && slot.unfinished() > 0
    }

    /// Asks them, if it is time. A signal that comes while the one before is still to be delivered is none, so that a worker
    /// has at most as many requests as it is asked for here.
    pub(super) fn ask_for_samples(&mut self, time: u64) {
        match &mut self.sampling {
            Some(sampling) if time >= sampling.next => {
                sampling.next = time.saturating_add(sampling.every);
            }
            _ => return,
        }
        for at in 0..self.places.len() {
            let sampled = self.is_sampled(at);
            let place = &mut self.places[at];
            if let (Some(kill), true) = (&place.kill, sampled && place.slot.is_running()) {
                kill.interrupt();
                place.asked_for += 1;
            }
        }
    }

    /// A worker's answer. An error means that it cannot be one.
    pub(super) fn on_sample(
        &mut self,
        at: usize,
        seq: Seq,
        requests: u16,
        stack: &[u8],
    ) -> Result<(), String> {
        let place = &mut self.places[at];
        if place.slot.item(seq).is_none() {
            return Err("a sample of an item that it does not run".into());
        }
        let requests = u64::from(requests);
        let left = place.asked_for.checked_sub(requests);
        let (Some(left), Some(sampling)) = (left.filter(|_| requests > 0), &mut self.sampling)
        else {
            return Err("more samples than it was asked for".into());
        };
        place.asked_for = left;
        sampling.profile.add(stack, requests);
        Ok(())
    }

    /// What was gathered so far; nothing in a pool that takes no samples.
    pub fn profile(&self) -> Option<Profile> {
        Some(self.sampling.as_ref()?.profile.clone())
    }
}
