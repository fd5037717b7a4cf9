//! The little linear algebra that a baseline needs, on row-major square matrices of at most 64 rows.

/// Inverse of a symmetric positive definite matrix by Cholesky factorisation (Golub and Van Loan, Matrix Computations,
/// §4.2). `None` if the matrix is not positive definite.
pub(crate) fn invert(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let lower = cholesky(matrix, n)?;
    let mut inverse = vec![0.0; n * n];
    for column in 0..n {
        let solved = solve(&lower, n, column);
        for row in 0..n {
            inverse[row * n + column] = solved[row];
        }
    }
    Some(inverse)
}

fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let rest = matrix[i * n + j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                lower[i * n + i] = rest.sqrt();
            } else {
                lower[i * n + j] = rest / lower[j * n + j];
            }
        }
    }
    Some(lower)
}

/// Solves `L Lᵀ x = e_column`.
fn solve(lower: &[f64], n: usize, column: usize) -> Vec<f64> {
    let mut x = vec![0.0; n];
    x[column] = 1.0;
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| lower[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| lower[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / lower[i * n + i];
    }
    x
}

/// `matrix × vector`.
pub(crate) fn times(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(vector.len())
        .map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_times_matrix_is_identity() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0];
        let inverse = invert(&matrix, 3).unwrap();
        for column in 0..3 {
            let unit: Vec<f64> = (0..3).map(|row| inverse[row * 3 + column]).collect();
            let product = times(&matrix, &unit);
            for (row, value) in product.iter().enumerate() {
                let expected = f64::from(u8::from(row == column));
                assert!((value - expected).abs() < 1e-12, "{row},{column}: {value}");
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_has_no_factor() {
        assert_eq!(invert(&[1.0, 2.0, 2.0, 1.0], 2), None);
        assert_eq!(invert(&[f64::NAN], 1), None);
    }
}
