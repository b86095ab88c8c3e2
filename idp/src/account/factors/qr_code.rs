//! QR codes, as one line of an SVG.

use std::fmt::Write;

use qrcode::{Color, QrCode};

/// ISO/IEC 18004: how wide the empty border is.
const QUIET: usize = 4;

/// A QR code, drawn on a square of `size` units.
#[derive(Debug)]
pub struct Drawing {
    pub size: usize,
    /// The `d` of a path that is stroked one unit wide.
    pub path: String,
}

/// `None` when the text is too long for one.
#[must_use]
pub fn draw(text: &str) -> Option<Drawing> {
    let code = QrCode::new(text).ok()?;
    let width = code.width().max(1);
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let _ = write!(path, "M{QUIET} {}.5", y + QUIET);
        for run in row.chunk_by(Color::eq) {
            let _ = match run.first() {
                Some(Color::Dark) => write!(path, "h{}", run.len()),
                _ => write!(path, "m{} 0", run.len()),
            };
        }
    }
    Some(Drawing { size: width + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_has_a_border_and_the_corners_that_scanners_look_for() {
        let drawing = draw("otpauth://totp/a").unwrap();
        assert_eq!(drawing.size, 25 + 8);
        assert!(drawing.path.starts_with("M4 4.5h7m"), "{}", drawing.path);
        assert_eq!(drawing.path.matches('M').count(), 25);
        assert!(draw(&"x".repeat(5000)).is_none());
    }
}
