#!/bin/sh
# Runs the tests with the same arguments as pytest. The first start creates the environment.
cd -- "$(dirname -- "$(readlink -f -- "$0")")" && exec ./run_isicgui.sh --with train --with dev -m pytest "$@"
