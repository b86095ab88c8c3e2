//! `latchkey keys list|rotate`.

use idp::{
    admin::keys,
    keys::{KeyRing, Rotation},
};
use platform::clock::Clock;

use super::{open, table};
use crate::{Failure, cli::KeysAction, say};

pub(crate) async fn run(action: KeysAction, config: &idp::Config) -> Result<(), Failure> {
    let now = Clock::System.now();
    let ring = KeyRing::open(&config.keys_dir, now)?;
    if let KeysAction::Rotate { now: at_once } = action {
        let rotation = if at_once { Rotation::Now } else { Rotation::Planned };
        keys::rotate(&open(config).await?, &ring, rotation, config, now).await?;
    }
    let row = |key: &idp::keys::KeyInfo| {
        let signs_from = key.activates_at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        [key.kid.clone(), key.algorithm.as_str().to_owned(), signs_from, key.state.to_owned()]
    };
    let rows: Vec<[String; 4]> = ring.list().iter().map(row).collect();
    table(["KEY", "ALGORITHM", "SIGNS FROM", "NOW IT"], &rows)?;
    if matches!(action, KeysAction::Rotate { .. }) {
        say("\nRunning servers notice within 30 seconds.")?;
    }
    Ok(())
}
