"""Dependencies of the installed package, read from the requirements files; pyproject.toml has everything else."""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent


def requirements(file: Path) -> list[str]:
    """The requirements that a file lists, without comments and without the files that it includes."""
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("-")]


if __name__ == "__main__":  # a build backend runs this file as a script; the tests import it
    setup(
        install_requires=requirements(HERE / "requirements.txt"),
        extras_require={
            file.stem.removeprefix("requirements-"): requirements(file)
            for file in sorted(HERE.glob("requirements-*.txt"))
        },
    )
