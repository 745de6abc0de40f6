//! Whether a point lies on P-256. ring looks only when it verifies, so a key that can never verify
//! anything would be enrolled, and its owner locked out at three in the morning.

use p256::PublicKey;

/// Whether `point` (SEC 1, 2.3.3: a form byte, x, y) has reduced coordinates and satisfies
/// y² = x³ − 3x + b.
pub(super) fn holds(point: &[u8; 65]) -> bool {
    // 4 is the one form that has both coordinates in this length.
    point.first() == Some(&4) && PublicKey::from_sec1_bytes(point).is_ok()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXUPPER;

    use super::*;

    /// SP 800-186, 3.2.1.3: the base point.
    const G: &str = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
        4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";

    /// SP 800-186, 3.2.1.3: the field's prime.
    const P: &str = "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF";

    /// The square root of the curve's b: the y of the point whose x is 0.
    const Y_OF_ZERO: &str = "66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4";

    fn base_point() -> [u8; 65] {
        HEXUPPER.decode(G.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_base_point_is_on_the_curve_and_no_neighbour_is() {
        assert!(holds(&base_point()));
        for byte in 0..65 {
            let mut neighbour = base_point();
            neighbour[byte] ^= 1;
            assert!(!holds(&neighbour), "byte {byte}");
        }
    }

    #[test]
    fn a_coordinate_that_is_not_reduced_is_refused() {
        let with = |x: &str| {
            let text = format!("04{x}{Y_OF_ZERO}");
            holds(&HEXUPPER.decode(text.as_bytes()).unwrap().try_into().unwrap())
        };
        assert!(with(&"0".repeat(64)), "x = 0 lies on the curve");
        assert!(!with(P), "the same x in other words");
        assert!(!with(&"F".repeat(64)));
    }

    #[test]
    fn the_point_at_infinity_is_no_key() {
        assert!(!holds(&[0; 65]));
        let mut zeros = [0; 65];
        zeros[0] = 4;
        assert!(!holds(&zeros));
    }
}
