#!/bin/sh
# Starts the program with the same arguments. launch.py creates the environment at the first start.
here=$(dirname -- "$(readlink -f -- "$0")")
for python in "$here/.venv/bin/python" python3 python3.13 python3.12 python3.11 python3.10 python; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null && exec "$python" "$here/launch.py" "$@"
done
echo "No Python was found; install Python 3.10 to 3.13 and start again." >&2
exit 1
