//! Registry logins from Docker's own configuration, so `docker login` is all a person needs to do.
//!
//! In: `config.json` (`auths`, `credHelpers`, `credsStore`) and the helper programs it names. Out: a [`Login`] or none.
//! Secrets stay [`Secret`]; no error here repeats what a file or helper said about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;

use crate::process::{Invocation, ProcessError};
use crate::secret::Secret;

/// How to log in to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password or access token.
        password: Secret,
    },
    /// A token that is exchanged for access tokens (OAuth2 refresh token).
    Identity(Secret),
}

/// Why no login could be had although one is configured.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The configuration can't be read.
    #[error("cannot read the Docker configuration {}: {why}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The helper program failed.
    #[error("the credential helper named in the Docker configuration failed for {registry}")]
    Helper {
        /// The registry.
        registry: String,
        /// How it failed.
        source: ProcessError,
    },
    /// The helper's answer or the stored login is not in the form Docker uses.
    #[error("{origin} holds no usable login for {registry}; run `docker login {registry}` again")]
    Unusable {
        /// The file or helper.
        origin: String,
        /// The registry.
        registry: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// A helper that has to unlock a key ring may ask its user; more than this is a hang.
const HELPER_TIME: Duration = Duration::from_secs(60);

/// The Docker client's configuration file: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
#[must_use]
pub fn config_file() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// The login for `registry` (`host[:port]`) in the configuration file `config`; none when there is no file or no login.
///
/// # Errors
/// If the file or a helper it names can't be used.
pub fn find(registry: &str, config: &Path) -> Result<Option<Login>, CredentialError> {
    let fault = |why: String| CredentialError::Config { path: config.to_owned(), why };
    let bytes = match std::fs::read(config) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error.to_string())),
    };
    // serde's message could quote what it read; position and sort are enough.
    let read: Config = serde_json::from_slice(&bytes)
        .map_err(|error| fault(format!("it is no valid JSON at line {}", error.line())))?;
    let keys = keys(registry);
    let helper = keys.iter().find_map(|key| read.helpers.get(key));
    let helper = helper.or_else(|| (!read.store.is_empty()).then_some(&read.store));
    if let Some(helper) = helper {
        for key in &keys {
            if let Some(login) = ask(helper, key, registry)? {
                return Ok(Some(login));
            }
        }
    }
    let unusable =
        || CredentialError::Unusable { origin: config.display().to_string(), registry: registry.to_owned() };
    match keys.iter().find_map(|key| read.auths.get(key)) {
        Some(auth) => stored(auth).ok_or_else(unusable),
        None => Ok(None),
    }
}

/// Keys under which Docker may have stored a registry.
fn keys(registry: &str) -> Vec<String> {
    let mut keys = vec![registry.to_owned(), format!("https://{registry}"), format!("https://{registry}/")];
    if matches!(registry, "docker.io" | "registry-1.docker.io" | "index.docker.io") {
        keys.push("https://index.docker.io/v1/".to_owned());
    }
    keys
}

