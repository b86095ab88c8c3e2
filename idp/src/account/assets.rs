//! The static files of the pages.

use std::sync::LazyLock;

use axum::Router;
use platform::assets::{Assets, MARK};

pub const STYLE: &str =
    concat!(include_str!("../../../platform/static/base.css"), include_str!("../static/style.css"));
pub const SCRIPT: &str = include_str!("../static/app.js");

static ASSETS: LazyLock<Assets> =
    LazyLock::new(|| Assets::new(&[("style.css", STYLE), ("app.js", SCRIPT), ("mark.svg", MARK)]));

/// `GET /static/{hash}/{name}`.
pub fn router() -> Router {
    ASSETS.router()
}

/// The path of a file, for a page to link.
pub fn url(name: &str) -> String {
    ASSETS.url(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_and_the_script_stay_small() {
        assert!(STYLE.len() < 12_000, "style.css has {} bytes", STYLE.len());
        assert!(SCRIPT.len() < 4_000, "app.js has {} bytes", SCRIPT.len());
    }
}
