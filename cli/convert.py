"""``main.py convert``: a generated set in the form of another program."""

from __future__ import annotations

import argparse
import json
import sys

from core.output.synt_isic_export import export_synt_isic
from core.process.exit_codes import DONE


def convert(options: argparse.Namespace) -> int:
    """Write the set in the form asked for; images that cannot be read are named and left out."""
    exported = export_synt_isic(options.images, options.output)
    for problem in exported.problems:
        print(f"left out: {problem}", file=sys.stderr)
    if options.json:
        facts = {"event": "converted", "images": exported.images, "problems": list(exported.problems)}
        print(json.dumps({**facts, "output": str(options.output)}))
    else:
        print(f"{exported.images} images in the form {options.export} in {options.output}.")
    return DONE
