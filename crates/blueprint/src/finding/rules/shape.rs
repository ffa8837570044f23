//! RS1xx: TOML syntax, keys and types.

use crate::finding::rule::rules;

rules! {
    SYNTAX Error "RS101" "syntax" {
        title: "A file is valid TOML",
        why: "What does not parse has no meaning; each place is told so that one run is enough.",
        bad: "name = \"vnext",
        fix: "Close strings, tables and arrays; write each key once.",
        source: "TOML 1.1"
    }
    UNKNOWN_KEY Error "RS102" "unknown-key" {
        title: "Every key is known",
        why: "A misspelt key that is ignored is a setting that silently does not apply.",
        bad: "adress = \"192.168.1.10\"",
        fix: "Write the key as the schema has it; editors complete it from profiles/schema/.",
        source: "FIELD P3, P12, X1"
    }
    WRONG_TYPE Error "RS103" "wrong-type" {
        title: "Every value has the type its key asks for",
        why: "A number in quotes or a lone string where a list belongs would be read as something else.",
        bad: "capabilities = \"docker\"",
        fix: "Write the type that the finding names.",
        source: "profiles/schema"
    }
    MISSING_KEY Error "RS104" "missing-key" {
        title: "Required keys are there",
        why: "There is no default that would be right for everybody.",
        bad: "[network] without lan",
        fix: "Add the key.",
        source: "profiles/schema"
    }
    UNKNOWN_CHOICE Error "RS105" "unknown-choice" {
        title: "A choice is one of those offered",
        why: "Only these have a meaning.",
        bad: "orchestrator = \"kubernetes\"",
        fix: "Write one of the listed words.",
        source: "profiles/schema"
    }
    SCHEMA_VERSION Error "RS106" "schema-version" {
        title: "The schema version is one this program knows",
        why: "A file for a later version may mean something else by the same words.",
        bad: "schema-version = 2",
        fix: "Write 1, or use the version of the program that the file was written for.",
        source: "DESIGN 3"
    }
    BAD_VALUE Error "RS107" "bad-value" {
        title: "A value can be read as what it stands for",
        why: "Values are parsed once, here, so that nothing later meets a broken one.",
        bad: "max-pods = 99999999999",
        fix: "Write the value as the finding says.",
        source: "profiles/schema"
    }
}
