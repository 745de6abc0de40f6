//! Whether a point lies on P-256. ring looks only when it verifies, so a key that can never verify
//! anything would be enrolled, and its owner locked out at three in the morning.
//!
//! Public numbers only: nothing here needs to take constant time.

/// A number below 2^256, least significant limb first.
type Number = [u64; 4];

/// The field's prime, SP 800-186, 3.2.1.3.
const P: Number = [0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001];

/// The curve's b; a is −3.
const B: Number =
    [0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7];

/// Whether `point` (SEC 1, 2.3.3: a form byte, x, y) has reduced coordinates and satisfies
/// y² = x³ − 3x + b.
pub(super) fn holds(point: &[u8; 65]) -> bool {
    let [_form, coordinates @ ..] = point;
    let (x, y) = coordinates.split_at(32);
    let (Some(x), Some(y)) = (number(x), number(y)) else { return false };
    let three_x = add(add(x, x), x);
    add(multiply(y, y), three_x) == add(multiply(multiply(x, x), x), B)
}

/// Big-endian bytes as a number below [`P`].
fn number(bytes: &[u8]) -> Option<Number> {
    let (limbs, _) = bytes.as_chunks::<8>();
    let [highest, high, low, lowest] = limbs else { return None };
    let number = [lowest, low, high, highest].map(|limb| u64::from_be_bytes(*limb));
    subtract_prime(number).1.then_some(number)
}

/// `a` + `b` modulo [`P`], both below it.
fn add(a: Number, b: Number) -> Number {
    let mut sum = [0; 4];
    let mut carry = false;
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        (*sum, carry) = a.carrying_add(b, carry);
    }
    let (reduced, borrow) = subtract_prime(sum);
    if borrow && !carry { sum } else { reduced }
}

/// `a` − [`P`] modulo 2^256, and whether `a` was below it.
fn subtract_prime(a: Number) -> (Number, bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    for ((difference, a), p) in difference.iter_mut().zip(a).zip(P) {
        (*difference, borrow) = a.borrowing_sub(p, borrow);
    }
    (difference, borrow)
}

/// `a` · `b` modulo [`P`], bit by bit: a few microseconds, once per key read.
fn multiply(a: Number, b: Number) -> Number {
    let mut product = [0; 4];
    for limb in b.into_iter().rev() {
        for bit in (0..u64::BITS).rev() {
            product = add(product, product);
            if limb.wrapping_shr(bit) & 1 == 1 {
                product = add(product, a);
            }
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXUPPER;

    use super::*;

    /// SP 800-186, 3.2.1.3: the base point.
    const G: &str = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
        4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";

    fn base_point() -> [u8; 65] {
        HEXUPPER.decode(G.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_base_point_is_on_the_curve_and_no_neighbour_is() {
        assert!(holds(&base_point()));
        for byte in 1..65 {
            let mut neighbour = base_point();
            neighbour[byte] ^= 1;
            assert!(!holds(&neighbour), "byte {byte}");
        }
    }

    /// Exactly the points that ring verifies under are on the curve.
    #[test]
    fn the_negative_of_a_point_is_on_the_curve_too() {
        let mut point = base_point();
        let y = number(&point[33..]).unwrap();
        let (negative, _) = (0..4).fold(([0; 4], false), |(mut out, borrow): (Number, bool), i| {
            let (limb, borrow) = P[i].borrowing_sub(y[i], borrow);
            out[i] = limb;
            (out, borrow)
        });
        for (chunk, limb) in point[33..].chunks_mut(8).zip(negative.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        assert!(holds(&point));
    }

    #[test]
    fn a_coordinate_that_is_not_reduced_is_refused() {
        // x = 0 lies on the curve; the same x written as p must not be a second text of it.
        let prime: Vec<u8> = P.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
        assert_eq!(number(&prime), None);
        assert_eq!(number(&[0xff; 32]), None);
        assert_eq!(number(&[0; 32]), Some([0; 4]));
    }

    #[test]
    fn sums_wrap_at_the_prime() {
        let mut last = P;
        last[0] -= 1;
        assert_eq!(add(last, [1, 0, 0, 0]), [0; 4]);
        assert_eq!(add(last, last), [P[0] - 2, P[1], P[2], P[3]]);
        assert_eq!(multiply(last, last), [1, 0, 0, 0], "(-1)(-1)");
    }
}
