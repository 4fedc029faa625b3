#!/bin/sh
# Runs the tests on all cores, with the same arguments as pytest (-n 0: in one process); the environment is made on
# first use. The tests of a file stay together, because they share what is costly to prepare.
cd -- "$(dirname -- "$(readlink -f -- "$0")")" && exec ./run_isicgui.sh --with train --with dev -m pytest -n auto --dist loadfile --no-loadscope-reorder "$@"
