"""The generation core: free of Qt, shared by the command line, the window and the training tools."""

import os
from typing import Final

__version__: Final = "0.1.0"

# A library that opens a file of weights with torch.load must not execute code from it, whatever it asks for.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)  # torch refuses to work with both
