//! The wall around tract: one small network, run on micro-batches of eight windows.
//!
//! Larger batches make tract's convolutions slower per window, so windows of several appliances are scored eight at a
//! time. A single one is, too, beside seven that are empty: for another size tract takes other kernels on some processors
//! (those with AVX-512), which give other bits, and the order in which a hub collects windows must never change a score.

use std::sync::Arc;

use tract_onnx::prelude::*;

/// Windows in a full micro-batch.
const BATCH: usize = 8;

/// Scaled deviations of one appliance: all steps of the first feature, oldest first, then of the second …
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub(crate) scaled: Vec<f32>,
}

impl Window {
    /// The scaled deviations, feature by feature, oldest step first.
    pub fn scaled(&self) -> &[f32] {
        &self.scaled
    }
}

/// What the autoencoder could not reproduce of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// Mean square error of each feature, in the order of the manifest.
    pub errors: Vec<f32>,
}

impl Reconstruction {
    /// Root of the summed errors.
    pub(crate) fn total(&self) -> f64 {
        self.errors.iter().map(|e| f64::from(*e)).sum::<f64>().sqrt()
    }
}

/// Why windows could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The window was made for another model.
    #[error("window has {got} values, the model takes {expected}")]
    Shape {
        /// Values in the window.
        got: usize,
        /// Values that the model takes.
        expected: usize,
    },
    /// tract failed.
    #[error("running the network failed")]
    Run(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not one finite error a feature.
    #[error("the network gave no finite error for each feature")]
    Output,
}

/// A loaded network.
pub(crate) struct Network {
    features: usize,
    steps: usize,
    plan: Arc<TypedRunnableModel>,
}

impl Network {
    /// Reads ONNX bytes whose input is (batch, features, steps) and whose output is (batch, features).
    pub(crate) fn load(onnx: &[u8], features: usize, steps: usize) -> Result<Self, ScoreError> {
        Ok(Self {
            features,
            steps,
            plan: plan(onnx, features, steps)?,
        })
    }

    /// It refuses every window from now on.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self) {
        self.steps += 1;
    }

    pub(crate) fn run(&self, windows: &[&Window]) -> Result<Vec<Reconstruction>, ScoreError> {
        let expected = self.features * self.steps;
        if let Some(wrong) = windows.iter().find(|w| w.scaled.len() != expected) {
            return Err(ScoreError::Shape {
                got: wrong.scaled.len(),
                expected,
            });
        }
        let mut results = Vec::with_capacity(windows.len());
        for chunk in windows.chunks(BATCH) {
            let mut input = Vec::with_capacity(BATCH * expected);
            chunk.iter().for_each(|w| input.extend_from_slice(&w.scaled));
            input.resize(BATCH * expected, 0.0);
            let errors = self.run_plan(&input)?;
            results.extend(
                errors
                    .chunks_exact(self.features)
                    .take(chunk.len())
                    .map(|e| Reconstruction { errors: e.to_vec() }),
            );
        }
        Ok(results)
    }

    fn run_plan(&self, input: &[f32]) -> Result<Vec<f32>, ScoreError> {
        let tensor =
            Tensor::from_shape(&[BATCH, self.features, self.steps], input).map_err(|e| ScoreError::Run(e.into()))?;
        let outputs = self
            .plan
            .run(tvec!(tensor.into()))
            .map_err(|e| ScoreError::Run(e.into()))?;
        let output = outputs.first().ok_or(ScoreError::Output)?;
        let errors = output
            .to_plain_array_view::<f32>()
            .map_err(|e| ScoreError::Run(e.into()))?;
        let errors: Vec<f32> = errors.iter().copied().collect();
        let finite = errors.iter().all(|e| e.is_finite());
        if errors.len() == BATCH * self.features && finite {
            Ok(errors)
        } else {
            Err(ScoreError::Output)
        }
    }
}

fn plan(onnx: &[u8], features: usize, steps: usize) -> Result<Arc<TypedRunnableModel>, ScoreError> {
    let load = || {
        tract_onnx::onnx()
            .model_for_read(&mut std::io::Cursor::new(onnx))?
            .with_input_fact(0, f32::fact([BATCH, features, steps]).into())?
            .into_optimized()?
            .into_runnable()
    };
    load().map_err(|e| ScoreError::Run(e.into()))
}
