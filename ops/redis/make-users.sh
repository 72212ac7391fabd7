#!/bin/sh
# Creates a password for each Redis user that has none, and the ACL file with the passwords' SHA-256 hashes.
# Existing passwords are kept. Needs Linux; the installer and docker-compose.yml run it.
#
#   make-users.sh PARTITIONS ACL_FILE PASSWORDS      PARTITIONS: as services have it; passwords: PASSWORDS/USER/password
set -eu
umask 077
partitions=$1
acl=$2
passwords=$3

# With several partitions the rights are on other keys, whatever their number.
case $partitions in
  1) template=$(dirname "$0")/users.acl ;;
  [2-9] | [1-5][0-9] | 6[0-4]) template=$(dirname "$0")/users.partitions.acl ;;
  *)
    echo "PARTITIONS=$partitions: a whole number from 1 to 64 is needed" >&2
    exit 2
    ;;
esac

cp "$template" "$acl.new"
for user in $(sed -n 's/.*#SHA256_OF_PASSWORD_OF_\([a-z0-9-]*\) .*/\1/p' "$template"); do
  file=$passwords/$user/password
  mkdir -p "$passwords/$user"
  if [ ! -s "$file" ]; then
    od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n' > "$file.new"
    mv "$file.new" "$file"
  fi
  hash=$(tr -d '\n' < "$file" | sha256sum | cut -d' ' -f1)
  sed -i "s/#SHA256_OF_PASSWORD_OF_$user /#$hash /" "$acl.new"
done
chmod 600 "$acl.new"
mv "$acl.new" "$acl"
