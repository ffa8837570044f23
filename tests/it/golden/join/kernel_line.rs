//! The kernel's command line of a Raspberry Pi: our words among others', and given back to the byte.

use super::{DONE, expect, golden, same};
use anyhow::ensure;
use desired::resource::{Resource, Want};
use std::path::Path;
use tests::node::{Node, memory_cgroup, whole_tree};
use tests::ring::Trial;

const FILE: &str = "/boot/firmware/cmdline.txt";
const FRESH: &str = "console=tty1 root=PARTUUID=1-02 rootwait quiet\n";
const JOINED: &str = "console=tty1 root=PARTUUID=1-02 rootwait cgroup_memory=1 cgroup_enable=memory quiet\n";

pub fn trials() -> Vec<Trial> {
    vec![
        golden("join::words_are_put_into_the_kernels_line", put_in),
        golden("join::a_kernel_that_has_it_already_is_left_alone", needless),
        golden("join::a_line_no_kernel_reads_as_meant_is_left_alone", broken),
        golden("join::our_words_are_found_among_later_ones", edited_since),
    ]
}

/// The page size of a Raspberry Pi 5, in a section of its own.
fn page_size() -> Resource {
    Resource::new(Want::ManagedBlock {
        path: "/boot/firmware/config.txt".parse().expect("a legal path"),
        name: "page-size".to_owned(),
        comment: "#".to_owned(),
        content: "[pi5]\nkernel=kernel8.img\n[all]\n".to_owned(),
    })
}

fn put(node: &Node, path: &str, text: &str) -> anyhow::Result<()> {
    let path = node.at(path);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    Ok(std::fs::write(path, text)?)
}

fn is(node: &Node, wanted: &str) -> anyhow::Result<()> {
    let found = std::fs::read_to_string(node.at(FILE))?;
    ensure!(found == wanted, "{found:?} instead of {wanted:?}");
    Ok(())
}

fn put_in() -> anyhow::Result<()> {
    let node = Node::new(&[memory_cgroup(), page_size()])?;
    put(&node, "/proc/cmdline", "cgroup_disable=memory console=tty1 root=PARTUUID=1-02 rootwait quiet\n")?;
    put(&node, "/proc/sys/kernel/random/boot_id", "1d0c\n")?;
    let before = whole_tree(node.root())?;
    let shown = ["~ managed-line:/boot/firmware/cmdline.txt", "words cgroup_memory=1 cgroup_enable=memory"];
    expect(&node.call("plan")?.run()?, DONE, &shown)?;
    // Converged, and everybody is told that it has no effect yet.
    expect(
        &node.join()?,
        DONE,
        &["> managed-line:/boot/firmware/cmdline.txt", "when the machine starts again", "converged"],
    )?;
    is(&node, JOINED)?;
    let waits = [
        "restart      needed for managed-line:/boot/firmware/cmdline.txt",
        "restart      needed for managed-block:/boot/firmware/config.txt#page-size",
    ];
    expect(&node.call("status")?.run()?, DONE, &waits)?;
    // It has started again.
    put(&node, "/proc/cmdline", &format!("cgroup_disable=memory {JOINED}"))?;
    put(&node, "/proc/sys/kernel/random/boot_id", "2e1d\n")?;
    let output = node.call("status")?.run()?;
    expect(&output, DONE, &["converged"])?;
    ensure!(!tests::programs::said(&output).contains("restart"), "{}", tests::programs::said(&output));
    expect(&node.join()?, DONE, &["nothing to do"])?;
    expect(&node.leave()?, DONE, &["given back"])?;
    put(&node, "/proc/cmdline", "cgroup_disable=memory console=tty1 root=PARTUUID=1-02 rootwait quiet\n")?;
    put(&node, "/proc/sys/kernel/random/boot_id", "1d0c\n")?;
    same(&before, &whole_tree(node.root())?, "after leave")
}

/// FIELD K1: newer kernels have the memory cgroup without being asked.
fn needless() -> anyhow::Result<()> {
    let node = Node::new(&[memory_cgroup()])?;
    put(&node, "/proc/cmdline", FRESH)?;
    put(&node, "/sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n")?;
    expect(&node.join()?, DONE, &["converged"])?;
    is(&node, FRESH)?;
    // Without it after the next start, they are needed after all.
    put(&node, "/sys/fs/cgroup/cgroup.controllers", "cpu io pids\n")?;
    expect(&node.call("plan")?.arg("--detailed-exitcode").run()?, 3, &["managed-line"])
}

/// FIELD K2, K3.
fn broken() -> anyhow::Result<()> {
    for (text, why) in [
        ("root=X rootwait\ncgroup_enable=memory\n", "line 2 is not empty"),
        ("console=tty1 rootwait\n", "no root="),
        ("root=X\trootwait\n", "tab"),
    ] {
        let node = Node::new(&[memory_cgroup()])?;
        put(&node, FILE, text)?;
        let output = node.join()?;
        expect(&output, 1, &["FAILED   managed-line:/boot/firmware/cmdline.txt", why])?;
        is(&node, text)?;
    }
    let node = Node::new(&[memory_cgroup()])?;
    std::fs::remove_file(node.at(FILE))?;
    expect(&node.join()?, 1, &["is the boot partition mounted"])?;
    ensure!(!node.at(FILE).exists(), "a command line was made up");
    Ok(())
}

/// A new kernel's package, or a person, has written the file anew around our words.
fn edited_since() -> anyhow::Result<()> {
    let node = Node::new(&[memory_cgroup()])?;
    expect(&node.join()?, DONE, &["converged"])?;
    put(&node, FILE, &JOINED.replace("quiet", "quiet  fixrtc"))?;
    expect(&node.join()?, DONE, &["nothing to do"])?;
    expect(&node.leave()?, DONE, &["restored  managed-line"])?;
    is(&node, &FRESH.replace("quiet", "quiet  fixrtc"))
}
