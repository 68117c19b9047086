#!/usr/bin/env bash
# Turns Ubuntu 24.04 into the image of a runner: the user, GitHub's runner, the agent with its hooks, docker if wanted.
#
# It may run again on its own result. Nothing has a default that would grow old unseen: what is to be installed
# is said by
#   RUNNER_VERSION, RUNNER_SHA256   GitHub's runner, as its release page has them
#   AGENT_PACKAGE                   the file reprise-agent_ARCH.deb
# and, where it is wanted,
#   RUNNER_ARCHIVE                  the runner's archive as a file that is there already
#   JOB_PROGRAM, CHECKPOINT_HOOK    what jobs run, as `reprise`, and the hook that saves their checkpoints
#   RUNNER_TABLE, RUNNER_ROLE_ID    the [runner] section of the agent's settings
#   INSTALL_DOCKER=yes              Ubuntu's docker, for the runner's user
# ROOT=FOLDER works in a folder instead of the machine: without packages, users and services.
set -euo pipefail

: "${RUNNER_VERSION:?say which version of the runner to install}"
: "${RUNNER_SHA256:?say the checksum of the runner\'s archive}"
: "${AGENT_PACKAGE:?say where the agent\'s package is}"
if [ -n "${RUNNER_TABLE:-}" ]; then
    : "${RUNNER_ROLE_ID:?say the RoleId of the role of the instances, as RUNNER_TABLE is set}"
fi
if [ -n "${JOB_PROGRAM:-}" ]; then
    : "${CHECKPOINT_HOOK:?say where 50-checkpoint is, as JOB_PROGRAM is set}"
fi
ROOT="${ROOT:-}"
INSTALL_DOCKER="${INSTALL_DOCKER:-no}"
runner_folder="$ROOT/opt/actions-runner"

archive="$(mktemp)"
trap 'rm -f "$archive"' EXIT

say() { printf '== %s\n' "$1"; }

on_machine() { [ -z "$ROOT" ]; }

install_basics() {
    on_machine || return 0
    say "packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ca-certificates curl git jq sudo tar unzip zstd
    if [ "$INSTALL_DOCKER" = yes ]; then
        apt-get install -y -qq --no-install-recommends docker.io docker-buildx
    fi
}

make_user() {
    on_machine || return 0
    say "user runner"
    id runner >/dev/null 2>&1 || useradd --create-home --shell /bin/bash runner
    if [ "$INSTALL_DOCKER" = yes ]; then usermod --append --groups docker runner; fi
    # Jobs use sudo, as on GitHub's own machines.
    printf 'runner ALL=(ALL) NOPASSWD:ALL\n' >/etc/sudoers.d/reprise-runner.new
    chmod 0440 /etc/sudoers.d/reprise-runner.new
    visudo -cqf /etc/sudoers.d/reprise-runner.new
    mv /etc/sudoers.d/reprise-runner.new /etc/sudoers.d/reprise-runner
}

runner_architecture() {
    case "$(uname -m)" in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) echo "the runner is not made for $(uname -m)" >&2 && return 1 ;;
    esac
}

fetch_runner() {
    local name
    name="actions-runner-linux-$(runner_architecture)-$RUNNER_VERSION.tar.gz"
    if [ -n "${RUNNER_ARCHIVE:-}" ]; then
        cp "$RUNNER_ARCHIVE" "$archive"
    else
        curl --fail --silent --show-error --location --retry 5 --output "$archive" \
            "https://github.com/actions/runner/releases/download/v$RUNNER_VERSION/$name"
    fi
    printf '%s  %s\n' "$RUNNER_SHA256" "$archive" | sha256sum --check --quiet
}

install_runner() {
    if [ "$(cat "$runner_folder/.reprise-version" 2>/dev/null)" = "$RUNNER_VERSION" ]; then
        say "runner $RUNNER_VERSION is there"
        return 0
    fi
    say "runner $RUNNER_VERSION"
    local new
    fetch_runner
    new="$runner_folder.new"
    rm -rf "$new"
    mkdir -p "$new"
    tar --extract --gzip --file "$archive" --directory "$new" --no-same-owner
    printf '%s\n' "$RUNNER_VERSION" >"$new/.reprise-version"
    if on_machine; then
        "$new/bin/installdependencies.sh"
        chown -R runner:runner "$new"
    fi
    rm -rf "$runner_folder"
    mv "$new" "$runner_folder"
}

install_agent() {
    say "agent"
    # Settings that are there stay when a newer package has others.
    if on_machine; then
        dpkg --force-confold --install "$AGENT_PACKAGE"
        return 0
    fi
    local settings="$ROOT/etc/reprise/agent.toml"
    if [ -e "$settings" ]; then cp "$settings" "$settings.kept"; fi
    dpkg-deb --extract "$AGENT_PACKAGE" "$ROOT"
    if [ -e "$settings.kept" ]; then mv "$settings.kept" "$settings"; fi
}

install_job_program() {
    [ -n "${JOB_PROGRAM:-}" ] || return 0
    say "what jobs run, and the hook that saves their checkpoints"
    install -D --mode=0755 "$JOB_PROGRAM" "$ROOT/usr/local/bin/reprise"
    install -D --mode=0755 "$CHECKPOINT_HOOK" "$ROOT/etc/reprise/interrupt.d/50-checkpoint"
    # All the time that there is until the agent ends the job, by its settings as they come; hooks have 30 s else.
    local drop_in="$ROOT/etc/systemd/system/reprise-agent.service.d/50-checkpoint.conf"
    install -D --mode=0644 /dev/null "$drop_in"
    printf '[Service]\nEnvironment=REPRISE_AGENT_HOOK_TIMEOUT=75s\n' >"$drop_in"
}

# The section between the two marks is this script's, all else in the file is not touched.
configure_agent() {
    [ -n "${RUNNER_TABLE:-}" ] || return 0
    say "agent brings the runner up"
    local file="$ROOT/etc/reprise/agent.toml"
    sed -i '/^# begin provision$/,/^# end provision$/d' "$file"
    printf '# begin provision\n[runner]\ntable = "%s"\nrole_id = "%s"\nuser = "runner"\n# end provision\n' \
        "$RUNNER_TABLE" "$RUNNER_ROLE_ID" >>"$file"
    "$ROOT/usr/bin/reprise-agent" --check-config --config "$file"
}

# What this machine knows of itself must not be every instance's.
forget() {
    on_machine || return 0
    say "forget this machine"
    systemctl stop reprise-agent.service reprise-runner.path 2>/dev/null || true
    rm -rf /run/reprise /var/lib/reprise
    apt-get clean
    rm -rf /var/lib/apt/lists/*
    cloud-init clean --logs --machine-id 2>/dev/null || true
}

install_basics
make_user
install_runner
install_agent
install_job_program
configure_agent
forget
say "done"
