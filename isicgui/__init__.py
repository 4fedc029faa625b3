"""ISICGUI from Python: generate, explain and evaluate synthetic dermoscopic images.

Importing the package is quick: PyTorch is loaded by the first call of a function. ``docs/python.md`` has an example of
each function. Names that are not listed here may change without notice.
"""

from core import __version__
from core.classes import CLASSES
from core.errors import IsicGuiError
from core.models.conditions import Condition
from isicgui._evaluate import EvaluationResult, evaluate
from isicgui._explain import ExplainedImage, explain
from isicgui._generate import GeneratedImage, GeneratedSet, generate

__all__ = [
    "CLASSES",
    "Condition",
    "EvaluationResult",
    "ExplainedImage",
    "GeneratedImage",
    "GeneratedSet",
    "IsicGuiError",
    "__version__",
    "evaluate",
    "explain",
    "generate",
]
