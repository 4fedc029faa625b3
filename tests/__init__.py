"""Tests of ISICGUI. They keep default folders and logs out of the developer's checkout."""

import atexit
import os
import shutil
import tempfile

if "ISICGUI_HOME" not in os.environ:  # core.paths reads it when it is first imported, here and in subprocesses
    os.environ["ISICGUI_HOME"] = tempfile.mkdtemp(prefix="isicgui-tests-")
    atexit.register(shutil.rmtree, os.environ["ISICGUI_HOME"], ignore_errors=True)
