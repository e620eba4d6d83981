#!/bin/sh
# Puts Mosquitto beside Parlor: the configuration, the ACL, and passwords. Needs Debian's mosquitto, which brings mosquitto_passwd.
set -eu

usage() {
  cat <<'TEXT'
Usage:
  setup.sh install             copies parlor.conf and parlor.acl to Mosquitto, and asks for the password of the bridge
  setup.sh user NAME           adds a user, or changes its password; asks for it. NAME is the person's user name on Parlor
  setup.sh grant NAME ROOM_ID  lets a user read the events of a room

The folder of Mosquitto is $MOSQUITTO_DIR (/etc/mosquitto). Passwords are asked for, or taken from $MOSQUITTO_PASSWORD.
Afterwards: systemctl restart mosquitto (after `install`), systemctl reload mosquitto (after the others)
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
folder=${MOSQUITTO_DIR:-/etc/mosquitto}
passwords=$folder/parlor.passwords
acl=$folder/parlor.acl

# A name of Parlor has no character that means something in a topic or in these files.
check_name() {
  case $1 in
    '' | *[!a-zA-Z0-9._-]*) echo "setup.sh: $1 is not a user name" >&2; exit 2 ;;
  esac
}

set_password() {
  [ -e "$passwords" ] || (umask 077 && : >"$passwords")
  if [ -n "${MOSQUITTO_PASSWORD:-}" ]; then
    mosquitto_passwd -b "$passwords" "$1" "$MOSQUITTO_PASSWORD"
  else
    mosquitto_passwd "$passwords" "$1"
  fi
  # Mosquitto reads it as its own user.
  if id mosquitto >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then chown mosquitto "$passwords"; fi
  chmod 600 "$passwords"
}

case ${1:-} in
  install)
    mkdir -p "$folder/conf.d"
    sed "s|/etc/mosquitto/parlor|$folder/parlor|" "$here/parlor.conf" >"$folder/conf.d/parlor.conf"
    # Mosquitto takes this once, and Debian's own file has it.
    if grep -qs '^persistence_location' "$folder/mosquitto.conf"; then
      sed -i '/^persistence_location/d' "$folder/conf.d/parlor.conf"
    fi
    [ -e "$acl" ] || cp "$here/parlor.acl" "$acl"
    set_password parlor-bridge
    ;;
  user)
    check_name "${2:-}"
    set_password "$2"
    ;;
  grant)
    check_name "${2:-}"
    check_name "${3:-}"
    printf '\nuser %s\ntopic read parlor/v1/rooms/%s/events\n' "$2" "$3" >>"$acl"
    ;;
  *)
    usage
    [ "${1:-}" = --help ] || exit 2
    ;;
esac
