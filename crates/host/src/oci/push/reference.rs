//! Where an image goes: `host[:port]/repository[:tag]`.

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Host and, unless it is the usual one, port.
    pub registry: String,
    /// Repository, `team/image`.
    pub repository: String,
    /// Tag.
    pub tag: String,
    /// Whether to speak plain HTTP; only if the spec says so.
    pub plain_http: bool,
}

impl Reference {
    /// Reads `host[:port]/repository[:tag]`; the tag is `latest` when left out.
    ///
    /// # Errors
    /// What is wrong with `text`, as a sentence.
    pub fn parse(text: &str, plain_http: bool) -> Result<Self, String> {
        let fault = |why: &str| Err(format!("`{text}` names no place in a registry: {why}"));
        let Some((registry, rest)) = text.split_once('/') else {
            return fault("write registry.lan:5000/repository:tag");
        };
        if !(registry.contains(['.', ':']) || registry == "localhost") {
            return fault("the part before the first / must be a host with a dot or a port");
        }
        if registry.contains(['@', '?', '#']) || registry.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return fault("the host holds a character that hosts don't; logins come from `docker login`");
        }
        let (repository, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
        let part = |part: &str| {
            let inner =
                part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
            let edges = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            inner && edges(part.as_bytes().first()) && edges(part.as_bytes().last())
        };
        if !repository.split('/').all(part) {
            return fault("repositories are of a-z, 0-9, `.`, `_`, `-` between slashes");
        }
        let tag_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if tag.is_empty() || tag.len() > 128 || !tag.bytes().all(tag_byte) || tag.starts_with(['.', '-']) {
            return fault("a tag is of letters, digits, `_`, `.`, `-`, at most 128");
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            plain_http,
        })
    }

    /// The address of `path` below the repository.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.plain_http { "http" } else { "https" };
        // Docker Hub answers under another name than the one people write.
        let host = if self.registry == "docker.io" { "registry-1.docker.io" } else { &self.registry };
        format!("{scheme}://{host}/v2/{}/{path}", self.repository)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_strictly() {
        let good = Reference::parse("registry.lan:5000/team/vnext-bundle:1.0", false).unwrap();
        assert_eq!(good.url("blobs/x"), "https://registry.lan:5000/v2/team/vnext-bundle/blobs/x");
        assert_eq!(Reference::parse("localhost/x", true).unwrap().tag, "latest");
        for bad in [
            "x",
            "team/image",
            "u:p@host.lan/x",
            "r.lan/",
            "r.lan/UP",
            "r.lan/a//b",
            "r.lan/a:",
            "r.lan/a:-x",
            "r.lan/-a",
        ] {
            assert!(Reference::parse(bad, false).is_err(), "{bad}");
        }
    }
}
