//! Packages by real managers: apt from package files of the bundle with no network at all, dnf and zypper from an
//! archive made here.

use super::carried::{self, JOIN, run};
use anyhow::{Context as _, ensure};
use desired::artifact::Pinned;
use desired::resource::{PackageFile, PackageManager, Resource, Want};
use desired::{ArtifactName, ByteSize, Digest};
use host::process::{Invocation, Output};
use tests::lab::node::{Network, Node as Machine, Options};
use tests::lab::twin::Twin;
use tests::lab::{Lab, Need};
use tests::node::{NODE, Node};
use tests::programs::{answering, expect, folder};
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Engine, Need::Node];
    let by_rpm = |name: &str, manager| {
        let body = move |_: &Lab| of_rpm(manager);
        Trial::new(Ring::Container, format!("packages::{name}_installs_waits_and_says_why_not"), body)
            .needs(&[Need::Rpm])
    };
    vec![
        Trial::new(Ring::Container, "packages::apt_installs_from_the_bundle_alone", carried).needs(&needs),
        by_rpm("dnf", PackageManager::Dnf),
        by_rpm("zypper", PackageManager::Zypper),
    ]
}

/// A Debian package with one file.
fn package(name: &str, fields: &str) -> anyhow::Result<(ArtifactName, Vec<u8>)> {
    let aside = tempfile::tempdir()?;
    let root = aside.path().join("root");
    std::fs::create_dir_all(root.join("DEBIAN"))?;
    std::fs::create_dir_all(root.join("opt/trial"))?;
    std::fs::write(root.join("opt/trial").join(name), name)?;
    let control = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <root@localhost>\n{fields}Description: {name}\n"
    );
    std::fs::write(root.join("DEBIAN/control"), control)?;
    let file = aside.path().join("it.deb");
    let build = Invocation::new("dpkg-deb").args(["--root-owner-group", "--build"]);
    build.arg(&root).arg(&file).run().context("build a package")?;
    Ok((format!("package-{name}").parse()?, std::fs::read(file)?))
}

/// A desk whose bundle wants `trial-top` and carries `files`.
fn desk(files: &[(ArtifactName, Vec<u8>)]) -> anyhow::Result<Node> {
    let one = |(artifact, bytes): &(ArtifactName, Vec<u8>)| {
        let size = Some(ByteSize(bytes.len() as u64));
        let pinned = Pinned::File { digest: Digest::sha256_of(bytes), size };
        (artifact.clone(), PackageFile { file: artifact.to_string(), pinned })
    };
    let want = Resource::new(Want::Packages {
        manager: PackageManager::Apt,
        names: ["trial-top".to_owned()].into(),
        files: files.iter().map(one).collect(),
    });
    let desk = Node::new(&[])?;
    desk.bundle_with(&[want], files)?;
    Ok(desk)
}

fn carried(lab: &Lab) -> anyhow::Result<()> {
    let network = Network::new(lab.engine())?;
    let machine = Machine::start(lab, NODE, &network, &Options::default())?;
    carried::program(&machine)?;
    // No network, and no archive that is known.
    machine.said("sh", &["-c", "ip link set eth0 down; rm /etc/apt/sources.list.d/*"])?;
    let installed = || machine.said("dpkg-query", &["-W", "-f", "${Package} ${Status}\n"]);
    // Lists of the node's own archives may be asked for in vain, which leaves a folder of apt's.
    let listing =
        "find /etc/apt /var/lib/apt /var/lib/rootstock /opt/trial -not -path '*/lists/*' 2>/dev/null | sort";
    let before = (installed()?, machine.said("sh", &["-c", listing])?);
    let top = package("trial-top", "Depends: trial-needed (>= 1.0)\n")?;
    let needed = package("trial-needed", "")?;
    let other = package("trial-other", "")?;

    // Not everything that is needed: which, and nothing is left half-done.
    let lacking = desk(&[top.clone(), other.clone()])?;
    let words = ["package files are not enough", "Depends: trial-needed (>= 1.0)", "[package-files]"];
    expect(&run(&machine, &lacking, &JOIN)?, 1, &words)?;
    ensure!(installed()? == before.0, "something was installed");
    expect(&run(&machine, &lacking, &["leave", "--yes"])?, 0, &["the journal is gone"])?;

    let whole = desk(&[top, needed, other])?;
    expect(&run(&machine, &whole, &JOIN)?, 0, &["done     packages:apt", "converged"])?;
    let there = machine.said("ls", &["/opt/trial"])?;
    ensure!(there.split_whitespace().eq(["trial-needed", "trial-top"]), "installed: {there}");
    expect(&run(&machine, &whole, &JOIN)?, 0, &["nothing to do"])?;
    let state = machine.said("ls", &["/var/lib/rootstock"])?;
    ensure!(!state.contains("packages"), "the files are still there: {state}");
    // What a run leaves that is killed in between.
    let killed =
        "mkdir -p /var/lib/rootstock/packages/lists/partial; echo x >/var/lib/rootstock/packages/a.deb";
    machine.said("sh", &["-c", killed])?;
    expect(&run(&machine, &whole, &["leave", "--yes"])?, 0, &["the journal is gone"])?;
    let after = (installed()?, machine.said("sh", &["-c", listing])?);
    ensure!(before == after, "after leave: {after:?}\nbefore: {before:?}");
    Ok(())
}

