//! Eigenvalues of a small symmetric matrix.

/// Rounds over all pairs: eight channels need five.
const ROUNDS: usize = 30;

/// Eigenvalues with their directions, the largest first, by Jacobi's rotations (Golub and Van Loan, Matrix Computations, §8.5).
pub fn eigen(mut matrix: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut directions = vec![0.0; n * n];
    (0..n).for_each(|i| directions[i * n + i] = 1.0);
    for _ in 0..ROUNDS {
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut directions, n, (p, q));
            }
        }
    }
    let mut all: Vec<(f64, Vec<f64>)> = (0..n)
        .map(|i| (matrix[i * n + i], (0..n).map(|row| directions[row * n + i]).collect()))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

fn rotate(matrix: &mut [f64], directions: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let apart = matrix[p * n + q];
    if apart.abs() < 1e-15 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * apart);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..n {
        let (kp, kq) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = cosine * kp - sine * kq;
        matrix[k * n + q] = sine * kp + cosine * kq;
    }
    for k in 0..n {
        let (pk, qk) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = cosine * pk - sine * qk;
        matrix[q * n + k] = sine * pk + cosine * qk;
        let (kp, kq) = (directions[k * n + p], directions[k * n + q]);
        directions[k * n + p] = cosine * kp - sine * kq;
        directions[k * n + q] = sine * kp + cosine * kq;
    }
}
