//! The preview: a node's resources as files a person can read, diff and, without our binary, copy.
//!
//! In: the gathered resources and the families' extra files. Out: `README.txt`, `resources.json`, `rootfs/<path>` for every
//! file, managed block (the block alone, in its markers) and secret file (each hole as `<reference>`).

use std::fmt::Write as _;

use desired::block::Markers;
use desired::resource::{Resource, SecretPart, Want};
use desired::{FileSet, Mode};

use super::RenderError;
use crate::model::{Model, Node};

/// The files that show what `node` is given.
///
/// # Errors
/// If an extra file takes the place of one of these.
pub fn files(
    model: &Model,
    node: &Node,
    resources: &[Resource],
    extras: FileSet,
) -> Result<FileSet, RenderError> {
    let invalid = || RenderError::invalid(format!("the files of {}", node.name));
    let mut files = FileSet::new();
    for (path, mode, content) in root_files(resources) {
        files.insert(&format!("rootfs{path}"), mode, content).map_err(invalid())?;
    }
    super::merge(&mut files, extras, &node.name)?;
    let mut json = serde_json::to_string_pretty(resources).map_err(RenderError::json("resources.json"))?;
    json.push('\n');
    files.insert("resources.json", Mode::PUBLIC, json).map_err(invalid())?;
    let readme = readme(model, node, resources, &files);
    files.insert("README.txt", Mode::PUBLIC, readme).map_err(invalid())?;
    Ok(files)
}

/// Path, mode and text of everything that has a text; blocks of one file stand one below the other.
fn root_files(resources: &[Resource]) -> Vec<(String, Mode, String)> {
    let mut files: Vec<(String, Mode, String)> = Vec::new();
    for resource in resources {
        match &resource.want {
            Want::File { path, mode, content, .. } => files.push((path.to_string(), *mode, content.clone())),
            Want::SecretFile { path, mode, parts, .. } => {
                files.push((path.to_string(), *mode, with_holes(parts)));
            }
            Want::ManagedBlock { path, name, comment, content } => {
                let block = block(comment, name, content);
                match files.iter_mut().find(|(standing, ..)| standing == path.as_str()) {
                    Some((_, _, text)) => text.push_str(&block),
                    None => files.push((path.to_string(), Mode::PUBLIC, block)),
                }
            }
            _ => {}
        }
    }
    files
}

/// A managed block as it stands in its file, markers included.
fn block(comment: &str, name: &str, content: &str) -> String {
    let spliced =
        Markers::new(comment, name).splice(b"", content).expect("an empty file has no wrong markers");
    String::from_utf8(spliced).expect("three texts make a text")
}

/// A secret file's text with `<reference>` where a value comes in on the node.
fn with_holes(parts: &[SecretPart]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            SecretPart::Text(piece) => text.push_str(piece),
            // Writing to a String cannot fail.
            SecretPart::Secret(reference) => {
                let _ = write!(text, "<{reference}>");
            }
        }
    }
    text
}

/// Says which node this is and what lies beside the readme.
fn readme(model: &Model, node: &Node, resources: &[Resource], files: &FileSet) -> String {
    let mut text = format!(
        "{} of cluster {}: {} {}, {}, {}\nRoles: {}\n\nresources.json  everything this node shall be, in the order it is made\n",
        node.name,
        model.name,
        node.os.family.as_str(),
        node.os.release,
        node.arch,
        node.address,
        if node.roles.is_empty() { "none".to_owned() } else { node.roles.join(", ") },
    );
    if files.iter().any(|(path, _)| path.starts_with("rootfs/")) {
        text.push_str(
            "rootfs/         its files; <reference> marks where a secret is put in on the node,\n                a block between BEGIN and END marks is a part of a file that others write too\n",
        );
    }
    for (path, _) in
        files.iter().filter(|(path, _)| !path.starts_with("rootfs/") && *path != "resources.json")
    {
        let purpose = match path {
            "join-k3s.sh" => "does the k3s part by hand, without our binary; run it with -h",
            _ => "see its first lines",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{path:<15} {purpose}");
    }
    text.push_str(if resources.is_empty() { "\nResources: none\n" } else { "\nResources:\n" });
    for resource in resources {
        let _ = writeln!(text, "  {}", resource.id);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_files_show_holes_and_blocks_their_marks() {
        let block = |name: &str| {
            Resource::new(Want::ManagedBlock {
                path: "/etc/hosts".parse().unwrap(),
                name: name.to_owned(),
                comment: "#".to_owned(),
                content: "x\n".to_owned(),
            })
        };
        let secret = Resource::new(Want::SecretFile {
            path: "/etc/samba/credentials/nas".parse().unwrap(),
            mode: Mode::PRIVATE,
            owner: desired::resource::Owner::root(),
            parts: vec![
                SecretPart::Text("password=".to_owned()),
                SecretPart::Secret("infisical:/samba/X".parse().unwrap()),
                SecretPart::Text("\n".to_owned()),
            ],
        });
        let files = root_files(&[block("a"), block("b"), secret]);
        assert_eq!(
            files[0].2,
            "# BEGIN rootstock a\nx\n# END rootstock a\n# BEGIN rootstock b\nx\n# END rootstock b\n"
        );
        assert_eq!(files[1].2, "password=<infisical:/samba/X>\n");
        assert_eq!(files[1].1, Mode::PRIVATE);
    }
}
