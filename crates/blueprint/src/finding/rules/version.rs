//! RS8xx: versions, registries, mirrors.

use crate::finding::rule::rules;

rules! {
    NO_VERSION Error "RS801" "no-version" {
        title: "What a cluster uses is pinned",
        why: "Without a version two nodes set up a week apart differ.",
        bad: "k3s nodes without versions.k3s",
        fix: "Add the artifact to [versions].",
        source: "DESIGN 4 (artifacts), FIELD K25"
    }
    VERSION_FORM Error "RS802" "version-form" {
        title: "A version is exact",
        why: "`latest`, `stable`, ranges and half versions name something else tomorrow.",
        bad: "mise = \"latest\"",
        fix: "Write the whole version, k3s = \"v1.36.4+k3s1\".",
        source: "FIELD X3, K25"
    }
    ARTIFACT_NAME Error "RS803" "artifact-name" {
        title: "An artifact's name is an RFC 1123 label",
        why: "It is a folder in every bundle and a key of the lock.",
        bad: "[versions] \"Docker Compose\" = \"2.40.3\"",
        fix: "Use a-z, 0-9 and `-`.",
        source: "DESIGN 4"
    }
    MIRROR_SCHEME Error "RS804" "mirror-scheme" {
        title: "A registry mirror is a URL with its scheme",
        why: "containerd takes an endpoint without http:// or https:// for something else and quietly asks the vendor.",
        bad: "mirrors = [\"registry.lan:5000\"]",
        fix: "Write http://registry.lan:5000 or https://….",
        source: "FIELD K28"
    }
    MIRROR_SELF Error "RS805" "mirror-is-registry" {
        title: "A Docker Hub mirror is not our own registry",
        why: "Docker's mirrors must be pull-through caches; a plain registry answers not found and the mirror is skipped without a word.",
        bad: "[registries.\"docker.io\"] mirrors = [\"http://git.ism.la:5000\"] beside [registries.\"git.ism.la:5000\"]",
        fix: "Run a pull-through cache, or drop the mirror.",
        source: "FIELD D9, X11, PEERS 7.3 #13"
    }
    REGISTRY_HOST Error "RS806" "registry-host" {
        title: "A registry is named by host and port",
        why: "registries.yaml and daemon.json look it up by exactly that; a scheme or a path matches no image.",
        bad: "[registries.\"https://ghcr.io/\"]",
        fix: "Write [registries.\"ghcr.io\"], with :port where it has one; \"*\" means all others.",
        source: "FIELD K28"
    }
    REGISTRY_PASSWORD Error "RS807" "registry-login" {
        title: "A registry login has a user and a password",
        why: "Half a login is none: the registry refuses it with 401, or takes the node for a stranger and says that the image does not exist.",
        bad: "user = \"me\" without password, password without user, or user = \"\"",
        fix: "Write both or neither.",
        source: "k3s: private registry"
    }
    DOWNLOAD_MIRROR Error "RS808" "download-mirror" {
        title: "Download mirrors are URL prefixes that end in a slash",
        why: "They are replaced as text; without the slash https://example.com also matches https://example.com.evil.",
        bad: "from = \"https://github.com\"",
        fix: "Write https://github.com/.",
        source: "DESIGN 4 (mirrors by prefix rewrite)"
    }
    REPOSITORY Error "RS809" "image-repository" {
        title: "The image repository is host/path in lower case",
        why: "Registries refuse upper-case letters, schemes and tags there.",
        bad: "repository = \"https://ghcr.io/Me\"",
        fix: "Write ghcr.io/me.",
        source: "OCI distribution specification"
    }
    UNUSED_K3S_VERSION Warning "RS810" "unused-k3s-version" {
        title: "Only a k3s cluster pins k3s",
        why: "It is downloaded into every bundle and never used.",
        bad: "orchestrator = \"compose\" with versions.k3s",
        fix: "Take it out.",
        source: "PEERS 7.2 (orchestrator)"
    }
    PACKAGE_FILE Error "RS811" "package-file" {
        title: "A package file has an exact version and a source that is one .deb",
        why: "The version goes into addresses and names, where an epoch can't stand; anything but a Debian package is refused by apt on the node, long after the bundle was made.",
        bad: "[package-files.tzdata] version = \"1:2025b-4\", source = \"packages/\"",
        fix: "Write version = \"2025b-4+deb13u1\" and source = \"file:../packages/tzdata_{version}_all.deb\", or an https address.",
        source: "deb-version(7), decision 0058"
    }
    UNUSED_PACKAGE_FILE Warning "RS812" "unused-package-file" {
        title: "A package file is for some node",
        why: "No bundle carries a file that no node's apt can install, so the node that was meant goes without it.",
        bad: "[package-files.tzdata] os = \"debian-12\" where every node has debian-13",
        fix: "Write os as a node has it, family and release, or take it out.",
        source: "decision 0058"
    }
}
