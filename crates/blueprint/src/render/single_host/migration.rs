//! `migrate.sh`: from an engine's volumes to the folders of the Compose file (000, Komga config migration).
//!
//! In: a service whose settings name a `backup-path`. Out: POSIX sh that stops, backs up, copies, compares and can go back;
//! run again, it goes on where it was. It reads where an engine keeps a volume, so no helper's image is pulled.

use serde::Serialize;

use crate::model::Service;
use crate::render::{RenderError, application, template};

#[derive(Debug, Serialize)]
struct Context<'a> {
    service: &'a str,
    backups: &'a str,
    variables: Vec<&'a str>,
}

/// The script; nothing where no place for backups is named.
///
/// # Errors
/// If a value has no form in shell.
pub fn script(service: &Service) -> Result<Option<String>, RenderError> {
    let Some(backups) = service.settings.get("backup-path") else { return Ok(None) };
    let variables = application::paths(service).into_keys().collect();
    let context = Context { service: &service.name, backups, variables };
    template::render("single_host/migrate.sh", &context).map(Some)
}
