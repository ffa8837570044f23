#!/bin/sh
# What Raspberry Pi OS runs at its first boot, before anything else, for node {{{ node|message }}} of cluster {{{ cluster|message }}}.
# Made by rootstock. Ends with 0 only if all is done; it can be cut off and run again.
set -eu
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

NODE={{{ node|sh }}}
ACCOUNT={{{ user|sh }}}
ZONE={{{ timezone|sh }}}
LOCALE={{{ locale|sh }}}
KEYBOARD={{{ keyboard|sh }}}

boot=/boot/firmware
if [ ! -f "$boot/rootstock/passport.json" ]; then boot=/boot; fi
seed=$boot/rootstock

# --- name -----------------------------------------------------------------------------------------------------------

printf '%s\n' "$NODE" > /etc/hostname
sed -i -e "s/^127\.0\.1\.1[[:space:]].*/127.0.1.1\t$NODE/" /etc/hosts
hostname "$NODE" || true

# --- account --------------------------------------------------------------------------------------------------------

# The image has one account for a person, by whatever name; it becomes ours.
first=$(getent passwd 1000 | cut -d: -f1)
if [ -z "$first" ]; then
    useradd --create-home --shell /bin/bash --groups sudo "$ACCOUNT"
elif [ "$first" != "$ACCOUNT" ]; then
    usermod --login "$ACCOUNT" "$first"
    groupmod --new-name "$ACCOUNT" "$first" || true
fi
home=/home/$ACCOUNT
if [ "$(getent passwd "$ACCOUNT" | cut -d: -f6)" != "$home" ]; then usermod --move-home --home "$home" "$ACCOUNT"; fi
# The file has account and hash as chpasswd reads them; in arguments everybody would see it.
if [ -f "$boot/userconf.txt" ]; then
    chpasswd --encrypted < "$boot/userconf.txt"
    # Deleted alone, it would stay on the medium.
    head -c "$(wc -c < "$boot/userconf.txt")" /dev/zero | dd of="$boot/userconf.txt" conv=notrunc,fsync 2>/dev/null
    rm -f "$boot/userconf.txt"
fi
# The desk works by sudo -n (FIELD P5).
printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$ACCOUNT" > /etc/sudoers.d/010_rootstock
chmod 0440 /etc/sudoers.d/010_rootstock
rm -f /etc/sudoers.d/010_pi-nopasswd
# Nobody sits before it to answer the image's own questions.
systemctl disable userconfig.service >/dev/null 2>&1 || true
systemctl enable getty@tty1.service >/dev/null 2>&1 || true

# --- who may log in -------------------------------------------------------------------------------------------------

group=$(id -gn "$ACCOUNT")
if [ -f "$seed/authorized_keys" ]; then
    install -d -m 0700 -o "$ACCOUNT" -g "$group" "$home/.ssh"
    install -m 0600 -o "$ACCOUNT" -g "$group" "$seed/authorized_keys" "$home/.ssh/authorized_keys"
fi
mkdir -p /etc/ssh/sshd_config.d
printf 'PasswordAuthentication no\nPermitRootLogin no\n' > /etc/ssh/sshd_config.d/10-rootstock.conf
systemctl enable ssh.service

# --- language, keyboard, time ---------------------------------------------------------------------------------------

printf 'LANG=%s\n' "$LOCALE" > /etc/default/locale
case $LOCALE in
    C.*) ;;
    *)
        sed -i -e "s/^# *\($LOCALE .*\)/\1/" /etc/locale.gen
        locale-gen >/dev/null || true
        ;;
esac
printf 'XKBMODEL="pc105"\nXKBLAYOUT="%s"\nXKBVARIANT=""\nXKBOPTIONS=""\nBACKSPACE="guess"\n' "$KEYBOARD" > /etc/default/keyboard
ln -sf "/usr/share/zoneinfo/$ZONE" /etc/localtime
printf '%s\n' "$ZONE" > /etc/timezone

# --- network --------------------------------------------------------------------------------------------------------

for connection in wifi lan; do
    file=$seed/$connection.nmconnection
    if [ -f "$file" ]; then
        # NetworkManager passes over what others may read (FIELD P10).
        install -D -m 0600 -o root -g root "$file" "/etc/NetworkManager/system-connections/rootstock-$connection.nmconnection"
    fi
done
if [ -f "$seed/wifi.nmconnection" ] && command -v rfkill >/dev/null; then rfkill unblock wifi || true; fi

# --- the join, at the next boot -------------------------------------------------------------------------------------

if [ -f "$seed/key.pub" ]; then install -D -m 0644 "$seed/key.pub" /etc/rootstock/key.pub; fi
install -D -m 0755 "$seed/first-boot.sh" /usr/local/lib/rootstock/first-boot
install -D -m 0644 "$seed/rootstock-first-boot.service" /etc/systemd/system/rootstock-first-boot.service
systemctl enable rootstock-first-boot.service

# Only the words that brought us here: what stands behind them stays (FIELD K4).
sed -i -e '1s/ systemd\.run=[^ ]*//' -e '1s/ systemd\.run_success_action=[^ ]*//' -e '1s/ systemd\.unit=[^ ]*//' "$boot/cmdline.txt"
rm -f "$boot/firstrun.sh"
sync
exit 0
