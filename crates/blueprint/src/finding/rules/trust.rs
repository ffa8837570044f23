//! RS7xx: secrets.

use crate::finding::rule::rules;

rules! {
    PLAIN_SECRET Error "RS701" "plain-secret" {
        title: "A secret is a reference",
        why: "A profile is committed, copied and built into bundles; a value written there is published.",
        bad: "password = \"…\" with the password itself",
        fix: "Write env:NAME, file:/path, infisical:/folder/KEY or stdin.",
        source: "DESIGN 7, FIELD S1, S4"
    }
    SECRET_SETTING Error "RS702" "secret-setting" {
        title: "Settings whose name says secret hold no value",
        why: "The environment of a container is readable by everybody who may inspect it, and the profile by more.",
        bad: "environment = { DB_PASSWORD = \"…\" }",
        fix: "Move the name to secrets, or use the variant that reads a file (NAME_FILE).",
        source: "FIELD S6, PEERS 7.1 (no secrets in Git)"
    }
    TOKEN_TEXT Error "RS703" "token-in-text" {
        title: "No token or private key stands in a file",
        why: "Join tokens, mesh keys and private keys open the cluster to everyone who sees the profile.",
        bad: "# K10<64 digits>::server:<secret>",
        fix: "Take it out, revoke it, and refer to a new one.",
        source: "FIELD K10, S1"
    }
    SECRET_OPTION Error "RS704" "secret-mount-option" {
        title: "Mount options carry no password",
        why: "fstab is readable by all, and a comma or `$` in the password breaks the line.",
        bad: "options = [\"password=…\"]",
        fix: "Use the share's user and password keys; they become a credentials file.",
        source: "FIELD M11, S4"
    }
    URL_PASSWORD Error "RS705" "url-password" {
        title: "URLs carry no user name with a password",
        why: "They are printed in logs and plans.",
        bad: "to = \"https://user:…@mirror.example/\"",
        fix: "Use the user and password keys of the registry, or a mirror without login.",
        source: "DESIGN 7"
    }
}
