//! An accent colour that can be read on every page, whatever colour was asked for (WCAG 2.2 §1.4.3).

use std::fmt;

/// sRGB, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour([u8; 3]);

const WHITE: Colour = Colour([255, 255, 255]);
const BLACK: Colour = Colour([0, 0, 0]);
/// As base.css has them: `--bg` of light pages and `--surface` of dark ones, the harder of the two each time.
const LIGHT_PAGE: Colour = Colour([0xf5, 0xf6, 0xf8]);
const DARK_SURFACE: Colour = Colour([0x1c, 0x1f, 0x25]);
/// On an accent that may be of any colour, darker than base.css has it for its own.
const DARK_ON_ACCENT: Colour = Colour([0x0b, 0x0d, 0x12]);
/// The least contrast of text, with a little room for rounding.
const CONTRAST: f64 = 4.55;

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// `#rrggbb`
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let channel = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([channel(0)?, channel(2)?, channel(4)?]))
    }

    /// Relative luminance, WCAG 2.2.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// `share` of `other` in it, from 0 to 1.
    fn mix(self, other: Self, share: f64) -> Self {
        let mut mixed = self.0;
        for (channel, other) in mixed.iter_mut().zip(other.0) {
            *channel = (f64::from(*channel) * (1.0 - share) + f64::from(other) * share).round() as u8;
        }
        Self(mixed)
    }

    /// The nearest to it on the way to `end` that can be read on `page`, and on its own soft shade of it.
    fn readable_on(self, page: Self, end: Self, soft: f64) -> Self {
        let steps = (0..=50).map(|step| self.mix(end, f64::from(step) / 50.0));
        let readable = |colour: &Self| {
            colour.contrast(page) >= CONTRAST && colour.contrast(colour.mix(page, soft)) >= CONTRAST
        };
        steps.clone().find(readable).unwrap_or(end)
    }
}

/// The accent on light and on dark pages.
#[derive(Debug)]
pub(super) struct Accents {
    pub(super) light: Colour,
    dark: Colour,
}

const LIGHT_SOFT: f64 = 0.9;
const DARK_SOFT: f64 = 0.82;

impl Accents {
    pub(super) fn of(colour: Colour) -> Self {
        Self {
            light: colour.readable_on(LIGHT_PAGE, BLACK, LIGHT_SOFT),
            dark: colour.readable_on(DARK_SURFACE, WHITE, DARK_SOFT),
        }
    }

    /// What follows base.css to override its accent.
    pub(super) fn css(&self) -> String {
        let Self { light, dark } = self;
        let (light_soft, dark_soft) = (light.mix(WHITE, LIGHT_SOFT), dark.mix(DARK_SURFACE, DARK_SOFT));
        format!(
            ":root{{--accent:{light};--on-accent:{WHITE};--accent-soft:{light_soft}}}\
             @media(prefers-color-scheme:dark){{\
             :root{{--accent:{dark};--on-accent:{DARK_ON_ACCENT};--accent-soft:{dark_soft}}}}}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_can_be_read() {
        let channel = [0, 64, 128, 192, 255];
        for red in channel {
            for green in channel {
                for blue in channel {
                    let colour = Colour([red, green, blue]);
                    let Accents { light, dark } = Accents::of(colour);
                    let pairs = [
                        (light, WHITE),
                        (light, LIGHT_PAGE),
                        (light, light.mix(WHITE, LIGHT_SOFT)),
                        (dark, DARK_SURFACE),
                        (dark, DARK_ON_ACCENT),
                        (dark, dark.mix(DARK_SURFACE, DARK_SOFT)),
                    ];
                    for (one, two) in pairs {
                        assert!(one.contrast(two) >= 4.5, "{colour}: {one} on {two}");
                    }
                }
            }
        }
    }

    #[test]
    fn pages_are_as_the_stylesheet_has_them() {
        let style = include_str!("../../static/base.css");
        for (property, colour) in [("--bg", LIGHT_PAGE), ("--surface", DARK_SURFACE)] {
            assert!(style.contains(&format!("{property}: {colour};")), "{property}: {colour}");
        }
    }

    #[test]
    fn what_can_be_read_stays_as_it_is() {
        let brand = Colour::parse("#2f5bd0").unwrap();
        assert_eq!(Accents::of(brand).light, brand);
        assert_eq!(Colour::parse("#ffd400").map(|colour| colour.to_string()).as_deref(), Some("#ffd400"));
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.01);
        for wrong in ["2f5bd0", "#2f5bd", "#+a+b+c", "#gggggg", ""] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }
}
