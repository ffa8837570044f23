//! `serve`: the bundles that were built, by HTTP on the LAN, for nodes whose cards have no room for theirs.
//!
//! In: what `build-images` made. Out: each bundle at `/<cluster>/<file>`, and a line for each answer, until ^C. Nothing else of
//! this machine can be asked for; a node compares the digest that its card names.

use crate::common::Common;
use crate::exit::{Code, Failure, Outcome};
use crate::load;
use crate::verbs::build_images::current;
use anyhow::Context as _;
use clap::Args;
use desired::ByteSize;
use host::serve::{Answered, Server};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Clusters; all if none is named
    #[arg(value_name = "CLUSTER")]
    clusters: Vec<String>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8742")]
    listen: SocketAddr,
    /// Where `build-images` put its output
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

/// Serves until it is ended.
pub fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let mut files = BTreeMap::new();
    for (_, model) in load::load_valid(common, &arguments.clusters)? {
        let built = current::built(common, &arguments.out, &model)?;
        for bundle in &built.manifest.bundles {
            files.insert(format!("/{}/{}", model.name, bundle.file), built.folder.join(&bundle.file));
        }
    }
    let paths: Vec<String> = files.keys().cloned().collect();
    let server = Server::bind(arguments.listen, files)
        .with_context(|| format!("listen at {}; is another one at work there?", arguments.listen))
        .map_err(Failure::with(Code::Missing))?;
    let address = server.address().context("tell where it listens")?;
    let mut text = format!("serving at http://{address}, ^C ends it\n");
    paths.iter().for_each(|path| text += &format!("  {path}\n"));
    anstream::stdout().lock().write_all(text.as_bytes()).context("write the answer")?;
    server.run(say).context("accept connections")?;
    Ok(Code::Done)
}

fn say(answered: &Answered) {
    let Answered { peer, path, status, bytes } = answered;
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(anstream::stderr().lock(), "{peer} {status} {path} {}", ByteSize(*bytes));
}
