//! RS0xx: what a file must be before anything is read from it.

use crate::finding::rule::rules;

rules! {
    NOT_UTF8 Error "RS001" "not-utf-8" {
        title: "A file is UTF-8",
        why: "TOML is defined as UTF-8; any other encoding turns umlauts and accents into other bytes on the way to a node.",
        bad: "description = \"caf\\xe9\" saved as Latin-1",
        fix: "Save the file as UTF-8 without a byte order mark.",
        source: "TOML 1.1, FIELD X12"
    }
    BYTE_ORDER_MARK Error "RS002" "byte-order-mark" {
        title: "A file has no byte order mark",
        why: "Editors on Windows put three invisible bytes in front; tools on a node then miss the first line.",
        bad: "EF BB BF schema-version = 1",
        fix: "Save the file as UTF-8 without a byte order mark.",
        source: "FIELD P19, M11"
    }
    CARRIAGE_RETURN Error "RS003" "carriage-return" {
        title: "Lines end in a line feed alone",
        why: "Carriage returns inside multi-line strings travel into scripts and credentials, where they are part of the value.",
        bad: "name = \"vnext\"\\r\\n",
        fix: "Save the file with Unix line ends (git: core.autocrlf input).",
        source: "FIELD P19, M11, K2"
    }
    NUL_BYTE Error "RS004" "nul-byte" {
        title: "A file holds no NUL byte",
        why: "A NUL means a broken or binary file, often UTF-16 from an editor on Windows.",
        bad: "a file saved as UTF-16",
        fix: "Save the file as UTF-8 text.",
        source: "TOML 1.1"
    }
    EMPTY_FILE Error "RS005" "empty-file" {
        title: "A file is not empty",
        why: "An empty file is most often one whose saving was interrupted.",
        bad: "cluster.toml with 0 bytes",
        fix: "Restore the file, or delete it if it is not wanted.",
        source: "issue: bad input"
    }
    TOO_LARGE Error "RS006" "file-too-large" {
        title: "A file has at most 1 MiB",
        why: "A spec of a thousand nodes has some kilobytes; a larger file is a mistake such as a log or an image under the wrong name.",
        bad: "cluster.toml with 40 MiB",
        fix: "Write many alike nodes as a group; keep data out of profiles.",
        source: "issue: bad input"
    }
    UNREADABLE Error "RS007" "unreadable-file" {
        title: "A file can be read",
        why: "What cannot be read cannot be checked, and is not silently left out.",
        bad: "cluster.toml that belongs to root with mode 0600",
        fix: "Make it a plain file that you may read.",
        source: "issue: bad input"
    }
    LINK_OUT Error "RS008" "link-out-of-profile" {
        title: "No link leads out of the profiles folder",
        why: "A profile is one folder that can be moved, committed and reviewed; a link out of it reads files nobody reviewed.",
        bad: "services/gitea/compose.yaml -> /etc/shadow",
        fix: "Copy the file into the profile.",
        source: "issue: bad input"
    }
    MOJIBAKE Error "RS009" "mojibake" {
        title: "Text is not decoded wrongly",
        why: "Runs such as an a with circumflex followed by a euro sign are UTF-8 that was read as Windows-1252; they would be copied into scripts.",
        bad: "description = \"\u{e2}\u{20ac}\u{2122}\"",
        fix: "Write the character that was meant, or plain ASCII.",
        source: "FIELD X12, document 003"
    }
    UNKNOWN_FILE Warning "RS010" "unknown-file" {
        title: "A profile holds only files that are read",
        why: "A misspelt file name is otherwise ignored without a word.",
        bad: "profiles/vnext/clutser.toml",
        fix: "A profile has cluster.toml, lock.toml and services/; move other files elsewhere.",
        source: "DESIGN 2"
    }
    MISSING_FILE Error "RS011" "missing-cluster-file" {
        title: "A profile has a cluster.toml",
        why: "A folder under profiles/ is a cluster; without this file it says nothing.",
        bad: "profiles/vnext/ with only services/",
        fix: "Write cluster.toml, or remove the folder.",
        source: "DESIGN 2"
    }
    CLIMBING_NAME Error "RS012" "climbing-name" {
        title: "A name does not climb out of its folder",
        why: "Names become folders and files in outputs; one with `..` or a slash would be written elsewhere.",
        bad: "name = \"../vnext\"",
        fix: "Write a plain name: a-z, 0-9 and `-`.",
        source: "issue: bad input"
    }
}
