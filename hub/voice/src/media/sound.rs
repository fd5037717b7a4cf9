//! What is sent to a call: pieces one after the other, so that calls share what they say.

use std::sync::Arc;

/// Something to send, at 8,000 samples a second. A copy shares its pieces.
#[derive(Debug, Clone)]
pub struct Sound {
    pieces: Arc<[Piece]>,
}

/// A part of a sound.
#[derive(Debug, Clone)]
pub enum Piece {
    /// So many samples of silence.
    Silence(usize),
    /// Samples that other sounds may hold too.
    Samples(Arc<[i16]>),
}

impl Sound {
    /// A sound of these pieces, in order.
    pub fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces: pieces.into() }
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its samples, from the first one.
    pub fn samples(&self) -> Samples {
        Samples {
            sound: self.clone(),
            piece: 0,
            at: 0,
        }
    }
}

/// The samples of a sound, one by one.
#[derive(Debug)]
pub struct Samples {
    sound: Sound,
    piece: usize,
    at: usize,
}

impl Iterator for Samples {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        loop {
            let sample = match self.sound.pieces.get(self.piece)? {
                Piece::Silence(len) => (self.at < *len).then_some(0),
                Piece::Samples(samples) => samples.get(self.at).copied(),
            };
            if sample.is_some() {
                self.at += 1;
                return sample;
            }
            (self.piece, self.at) = (self.piece + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_one_another_without_a_gap() {
        let word: Arc<[i16]> = Arc::from(vec![1, 2]);
        let nothing: Arc<[i16]> = Arc::from(Vec::new());
        let sound = Sound::new(vec![
            Piece::Silence(2),
            Piece::Samples(Arc::clone(&word)),
            Piece::Samples(nothing),
            Piece::Silence(0),
            Piece::Samples(word),
            Piece::Silence(1),
        ]);
        let mut samples = sound.samples();
        assert_eq!(samples.by_ref().collect::<Vec<_>>(), [0, 0, 1, 2, 1, 2, 0]);
        assert_eq!(samples.next(), None);
        assert_eq!(Sound::new(Vec::new()).samples().next(), None);
    }
}
