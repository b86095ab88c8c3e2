//! What makes the pages of an installation its own: a name, a logo, an accent colour. Data, never markup.

mod colour;

use std::{fmt, path::PathBuf};

use axum::{Router, body::Bytes};
use serde::Deserialize;

use crate::{
    assets::{Assets, MARK},
    config::Mistakes,
};
use colour::{Accents, Colour};

/// The largest logo, in bytes: it is part of every first visit.
const MAX_LOGO: u64 = 64 * 1024;

/// How the pages look, where that can be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Look {
    /// An SVG, PNG or WebP file, shown beside the name instead of Latchkey's mark.
    pub logo: Option<PathBuf>,
    /// `#rrggbb`. Darkened on light pages and lightened on dark ones as far as reading demands.
    pub accent: Option<String>,
}

impl Look {
    /// Adds what is wrong with these settings, under `<section>.look.…`.
    pub fn check(&self, section: &str, mistakes: &mut Mistakes) {
        if let Err(reason) = self.logo() {
            mistakes.add(format!("{section}.look.logo"), reason);
        }
        if let Err(reason) = self.accents() {
            mistakes.add(format!("{section}.look.accent"), reason);
        }
    }

    fn accents(&self) -> Result<Option<Accents>, String> {
        let Some(text) = &self.accent else { return Ok(None) };
        let colour =
            Colour::parse(text).ok_or_else(|| format!("{text:?} is not a colour such as #2f5bd0"))?;
        Ok(Some(Accents::of(colour)))
    }

    fn logo(&self) -> Result<Option<(&'static str, Bytes)>, String> {
        let Some(path) = &self.logo else { return Ok(None) };
        let name = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => "logo.svg",
            Some("png") => "logo.png",
            Some("webp") => "logo.webp",
            _ => return Err("must be an .svg, .png or .webp file".to_owned()),
        };
        let failed = |error| format!("cannot read {}: {error}", path.display());
        let about = std::fs::metadata(path).map_err(failed)?;
        if !about.is_file() || about.len() > MAX_LOGO {
            return Err(format!("{} is no file of at most {} KiB", path.display(), MAX_LOGO / 1024));
        }
        Ok(Some((name, std::fs::read(path).map_err(failed)?.into())))
    }
}

/// An installation as its pages show it: `Display` is its name.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    icon: &'static str,
    assets: Assets,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Place {
    /// `style` is the service's stylesheet without what `look` adds, `files` what its pages link besides.
    ///
    /// # Errors
    /// What is wrong with the look; [`Look::check`] says it beforehand.
    pub fn new(
        name: &str,
        look: &Look,
        style: &str,
        files: &[(&'static str, &'static str)],
    ) -> Result<Self, String> {
        let accents = look.accents()?;
        let mut style = style.to_owned();
        let mut mark = MARK.to_owned();
        if let Some(accents) = &accents {
            style.push_str(&accents.css());
            mark = mark.replace("#2f5bd0", &accents.light.to_string());
        }
        let (icon, content) = match look.logo()? {
            Some((file, content)) => {
                let url = Assets::new([(file, content.clone())]).url(file);
                style.push_str(&format!(
                    ".brand::before{{mask:none;background:url({url}) center/contain no-repeat}}"
                ));
                (file, content)
            }
            None => ("mark.svg", Bytes::from(mark)),
        };
        let files = files.iter().map(|&(file, text)| (file, Bytes::from_static(text.as_bytes())));
        let files = files.chain([("style.css", Bytes::from(style)), (icon, content)]);
        Ok(Self { name: name.to_owned(), icon, assets: Assets::new(files) })
    }

    /// The path of a file, for a page to link.
    #[must_use]
    pub fn url(&self, file: &str) -> String {
        self.assets.url(file)
    }

    /// The path of the logo or mark.
    #[must_use]
    pub fn icon(&self) -> String {
        self.assets.url(self.icon)
    }

    /// `GET /static/{hash}/{name}`.
    pub fn router(&self) -> Router {
        self.assets.router()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn look(accent: &str, logo: Option<&Path>) -> Look {
        Look { accent: Some(accent.to_owned()), logo: logo.map(Path::to_owned) }
    }

    #[test]
    fn what_cannot_be_used_is_said_where_it_was_set() {
        let mut mistakes = Mistakes::default();
        look("blue", Some(Path::new("/nowhere/logo.svg"))).check("idp", &mut mistakes);
        look("#12345", Some(Path::new("logo.exe"))).check("web", &mut mistakes);
        look("#12345g", None).check("web", &mut mistakes);
        let keys: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(
            keys,
            ["idp.look.logo", "idp.look.accent", "web.look.logo", "web.look.accent", "web.look.accent"]
        );
    }

    #[test]
    fn a_new_colour_or_logo_has_a_new_address() {
        let place = |look: &Look| Place::new("Acme", look, "a{}", &[]).unwrap();
        let plain = place(&Look::default());
        assert_eq!(plain.to_string(), "Acme");
        assert_ne!(place(&look("#b00020", None)).url("style.css"), plain.url("style.css"));
        assert_ne!(place(&look("#b00020", None)).icon(), plain.icon());

        let directory = tempfile::tempdir().unwrap();
        let logo = directory.path().join("logo.png");
        std::fs::write(&logo, b"one").unwrap();
        let one = place(&Look { logo: Some(logo.clone()), accent: None });
        std::fs::write(&logo, b"two").unwrap();
        let two = place(&Look { logo: Some(logo), accent: None });
        assert!(one.icon().ends_with("/logo.png") && one.icon() != two.icon());
        assert_ne!(one.url("style.css"), two.url("style.css"), "the stylesheet links the logo");
    }
}