/// What an `auths` entry holds: `None` inside is an empty entry, as Docker leaves behind when a helper has the secret.
fn stored(auth: &Auth) -> Option<Option<Login>> {
    if !auth.identitytoken.is_empty() {
        return Some(Some(Login::Identity(Secret::new(&auth.identitytoken))));
    }
    if !auth.username.is_empty() {
        let password = Secret::new(&auth.password);
        return Some(Some(Login::Password { user: auth.username.clone(), password }));
    }
    if auth.auth.is_empty() {
        return Some(None);
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(auth.auth.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    // Docker pads with NUL since its early days.
    let password = Secret::new(password.trim_end_matches('\0'));
    Some(Some(Login::Password { user: user.to_owned(), password }))
}

/// Asks `docker-credential-<helper> get` for `key`; the protocol is one line in, one JSON object out.
fn ask(helper: &str, key: &str, registry: &str) -> Result<Option<Login>, CredentialError> {
    ask_program(&format!("docker-credential-{helper}"), key, registry)
}

fn ask_program(program: &str, key: &str, registry: &str) -> Result<Option<Login>, CredentialError> {
    let call =
        Invocation::new(program).arg("get").stdin(format!("{key}\n")).timeout(HELPER_TIME).accept([0, 1]);
    let output =
        call.run().map_err(|source| CredentialError::Helper { registry: registry.to_owned(), source })?;
    if output.code == 1 {
        // "credentials not found in native keychain", and whatever else is no login.
        return Ok(None);
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout).map_err(|_| {
        CredentialError::Unusable { origin: program.to_owned(), registry: registry.to_owned() }
    })?;
    let secret = Secret::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        "<token>" => Login::Identity(secret),
        _ => Login::Password { user: answer.username, password: secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, registry: &str) -> Result<Option<Login>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        find(registry, &file).map_err(|error| error.to_string())
    }

    fn password(user: &str, password: &str) -> Result<Option<Login>, String> {
        Ok(Some(Login::Password { user: user.to_owned(), password: Secret::new(password) }))
    }

    #[test]
    fn logins_are_found_in_every_form_docker_writes() {
        // "ada:pa:ss" in base64.
        let auth = r#"{"auths":{"registry.lan:5000":{"auth":"YWRhOnBhOnNz"}}}"#;
        assert_eq!(found(auth, "registry.lan:5000"), password("ada", "pa:ss"));
        assert_eq!(found(auth, "other.lan"), Ok(None));
        let hub = r#"{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p"}}}"#;
        assert_eq!(found(hub, "docker.io"), password("u", "p"));
        let token = r#"{"auths":{"https://r.lan":{"identitytoken":"t"}}}"#;
        assert_eq!(found(token, "r.lan"), Ok(Some(Login::Identity(Secret::new("t")))));
        assert_eq!(found(r#"{"auths":{"r.lan":{}}}"#, "r.lan"), Ok(None));
        assert_eq!(find("r.lan", Path::new("/nonexistent/config.json")).unwrap(), None);
    }

    #[test]
    fn faults_never_repeat_what_is_stored() {
        for config in
            [r#"{"auths":{"r.lan":{"auth":"c2VjcmV0"}}}"#, r#"{"auths":{"r.lan":{"auth":{"c2VjcmV0":1}}}}"#]
        {
            let error = found(config, "r.lan").unwrap_err();
            assert!(!error.contains("c2VjcmV0") && !error.contains("secret"), "{error}");
        }
        assert_eq!(
            format!("{:?}", password("u", "hidden")),
            r#"Ok(Some(Password { user: "u", password: [secret] }))"#
        );
    }

    /// A helper that keeps to docker's protocol, knows `key` alone and notes what it was asked for.
    fn helper(folder: &Path, key: &str, answer: &str) -> String {
        let (program, note) = (folder.join("docker-credential-fake"), folder.join("asked"));
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = get ] || exit 2\nread -r key || exit 3\necho \"$key\" >>'{}'\nif [ \"$key\" = '{key}' ]; then\n\
             echo '{answer}'\nelse\necho 'credentials not found in native keychain'\nexit 1\nfi\n",
            note.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        program.display().to_string()
    }

    #[test]
    fn a_helper_is_asked_by_dockers_protocol_and_answers_for_what_it_knows() {
        let folder = tempfile::tempdir().unwrap();
        let stored = r#"{"ServerURL":"https://r.lan","Username":"ada","Secret":"pa:ss"}"#;
        let program = helper(folder.path(), "https://r.lan", stored);
        assert_eq!(
            ask_program(&program, "https://r.lan", "r.lan").unwrap(),
            password("ada", "pa:ss").unwrap()
        );
        assert_eq!(ask_program(&program, "other.lan", "other.lan").unwrap(), None);
        let token = r#"{"ServerURL":"r.lan","Username":"<token>","Secret":"refresh"}"#;
        let program = helper(folder.path(), "r.lan", token);
        let login = ask_program(&program, "r.lan", "r.lan").unwrap();
        assert_eq!(login, Some(Login::Identity(Secret::new("refresh"))));
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, "https://r.lan\nother.lan\nr.lan\n");
    }

    #[test]
    fn an_answer_that_is_no_login_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let program = helper(folder.path(), "r.lan", r#"{"Username":"ada","Secret":{"hidden":1}}"#);
        let error = ask_program(&program, "r.lan", "r.lan").unwrap_err().to_string();
        assert!(error.contains("docker login r.lan") && !error.contains("hidden"), "{error}");
    }

    #[test]
    fn a_helper_that_is_not_there_is_named() {
        let error = found(r#"{"credsStore":"nothing-like-it"}"#, "r.lan").unwrap_err();
        assert!(error.contains("r.lan"), "{error}");
    }
}
