//! Commands: the last resort. The probe decides whether one is needed, before and after.

use std::time::Duration;

use desired::observed::{Answer, Observed};
use desired::resource::ResourceId;

use super::{PerformError, Performer};
use crate::journal::{After, Before, More};
use crate::observe::run::{call, observe};

/// A command may pull an image over a slow line.
const LONGEST: Duration = Duration::from_secs(1800);

impl Performer<'_> {
    pub(super) fn command(
        &mut self,
        id: &ResourceId,
        name: &str,
        command: &[String],
        unless: &[String],
    ) -> Result<(), PerformError> {
        let before = Before { place: None, more: Some(More::Run { name: name.to_owned() }) };
        self.change(id, before, None, |this| {
            let words =
                call(command).ok_or_else(|| PerformError::Other("its command has no words".to_owned()))?;
            words.timeout(LONGEST).run()?;
            match observe(this.root, unless) {
                Observed::Run { needed: Answer::Known(false) } => Ok(After::default()),
                _ => Err(PerformError::NoEffect { command: command.join(" "), probe: unless.join(" ") }),
            }
        })
    }
}
