//! cloud-init's three files: what the machine is, who it is, and how it reaches the network.
//!
//! Documents are structures that a serializer writes: no value, whatever it holds, can become a key (FIELD P6, P19).

use desired::Digest;
use desired::card::Lasts;
use serde::Serialize;

use super::{Edits, Request, SeedError, Supplies, UNIT, UNIT_TEXT, network};
use crate::escape::yaml;
use crate::model::Card;

/// Only a file that begins so is read as settings (FIELD P19).
const HEAD: &str = "#cloud-config\n";
/// Where the script lies on the node.
const SCRIPT: &str = "/usr/local/lib/rootstock/first-boot";

/// `user-data`; keys as cloud-init's schema names them.
#[derive(Debug, Serialize)]
struct UserData<'a> {
    hostname: &'a str,
    /// The block of the cluster in it is ours, and cloud-init would write the file anew at each boot.
    manage_etc_hosts: bool,
    timezone: &'a str,
    locale: &'a str,
    keyboard: Keyboard<'a>,
    /// One account, in the place of the image's own and with its groups; `users:` would lose them (FIELD P4).
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chpasswd: Option<Passwords<'a>>,
    disable_root: bool,
    ssh_pwauth: bool,
    write_files: Vec<WrittenFile<'a>>,
    runcmd: Vec<Vec<&'static str>>,
}

#[derive(Debug, Serialize)]
struct Keyboard<'a> {
    layout: &'a str,
}

#[derive(Debug, Serialize)]
struct User<'a> {
    name: &'a str,
    gecos: &'a str,
    /// Said, since useradd refuses a name that is a group of the system already, such as Debian's `operator`.
    primary_group: &'a str,
    shell: &'static str,
    /// Said, since images differ in what they do without (FIELD P5).
    sudo: &'static str,
    /// Until [`Passwords`] says otherwise.
    lock_passwd: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh_authorized_keys: Vec<&'a str>,
}

/// By a pipe to chpasswd. As the account's own `passwd` it would be an argument of useradd, and journald keeps those with each
/// line that a process logs, for good.
#[derive(Debug, Serialize)]
struct Passwords<'a> {
    /// Without this word a new one is asked for at the first login.
    expire: bool,
    users: [Password<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Password<'a> {
    name: &'a str,
    r#type: &'static str,
    password: &'a str,
}

#[derive(Debug, Serialize)]
struct WrittenFile<'a> {
    path: &'static str,
    permissions: &'static str,
    content: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct MetaData {
    instance_id: String,
    local_hostname: String,
}

type Files = Vec<(&'static str, String, Lasts)>;

/// All files for cloud-init.
pub(super) fn files(
    request: &Request<'_>,
    card: &Card,
    script: &str,
    edits: &Edits,
) -> Result<Files, SeedError> {
    let Request { model, node, supplies, .. } = request;
    let network = |supplies: &Supplies| network::config(node, card, &model.network, supplies);
    // The instance's name stays on the card in the open; nothing of a secret is in it, not even as a digest.
    let open = Supplies { ssh_keys: supplies.ssh_keys.clone(), ..Supplies::default() };
    let content = [user_data(request, card, script, &open)?, network(&open)?, format!("{edits:?}")].concat();
    let digest = Digest::sha256_of(content.as_bytes()).to_string();
    let short: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
    let meta =
        MetaData { instance_id: format!("{}-{short}", node.name), local_hostname: node.name.to_string() };
    let meta = yaml::document(&meta).map_err(SeedError::inexpressible("meta-data"))?;
    Ok(vec![
        ("user-data", user_data(request, card, script, supplies)?, Lasts::UntilJoined),
        ("meta-data", meta, Lasts::Always),
        ("network-config", network(supplies)?, Lasts::UntilJoined),
        ("rootstock/after/user-data", format!("{HEAD}{{}}\n"), Lasts::Always),
        ("rootstock/after/network-config", network::config_after()?, Lasts::Always),
    ])
}

fn user_data(
    request: &Request<'_>,
    card: &Card,
    script: &str,
    supplies: &Supplies,
) -> Result<String, SeedError> {
    let file = |path, permissions, content| WrittenFile { path, permissions, content };
    let mut write_files = vec![
        file(SCRIPT, "0755", script),
        file("/etc/systemd/system/rootstock-first-boot.service", "0644", UNIT_TEXT),
    ];
    write_files.extend(request.public_key.map(|key| file("/etc/rootstock/key.pub", "0644", key)));
    // Images differ in whether the server runs by itself (FIELD P3).
    let mut runcmd = vec![vec!["systemctl", "enable", "--now", "ssh"]];
    if card.wifi.is_some() {
        runcmd.push(vec!["rfkill", "unblock", "wifi"]);
    }
    runcmd.push(vec!["systemctl", "daemon-reload"]);
    runcmd.push(vec!["systemctl", "enable", UNIT]);
    runcmd.push(vec!["systemctl", "start", "--no-block", UNIT]);
    let password = |hash| Password { name: &card.user, r#type: "hash", password: hash };
    let hash = supplies.password_hash.as_ref().map(super::PasswordHash::expose);
    let data = UserData {
        hostname: request.node.name.as_str(),
        manage_etc_hosts: false,
        timezone: &request.model.timezone,
        locale: &card.locale,
        keyboard: Keyboard { layout: &card.keyboard },
        user: User {
            name: &card.user,
            gecos: &card.user,
            primary_group: &card.user,
            shell: "/bin/bash",
            sudo: "ALL=(ALL) NOPASSWD:ALL",
            lock_passwd: true,
            ssh_authorized_keys: supplies.ssh_keys.iter().map(crate::model::PublicKey::as_str).collect(),
        },
        chpasswd: hash.map(|hash| Passwords { expire: false, users: [password(hash)] }),
        disable_root: true,
        ssh_pwauth: false,
        write_files,
        runcmd,
    };
    let text = yaml::document(&data).map_err(SeedError::inexpressible("user-data"))?;
    Ok(format!("{HEAD}{text}"))
}
