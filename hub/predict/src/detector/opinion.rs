//! What is told of an alarm besides that it stands, under a model without a network: its name, another one that follows it, and what a second
//! model made of it when it opened.

use std::collections::VecDeque;

use hub_core::prediction::{SecondOpinion, Severity, UNKNOWN_FAULT};
use serde::{Deserialize, Serialize};

use super::generic::Said;
use crate::features::Step;
use crate::generic::ChannelBaseline;
use crate::manifest::{Manifest, Shown};
use crate::naming;
use crate::network::{Reconstruction, Window};

/// State between steps. A byte for each feature and step that the network's window reaches back over, at most 64 steps; nothing of a model
/// that has no such network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opinion {
    /// The newest steps as the network would see them, the oldest first, one of each feature a step.
    seen: VecDeque<i8>,
    /// Of the alarm that stands.
    said: Option<SecondOpinion>,
    /// Class that the deviations have pointed to instead, for so many steps in a row.
    other: Option<(String, u32)>,
}

impl Opinion {
    /// Keeps a step for the network.
    pub(super) fn see(&mut self, shown: &Shown, step: &Step, normals: impl FnOnce() -> Vec<ChannelBaseline>) {
        if step.after_gap {
            self.seen.clear();
        }
        shown.push(&mut self.seen, &normals(), &step.raw);
    }

    /// What the network is shown now; none until enough steps follow each other.
    pub(super) fn window(&self, shown: &Shown) -> Option<Window> {
        shown.window(&self.seen)
    }

    /// What the network said of the alarm that stands.
    pub(super) fn said(&self) -> Option<SecondOpinion> {
        self.said
    }

    /// Whether it may be that of this model.
    pub(super) fn fits(&self, manifest: &Manifest) -> bool {
        let most = manifest.kept_for_opinion();
        self.seen.len() <= most && self.seen.len().is_multiple_of(manifest.features.len())
    }

    /// Takes a step that is concluded: names the alarm when it opens, and asks the network then. Another name is told from the first where
    /// the deviations point to it and no more to the first, for as many steps as an alarm is held.
    pub(super) fn conclude(
        &mut self,
        said: &Said,
        made: Option<&Reconstruction>,
        shown: Option<&Shown>,
        fault: &mut Option<(String, Severity)>,
        manifest: &Manifest,
    ) {
        if !said.alarm() {
            (*fault, self.said, self.other) = (None, None, None);
            return;
        }
        if let (Some(made), Some(shown)) = (made, shown) {
            self.said = Some(match shown.finds(made) {
                true => SecondOpinion::Agrees,
                false => SecondOpinion::Disagrees,
            });
        }
        let (features, rule) = (&manifest.features, &manifest.classification);
        if rule.classes.is_empty() {
            return;
        }
        let named = naming::classify(&said.moved, features, rule);
        let Some(first) = fault.as_ref().map(|(class, _)| class.as_str()) else {
            *fault = Some(named);
            return;
        };
        let is_other =
            named.0 != UNKNOWN_FAULT && named.0 != first && !naming::points_to(first, &said.moved, features, rule);
        let before = self.other.take();
        if !is_other {
            return;
        }
        let steps = match before {
            Some((class, steps)) if class == named.0 => steps.saturating_add(1),
            _ => 1,
        };
        if steps as usize >= manifest.persistence.hold {
            *fault = Some(named);
        } else {
            self.other = Some((named.0, steps));
        }
    }
}
