//! Data that a script unpacks: compressed, and written in letters.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How much time may be spent to make it small (RFC 1950 has no word for it): 1 to 10.
const LEVEL: u8 = 10;

/// Bytes as zlib's format (RFC 1950) in base64 (RFC 4648).
pub(crate) fn packed(bytes: &[u8]) -> String {
    base64(&miniz_oxide::deflate::compress_to_vec_zlib(bytes, LEVEL))
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let number = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let digit = number >> (18 - 6 * place) & 63;
            let digit = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit));
            let is_there = place <= three.len();
            out.push(digit.filter(|_| is_there).map_or('=', |digit| char::from(*digit)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (text, expected) in
            [("", ""), ("labsim", "bGFic2lt"), ("page", "cGFnZQ=="), ("walks", "d2Fsa3M=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
