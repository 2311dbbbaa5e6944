"""python trim.py ROOT: takes away what an image cannot use of installed packages, and makes the rest reproducible.

It runs while the image is built, with the Python of its base and nothing else. ROOT becomes `/` in the image.
"""

import compileall
import os
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

WHEN = 315_532_800
"""1 January 1980, before which some tools have no time."""
_FOLDERS = ("__pycache__", "tests")
_SOURCES = (".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx")
"""Files that only compilers and type checkers read."""
_NEEDED = {"scipy": {"_lib", "linalg", "sparse"}}
"""The subpackages that are kept. LightGBM imports SciPy for its sparse matrices, which need no others."""
UNUSED = (
    "gradio/templates/node",  # renders pages before a browser does, if there is Node
    "gradio/templates/frontend/static/ffmpeg",  # cuts videos
    "gradio/media_assets",  # examples
    "hf_xet*",  # brings large files from Hugging Face
    "pyarrow/*flight*",  # Arrow's own protocol
)
"""Large parts that nothing else imports, or that only a browser needs to show videos."""


def trim(root: Path) -> None:
    """Remove tests, sources that are compiled already, existing bytecode, and parts that nothing imports."""
    for path in list(root.rglob("*")):
        if path.name in _FOLDERS and path.is_dir():
            shutil.rmtree(path)
        elif path.suffix in _SOURCES:
            path.unlink(missing_ok=True)  # it may have gone with its folder
    for package, needed in _NEEDED.items():
        for part in list(root.rglob(f"packages/{package}/*/__init__.py")):
            if part.parent.name not in needed:
                shutil.rmtree(part.parent)
    for pattern in UNUSED:
        for part in list(root.rglob(f"packages/{pattern}")):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


def make_reproducible(root: Path) -> None:
    """Compile all code, and give all files one time and plain permissions: all may read, only root may write.

    Bytecode is not checked against its source when it is loaded: in an image nothing changes.
    """
    compileall.compile_dir(
        root, maxlevels=99, quiet=2, workers=0, stripdir=root, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (WHEN, WHEN), follow_symlinks=False)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
    make_reproducible(Path(sys.argv[1]))
