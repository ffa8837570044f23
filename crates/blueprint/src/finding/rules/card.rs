//! RS9xx: what cards are made with.

use crate::finding::rule::rules;

rules! {
    WIFI_COUNTRY Error "RS901" "wifi-country" {
        title: "A wireless network names its country",
        why: "Without it the kernel keeps the radio off, the node never appears, and its log says: Wi-Fi is currently blocked by rfkill.",
        bad: "wifi = { ssid = \"home\", psk = \"env:WIFI_PSK\" }",
        fix: "Add country = \"DE\", the two capitals of the country the node stands in.",
        source: "FIELD P10, ISO 3166-1"
    }
    WIFI_NAME Error "RS902" "wifi-name" {
        title: "A wireless network's name has 1 to 32 bytes",
        why: "A longer one can't be sent, and one with control characters is most often a mistake of copying.",
        bad: "wifi = { ssid = \"\", country = \"DE\" }",
        fix: "Write the name as the router has it; an umlaut counts as two bytes.",
        source: "IEEE 802.11, 9.4.2.2"
    }
    CARD_USER Error "RS903" "card-user" {
        title: "A card's account is a person's, not root",
        why: "Debian logs root in by key alone, and a name that useradd refuses leaves a node nobody can enter.",
        bad: "card = { user = \"Ada Lovelace\" }",
        fix: "Write an account name: a-z, 0-9, `_` and `-`, at most 32 characters; or leave it out, it is admin-user then.",
        source: "useradd(8), FIELD P4"
    }
    SSH_KEY Error "RS904" "ssh-key" {
        title: "Keys of a card are public keys",
        why: "A damaged line lets nobody in; a private key that is pasted here is published with the profile and lies on every card.",
        bad: "ssh-keys = [\"ssh-ed25519 AAAAC3Nz\"]",
        fix: "Write the whole line of the file that ends in .pub, or a reference to it: env:NAME, file:/path/key.pub.",
        source: "sshd(8), FIELD P6"
    }
    STATIC_ADDRESS Error "RS905" "static-address" {
        title: "Who takes an address itself knows gateway and name servers",
        why: "Nothing tells them without DHCP: the node reaches its LAN, but no time server, no package and no image.",
        bad: "card = { addressing = \"static\" } without network.gateway",
        fix: "Write gateway and dns under [network], or addressing = \"dhcp\".",
        source: "FIELD K19, K21"
    }
    CARD_BASE Warning "RS906" "card-base" {
        title: "Where cards are described, each has a base",
        why: "Without one a card is made from whichever entry of the catalogue suits, and a new entry can change what that is without a word.",
        bad: "a node with board = \"rpi-5\", [card] without base",
        fix: "Write base = \"…\", a name of images/bases/.",
        source: "DESIGN 6, FIELD P1"
    }
    CARD_LOCALE Error "RS907" "card-locale" {
        title: "Language and keyboard are names the system has",
        why: "A locale without UTF-8 turns umlauts into other letters, and an unknown layout makes passwords impossible to type.",
        bad: "card = { locale = \"german\" }",
        fix: "Write a locale as en_GB.UTF-8 or C.UTF-8, and a layout as de or us.",
        source: "locale(7), keyboard(5)"
    }
    CARD_LOGIN Warning "RS908" "card-login" {
        title: "Somebody can log in to a node from a card",
        why: "Without a key and without a password a node that does not join can't be asked why.",
        bad: "[card] without ssh-keys and password-hash",
        fix: "Write ssh-keys = [\"ssh-ed25519 AAAA… you\"], or a reference to the file.",
        source: "FIELD P3"
    }
}
