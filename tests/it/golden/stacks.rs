//! The Compose files that we make have no mistake that `check` would find in a person's.

use anyhow::ensure;
use blueprint::parse::Source;
use blueprint::resolve::{Profile, resolve};
use tests::clusters::{models, profile, stand_in_pins};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    vec![Trial::new(Ring::Golden, "stacks::check_finds_nothing_in_what_render_makes", |_| clean())]
}

fn clean() -> anyhow::Result<()> {
    let mut count = 0;
    for model in models()? {
        let folder = model.name.as_str();
        let tree = blueprint::render::cluster(&model, &stand_in_pins(&model)?)?;
        let (cluster, roles) = profile(folder)?;
        for (path, entry) in tree.iter() {
            let Some(place) = path.strip_prefix("chezmoi/dot_config/docker/compose/") else { continue };
            if !place.ends_with("/compose.yaml") {
                continue;
            }
            let text = String::from_utf8(entry.content.clone())?;
            let files = [Source::new(format!("{folder}/services/{place}"), text)];
            let found =
                resolve(&Profile { folder, cluster: &cluster, roles: &roles, files: &files }).findings;
            let ours: Vec<_> = found.iter().filter(|finding| *finding.file == *files[0].path).collect();
            ensure!(ours.is_empty(), "{place}: {ours:#?}");
            count += 1;
        }
    }
    ensure!(count >= 7, "only {count} stacks");
    Ok(())
}
