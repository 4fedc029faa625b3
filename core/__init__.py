"""The generation core: free of Qt, shared by the command line, the window and the training tools."""

from typing import Final

__version__: Final = "0.1.0"
