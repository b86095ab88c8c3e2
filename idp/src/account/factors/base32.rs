//! Base 32, RFC 4648 §6, without padding: what authenticator apps read, and people type.

pub const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Five bits a letter; the last one is filled up with zeros.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| usize::from(byte >> (7 - index % 8) & 1));
    let value = |start: usize| (start..start + 5).fold(0, |value, index| value << 1 | bit(index));
    let letters = (0..bytes.len() * 8).step_by(5).filter_map(|start| LETTERS.get(value(start)));
    letters.map(|letter| char::from(*letter)).collect()
}

/// In groups of four, which eyes and fingers can follow.
#[must_use]
pub fn grouped(text: &str, separator: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10.
    #[test]
    fn the_examples_of_the_specification_are_written_as_there() {
        let examples = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (bytes, text) in examples {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        assert_eq!(grouped("MZXW6YTBOI", " "), "MZXW 6YTB OI");
    }
}
