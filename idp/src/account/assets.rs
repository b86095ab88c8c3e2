//! The static files of the pages.

use platform::place::Place;

use crate::config::Config;

const STYLE: &str =
    concat!(include_str!("../../../platform/static/base.css"), include_str!("../static/style.css"));
const SCRIPT: &str = include_str!("../static/app.js");

/// What every page shows and links.
pub fn place(config: &Config) -> Result<Place, String> {
    Place::new(&config.name, &config.look, STYLE, &[("app.js", SCRIPT)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_and_the_script_stay_small() {
        assert!(STYLE.len() < 12_000, "style.css has {} bytes", STYLE.len());
        assert!(SCRIPT.len() < 8_000, "app.js has {} bytes", SCRIPT.len());
    }
}
