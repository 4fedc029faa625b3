#!/bin/sh
# Runs the tests with the same arguments as pytest; the environment is made on first use.
cd -- "$(dirname -- "$(readlink -f -- "$0")")" && exec ./run_isicgui.sh --with train --with dev -m pytest "$@"
