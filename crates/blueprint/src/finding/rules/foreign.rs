//! RS10xx: files of services, written for other programs.

use crate::finding::rule::rules;

rules! {
    NOT_ITS_KIND Error "RS1001" "not-its-kind" {
        title: "A service's file is what its name says",
        why: "The program that reads it refuses the whole file, most often long after the profile was built.",
        bad: "services/web/daemon.json with a comma behind the last entry",
        fix: "Mend the line; what the parser says of it is the message.",
        source: "issue: bad input"
    }
    COMPOSE_VERSION Warning "RS1002" "compose-version" {
        title: "A Compose file has no version key",
        why: "Compose 2 ignores it with a warning at each call; people then hold back what \"v3.9\" would not allow, or believe that it does.",
        bad: "version: \"3.8\"",
        fix: "Take the line out; for `docker stack deploy` keep the `deploy` blocks in an override of their own.",
        source: "FIELD D1, X7, X32, PEERS 7.3 #11, #33"
    }
    EXTERNAL_NETWORK Error "RS1003" "external-network" {
        title: "Somebody creates every external network",
        why: "Compose does not: `network cluster-local declared as external, but could not be found`.",
        bad: "networks: { cluster-local: { external: true } } without [docker.networks] cluster-local",
        fix: "Add it to [docker.networks], or take external out.",
        source: "FIELD D3, X10, PEERS 7.3 #10"
    }
    ROOTLESS_IDS Warning "RS1004" "rootless-ids" {
        title: "A rootless image gets its user from Compose",
        why: "USER_UID and USER_GID are read by the start script of the other image; here they change nothing and the files have another owner.",
        bad: "image: gitea/gitea:1.21-rootless with USER_UID=1000",
        fix: "Write user: \"1000:1000\".",
        source: "FIELD X14, PEERS 7.3 #11"
    }
    STORAGE_DRIVER Warning "RS1005" "storage-driver" {
        title: "daemon.json does not choose the storage driver",
        why: "Docker 29 keeps images in containerd's store; overlay2 pins the old one, hides the images of the other, and is no snapshotter's name.",
        bad: "\"storage-driver\": \"overlay2\"",
        fix: "Leave it out.",
        source: "FIELD D8, X11, PEERS 7.3 #7"
    }
    DAEMON_PATH Warning "RS1006" "daemon-path" {
        title: "The daemon's settings lie in /etc/docker",
        why: "Only a rootless daemon reads ~/.config/docker/daemon.json; the other runs with its defaults and says nothing.",
        bad: "chezmoi add ~/.config/docker/daemon.json",
        fix: "Put it to /etc/docker/daemon.json; [docker] in cluster.toml does.",
        source: "FIELD D10, X11, PEERS 7.3 #5"
    }
    COMPOSE_NOT_PLUGIN Warning "RS1007" "compose-not-plugin" {
        title: "Compose is installed as a plugin of Docker",
        why: "As a program of its own it leaves `docker: 'compose' is not a docker command`.",
        bad: "curl … -o /usr/local/bin/docker-compose, or docker-compose in mise's [tools]",
        fix: "Put it to /usr/local/lib/docker/cli-plugins/docker-compose; versions.docker-compose in cluster.toml does.",
        source: "FIELD D6, C14, X6"
    }
    ENGINE_FOLDER Warning "RS1008" "engine-folder" {
        title: "Docker's own folders are not named",
        why: "The build cache is not in buildx and, since containerd's store, the layers are not in overlay2: what is copied, cleaned or measured there is nothing.",
        bad: "du -s /var/lib/docker/buildx",
        fix: "Ask `docker system df`, and prune through Docker.",
        source: "FIELD X18, D8, PEERS 7.3 #7"
    }
    MISE_TASK Error "RS1009" "mise-task" {
        title: "A mise task has keys of a task",
        why: "[tasks.deploy] is one task named deploy; a key it does not know makes the whole file unreadable and every mise command fail.",
        bad: "[tasks.deploy] gitea = \"docker compose up -d\"",
        fix: "Write [tasks.\"deploy:gitea\"] run = \"…\".",
        source: "FIELD C10, X1, PEERS 7.3 #1"
    }
    INFISICAL_FLAGS Warning "RS1010" "infisical-flags" {
        title: "infisical run says project, domain, environment and folder",
        why: "Without them it depends on a file in the working folder, on `dev` and on the vendor's cloud: `please run infisical init`, or the secrets of another environment.",
        bad: "infisical run --env=prod --path=/gitea -- docker compose up -d",
        fix: "Write --projectId, --domain, --env and --path.",
        source: "FIELD D13, X16"
    }
    CHEZMOI_NESTED Error "RS1011" "chezmoi-nested" {
        title: "A script that chezmoi runs does not call chezmoi",
        why: "The outer call holds the state's lock: `timeout obtaining persistent state lock`.",
        bad: "run_once_install.sh.tmpl with chezmoi apply",
        fix: "Take the line out; the outer apply goes on by itself.",
        source: "FIELD C5, X2, PEERS 7.3 #2"
    }
    CHEZMOI_ETC Warning "RS1012" "chezmoi-etc" {
        title: "chezmoi keeps to the home folder",
        why: "It runs as the person and knows nothing of who else writes to /etc; its authors strongly discourage it.",
        bad: "run_once_install.sh.tmpl with tee /etc/fstab",
        fix: "Leave /etc to the node's join: shares, packages and [docker] in cluster.toml.",
        source: "PEERS 7.3 #6"
    }
    TEMPLATE_DEFAULT Warning "RS1013" "template-default" {
        title: "chezmoi's defaults do not stand behind a path of keys",
        why: "A missing key is an error before `default` runs: `map has no entry for key`.",
        bad: "{{ .docker.gitea_version | default \"1.26\" }}",
        fix: "Write {{ dig \"docker\" \"gitea_version\" \"1.26\" . }}, or put the value into .chezmoidata.",
        source: "FIELD C3, X3"
    }
    APPENDED_LINE Warning "RS1014" "appended-line" {
        title: "Scripts do not append to fstab and exports",
        why: "Each run adds the line again: `Duplicate entry in /etc/fstab`, and an old line is never corrected.",
        bad: "echo \"…\" | sudo tee -a /etc/fstab",
        fix: "Declare the share in cluster.toml, or write a file of its own (/etc/exports.d/NAME.exports, a .mount unit).",
        source: "FIELD M1, X4, X25, PEERS 7.3 #3, #22"
    }
    PACKAGE_ELSEWHERE Error "RS1015" "package-elsewhere" {
        title: "A package exists on the system it is installed on",
        why: "apt installs none of the list when one name is unknown: `Unable to locate package docker-compose-v2`.",
        bad: "apt install docker-compose-v2 in a cluster with Debian nodes",
        fix: "docker-compose-v2 is Ubuntu's; on Debian use versions.docker-compose, or Docker's repository.",
        source: "FIELD D5, X5"
    }
    CURL_WITHOUT_FAIL Warning "RS1016" "curl-without-fail" {
        title: "curl fails when the server does",
        why: "Without -f the page that says 404 is saved under the program's name, and the next line makes it executable.",
        bad: "curl -SL https://… -o docker-compose",
        fix: "Write curl -fSL.",
        source: "FIELD D6, X6"
    }
    UNVERIFIED_DOWNLOAD Warning "RS1017" "unverified-download" {
        title: "A download is compared with a checksum",
        why: "What is fetched by a script runs as root; half a file, or somebody else's, does too.",
        bad: "curl -fSL https://… -o tool && chmod +x tool",
        fix: "Add echo \"DIGEST  tool\" | sha256sum -c -, or take it into [versions], which pins it.",
        source: "FIELD D6, X6"
    }
    MOUNT_BEFORE_TOOLS Warning "RS1018" "mount-before-tools" {
        title: "A mount comes after the package that mounts",
        why: "On a fresh node there is no mount.cifs or mount.nfs: `bad option; you might need a /sbin/mount.<type> helper program`.",
        bad: "mount -t cifs … before apt install cifs-utils",
        fix: "Install cifs-utils or nfs-common first.",
        source: "FIELD X17"
    }
    MOUNT_WITHOUT_NOFAIL Warning "RS1019" "mount-without-nofail" {
        title: "A network mount does not stop the boot",
        why: "Without nofail the boot requires the mount, or its automount: a server that is off holds it up, or sends it to the emergency shell.",
        bad: "//nas/media /mnt/media cifs credentials=… 0 0",
        fix: "Add nofail,x-systemd.automount,x-systemd.mount-timeout=30; a share in cluster.toml has them.",
        source: "FIELD M3, X4, PEERS 7.3 #12"
    }
    MOUNT_BEFORE_MESH Warning "RS1020" "mount-before-mesh" {
        title: "A mount over the mesh waits for the mesh",
        why: "_netdev orders it after the LAN alone; the mesh's address does not answer yet and the mount fails at each boot.",
        bad: "//100.64.0.1/fortress /mnt/fortress cifs _netdev 0 0",
        fix: "Add x-systemd.requires=tailscaled.service, or use the LAN address.",
        source: "FIELD M10, X4, PEERS 7.3 #12"
    }
    HOME_CREDENTIALS Warning "RS1021" "home-credentials" {
        title: "A mount's credentials are root's",
        why: "A file in a home folder is readable to every program of that person, is in its backups, and breaks the promise that secrets are on no disk.",
        bad: "credentials=/home/me/.smbcredentials",
        fix: "Use a file of root alone, /etc/samba/credentials/NAME with mode 0600, and say that it is there.",
        source: "FIELD S8, X15, PEERS 7.3 #4"
    }
    ROOT_EXPORT Warning "RS1022" "root-export" {
        title: "Root of a whole network is not root of an export",
        why: "With no_root_squash every machine in it that gives somebody root reads and writes everything.",
        bad: "/mnt/dfs 10.0.0.0/8(ro,no_root_squash)",
        fix: "Name the hosts, or leave no_root_squash out.",
        source: "FIELD X27"
    }
    USER_UNIT_MOUNTS Error "RS1023" "user-unit-mounts" {
        title: "A user's unit does not require mounts",
        why: "The user's manager has no mount units of the system: the line is ignored and the program starts on an empty folder.",
        bad: "RequiresMountsFor=/mnt/media in systemd/user/komga.service",
        fix: "Make it a unit of the system, or wait for the mount's file system in ExecStartPre.",
        source: "FIELD M6, X31, PEERS 7.3 #16"
    }
    MOUNT_NOT_PROVEN Warning "RS1024" "mount-not-proven" {
        title: "A unit proves the mount it needs",
        why: "RequiresMountsFor on a path without a mount unit is fulfilled by `/`; data goes to the root disk.",
        bad: "RequiresMountsFor=/srv/books, which is no share and has no mount unit",
        fix: "Declare the share, or add ConditionPathIsMountPoint=, or `bootstrap wait-mount` in ExecStartPre.",
        source: "FIELD M8, PEERS 7.3 #15"
    }
    WAIT_BEYOND_TIMEOUT Warning "RS1025" "wait-beyond-timeout" {
        title: "A unit may start as long as it waits",
        why: "After 90 s systemd kills the loop that would have waited 150.",
        bad: "ExecStartPre=/bin/sh -c 'for i in $(seq 30); do …; sleep 5; done'",
        fix: "Write TimeoutStartSec=180, or Type=oneshot.",
        source: "PEERS 7.3 #14"
    }
    CLUSTER_ADMIN Warning "RS1026" "cluster-admin" {
        title: "Nothing is bound to cluster-admin",
        why: "Whoever gets into that pod owns every node and secret.",
        bad: "ClusterRoleBinding with roleRef cluster-admin",
        fix: "Write a Role with the verbs it needs.",
        source: "document 004 (RBAC scoping), PEERS 7.1"
    }
    MANIFEST_SECRET Error "RS1027" "manifest-secret" {
        title: "A Kubernetes Secret in a profile holds no value",
        why: "base64 hides nothing: a profile is committed, copied and reviewed, and the value is published.",
        bad: "kind: Secret with stringData",
        fix: "Encrypt it with SOPS, or name it in the service's secrets.",
        source: "FIELD S1, documents 001 and 004 (no secrets in Git)"
    }
    BIDIRECTIONAL Error "RS1028" "bidirectional-mount" {
        title: "Bidirectional mounts are for privileged containers",
        why: "The API refuses the pod: `Bidirectional mount propagation is available only to privileged containers`.",
        bad: "mountPropagation: Bidirectional without securityContext.privileged",
        fix: "Add securityContext: { privileged: true }, and mount the one folder, not all of /mnt.",
        source: "FIELD X24"
    }
    ANY_CLAIM Warning "RS1029" "any-claim" {
        title: "A static volume is kept for its claim",
        why: "Without claimRef or class any claim of that size gets it: the app starts on the backup's folder.",
        bad: "two PersistentVolumes of one app without claimRef and storageClassName",
        fix: "Add claimRef to the volume, or volumeName to the claim.",
        source: "PEERS 7.3 #29"
    }
    INGRESS_NGINX Warning "RS1030" "ingress-nginx" {
        title: "The ingress controller is maintained",
        why: "ingress-nginx has had no releases and no fixes since March 2026, and it faces the internet.",
        bad: "chart: ingress-nginx",
        fix: "Use k3s's Traefik, or a Gateway.",
        source: "PEERS 7.3 #18"
    }
    ENTRY_POINT Warning "RS1031" "entry-point" {
        title: "A route names entry points that Traefik has",
        why: "Traefik leaves a route with an unknown entry point out: 404.",
        bad: "traefik.ingress.kubernetes.io/router.entrypoints: http,https with k3s's Traefik",
        fix: "k3s's Traefik has web and websecure; a chart of your own has those under its `ports`.",
        source: "FIELD X28"
    }
    SYNCTHING_DESTINATION Error "RS1032" "syncthing-destination" {
        title: "VolSync's Syncthing has a source on each side",
        why: "There is no destination for it, and the newest file wins: a stale node overwrites the other's database.",
        bad: "kind: ReplicationDestination with syncthing",
        fix: "Use restic or rsync-tls for a source and a destination, or two sources that name each other as peers.",
        source: "FIELD X35, PEERS 7.3 #27"
    }
    INVERTED_COMMENT Warning "RS1033" "inverted-comment" {
        title: "The comment on replicaSoftAntiAffinity is the right way round",
        why: "true allows two replicas on one node and false forbids it; who believes the comment turns it on.",
        bad: "replicaSoftAntiAffinity: false # true prevents replica scheduling on 2 nodes",
        fix: "Write: false keeps the two replicas on two nodes.",
        source: "FIELD L6, X20, PEERS 7.3 #23"
    }
    LONGHORN_TOLERATIONS Warning "RS1034" "longhorn-tolerations" {
        title: "Longhorn tolerates its taint in all of its parts",
        why: "taintToleration is for what Longhorn starts itself; its manager, driver and UI stay Pending on the tainted nodes.",
        bad: "taintToleration without longhornManager.tolerations, longhornDriver.tolerations and longhornUI.tolerations",
        fix: "Add the three lists to the chart's values.",
        source: "FIELD L8, X22, PEERS 7.3 #25"
    }
    LONGHORN_ABSENT Warning "RS1035" "longhorn-absent" {
        title: "Pods with Longhorn volumes run where its driver is",
        why: "systemManagedComponentsNodeSelector takes the CSI driver from all other nodes: `driver name driver.longhorn.io not found`.",
        bad: "a StatefulSet with nodeSelector gpu and a longhorn claim, beside that selector",
        fix: "Widen the selector and keep storage by a tag, or place the pod on storage nodes.",
        source: "FIELD L9, X21"
    }
    LONGHORN_PREPARATION Warning "RS1036" "longhorn-preparation" {
        title: "A Longhorn node is prepared wholly",
        why: "open-iscsi alone is not enough: iscsid must run, iscsi_tcp be loaded and multipathd keep its hands off, or volumes do not attach.",
        bad: "apt-get install -y nfs-common open-iscsi and nothing more",
        fix: "Give the node the capability longhorn-storage; or enable iscsid, load iscsi_tcp and blacklist in multipath.conf.",
        source: "FIELD L1-L4, X30, PEERS 7.3 #24"
    }
    FLUX_PATH Warning "RS1037" "flux-path" {
        title: "A Flux Kustomization's path exists",
        why: "Flux reports `kustomization path not found` and applies nothing.",
        bad: "path: ./clusters/homelab/infrastructure/crds beside infrastructure/crds at the top",
        fix: "Write all paths from one root, the service's folder.",
        source: "FIELD X36"
    }
    FLUX_WAIT Warning "RS1038" "flux-wait" {
        title: "What others depend on waits for its objects",
        why: "dependsOn waits for Ready, and Ready means applied: volumes and controllers may still be missing.",
        bad: "dependsOn: [{ name: infrastructure-storage }] where that has no wait: true",
        fix: "Add wait: true and a timeout to the Kustomization it names.",
        source: "FIELD X37"
    }
    DEPENDS_ON Error "RS1039" "depends-on-form" {
        title: "dependsOn is a list of tables with a name",
        why: "The API refuses a list of words.",
        bad: "dependsOn: [infrastructure-storage]",
        fix: "Write - name: infrastructure-storage.",
        source: "document 004 (Dependency Resolution), Flux: Kustomization"
    }
    FLUX_REVERTS Warning "RS1040" "flux-reverts" {
        title: "A script does not change what Flux keeps",
        why: "Flux puts it back within its interval; the failover lasts a minute.",
        bad: "kubectl patch deployment sonarr … in a cluster that Flux manages",
        fix: "Suspend its Kustomization first (flux suspend), or move the change into Git.",
        source: "PEERS 7.3 #28"
    }
    PATCH_VOLUME Error "RS1041" "patch-volume-source" {
        title: "A volume's server is not patched",
        why: "`spec.persistentvolumesource is immutable after creation`.",
        bad: "kubectl patch pv dfs -p '{\"spec\":{\"nfs\":{\"server\":\"192.168.1.22\"}}}'",
        fix: "Use an address that moves, or a second volume and move the claim.",
        source: "FIELD X26, PEERS 7.3 #21"
    }
    LABEL_OVERWRITE Warning "RS1042" "label-overwrite" {
        title: "kubectl label can be repeated",
        why: "Without --overwrite the second run with another value fails: `already has a value`.",
        bad: "kubectl label node k3s-w1 node.longhorn.io/primary=true",
        fix: "Add --overwrite; or write labels on the node in cluster.toml.",
        source: "FIELD X23"
    }
    BARE_LABEL Warning "RS1043" "bare-label" {
        title: "A node's own labels have a prefix",
        why: "Bare names belong to nobody and collide; for the architecture there is kubernetes.io/arch already.",
        bad: "kubectl label node rpi-1 low-mem=true",
        fix: "Write homelab.example/low-mem=true.",
        source: "FIELD X23, X34"
    }
}