/// Three packages as an archive that both managers know, in a system of rpm's kind: one database for all of its programs.
const ARCHIVE: &str = r#"set -eu
mkdir -p /srv/rpms /srv/build /etc/rpm /etc/yum.repos.d /etc/zypp/repos.d
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
cd /srv/build
for name in top needed other; do
  cat >$name.spec <<END
Name: trial-$name
Version: 1.0
Release: 1
Summary: trial
License: none
BuildArch: noarch
$(if [ $name = top ]; then echo 'Requires: trial-needed'; echo 'Recommends: trial-other'; fi)
%description
trial
%install
mkdir -p %{buildroot}/opt/trial
echo $name >%{buildroot}/opt/trial/trial-$name
%files
/opt/trial/trial-$name
END
  rpmbuild -bb --quiet --define '_rpmdir /srv/rpms' --define '_topdir /srv/build' $name.spec
done
createrepo_c -q /srv/rpms
for folder in /etc/yum.repos.d /etc/zypp/repos.d; do
  printf '[lab]\nname=lab\nbaseurl=file:///srv/rpms\nenabled=1\ngpgcheck=0\nautorefresh=1\n' >$folder/lab.repo
done
"#;

fn of_rpm(manager: PackageManager) -> anyhow::Result<()> {
    let twin = Twin::new()?;
    let sh =
        |script: &str| -> anyhow::Result<String> { Ok(twin.call("sh").args(["-c", script]).run()?.text()) };
    sh(ARCHIVE)?;
    let join = |name: &str| -> anyhow::Result<Output> {
        let (names, files) = ([name.to_owned()].into(), std::collections::BTreeMap::new());
        let desk = Node::new(&[Resource::new(Want::Packages { manager, names, files })])?;
        std::fs::create_dir_all(twin.root().join("opt"))?;
        std::fs::copy(desk.archive(), twin.root().join("opt/bundle.tar.gz"))?;
        let call = twin.call(folder()?.join("bootstrap")).args(JOIN).args(["--node", NODE]);
        Ok(answering(call).run()?)
    };
    let installed = || sh("rpm --query --all --queryformat '%{NAME} ' | tr ' ' '\\n' | sort | tr '\\n' ' '");

    sh("mv /srv/rpms /srv/gone")?;
    expect(&join("trial-top")?, 1, &["FAILED", "no archive of packages answers", "[package-files]"])?;
    sh("mv /srv/gone /srv/rpms")?;
    expect(&join("trial-tpo")?, 1, &["in none of the archives", "correct its name", "trial-tpo"])?;

    // Somebody is at it; the join waits and goes on.
    let program = manager.as_str();
    let holder = twin.call("sh").args(["-c", &format!("(sleep 8; echo exit) | {program} shell")]);
    let holding = std::thread::spawn(move || answering(holder).run());
    std::thread::sleep(std::time::Duration::from_secs(2));
    expect(&join("trial-top")?, 0, &[&format!("done     packages:{program}"), "converged"])?;
    holding.join().map_err(|_| anyhow::anyhow!("the waiting thread failed"))??;
    ensure!(installed()?.trim() == "trial-needed trial-top", "installed: {}", installed()?);
    expect(&join("trial-top")?, 0, &["nothing to do"])?;
    let leave = answering(twin.call(folder()?.join("bootstrap")).args(["leave", "--yes"])).run()?;
    expect(&leave, 0, &[&format!("restored  packages:{program}"), "the journal is gone"])?;
    ensure!(installed()?.trim().is_empty(), "after leave: {}", installed()?);
    Ok(())
}
