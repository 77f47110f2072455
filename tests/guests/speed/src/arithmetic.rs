//! What is computed: the same source runs in the guest and natively beside it, so that the results are the same to the
//! last bit, and what differs is where the data lies and who compiled the loop.

/// The sum of all numbers.
// WebAssembly's vectors are nothing that a compiler uses unless it is told to; those of x86-64 it uses by itself.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().copied().fold(0, u64::wrapping_add)
}

/// Some rows of the product of two square matrices: `rows` are those of `a`, in `product` go the same of the result.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn multiply(rows: &[f64], b: &[f64], product: &mut [f64], order: usize) {
    for (row, out) in rows
        .chunks_exact(order)
        .zip(product.chunks_exact_mut(order))
    {
        out.fill(0.0);
        for (factor, b_row) in row.iter().zip(b.chunks_exact(order)) {
            for (sum, number) in out.iter_mut().zip(b_row) {
                *sum += factor * number;
            }
        }
    }
}
