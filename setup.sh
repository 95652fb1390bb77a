#!/bin/sh
# Build the virtual environment: `sh setup.sh .venv requirements.txt`.
# Says first, by name, what the machine itself lacks; nothing is built before that.
set -eu
venv=$1
requirements=$2

"$PYTHON" - <<'CHECK' || exit 1
import ctypes.util
import struct
import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14) or struct.calcsize("P") != 8:
    sys.exit(
        f"Realism needs a 64-bit Python 3.11 to 3.14; this is {sys.version.split()[0]}. "
        "Install one and run: make PYTHON=python3.13 ..."
    )
try:
    import ensurepip, venv  # noqa: E401, F401
except ImportError:
    sys.exit("Python's venv module is missing: sudo apt-get install python3-venv")
if sys.platform == "linux":
    package = {"GL": "libgl1", "glib-2.0": "libglib2.0-0"}
    missing = [name for library, name in package.items() if not ctypes.util.find_library(library)]
    if missing:
        sys.exit(
            "System packages are missing (packages.txt): "
            "sudo apt-get install --no-install-recommends " + " ".join(missing)
        )
CHECK

[ -x "$venv/bin/python" ] || "$PYTHON" -m venv "$venv"
echo "Installing $requirements into $venv (about 7 GB the first time) ..."
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --progress-bar on -r "$requirements"
