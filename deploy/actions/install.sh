#!/usr/bin/env bash
# Brings the program `reprise` to a job: downloaded once for a machine, and used only with the checksum that the
# workflow names. Without an address, the program of the machine's image is used.
set -euo pipefail

fail() {
  printf '::error title=Reprise::%s\n' "$1"
  exit 1
}

url=${REPRISE_PROGRAM_URL:-}
checksum=${REPRISE_PROGRAM_SHA256:-}

if [ -z "$url" ] && [ -z "$checksum" ]; then
  command -v reprise >/dev/null ||
    fail 'This machine has no program "reprise". Name one with program-url and program-sha256, or put it into the image of the runners.'
  exit 0
fi
[ -n "$url" ] || fail 'program-sha256 is set and program-url is not: both say which program is meant.'
[[ $checksum =~ ^[0-9a-fA-F]{64}$ ]] ||
  fail "program-sha256 must be the program's SHA-256, 64 hexadecimal digits, as SHA256SUMS has it beside the program."
case $url in
  https://* | file:///*) ;;
  *) fail "program-url must begin with https:// or file:///, and is $url" ;;
esac

checksum=${checksum,,}
folder=${RUNNER_TOOL_CACHE:-${RUNNER_TEMP:?is set by every runner}}/reprise/$checksum
is_right() { [ -f "$1" ] && printf '%s  %s\n' "$checksum" "$1" | sha256sum --check --status; }

# What another job left there counts only if it is what is asked for now.
if ! is_right "$folder/reprise"; then
  mkdir -p "$folder"
  download=$(mktemp "$folder/.download.XXXXXX")
  trap 'rm -f "$download"' EXIT
  curl --fail --silent --show-error --location --proto '=https,file' --retry 3 --connect-timeout 10 --max-time 300 \
    --output "$download" "$url" || fail "The program could not be downloaded from $url; what curl says is above."
  is_right "$download" ||
    fail "What $url has is not the program with the SHA-256 $checksum, but has $(sha256sum <"$download" | cut -d ' ' -f 1). Nothing was run."
  chmod 755 "$download"
  mv "$download" "$folder/reprise"
  trap - EXIT
fi
printf '%s\n' "$folder" >>"$GITHUB_PATH"
"$folder/reprise" --version || fail "The program does not run here; is it for another processor than $(uname -m)?"
