#!/bin/sh
# Starts the runner with the configuration that was left for it.
#
# It is taken by a variable, not by an argument, which everybody on the machine could read. When the runner starts
# again after its own update, it finds its configuration in its folder.
set -eu
config="${RUNTIME_DIRECTORY:?is set by systemd}/jitconfig"
if [ -e "$config" ]; then
    ACTIONS_RUNNER_INPUT_JITCONFIG="$(cat "$config")"
    export ACTIONS_RUNNER_INPUT_JITCONFIG
    rm -f "$config"
fi
exec ./bin/Runner.Listener run
