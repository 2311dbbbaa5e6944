"""Builds the site: `python -m docs.site`, in the environment that `make docs` makes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site.navigation import navigation
from docs.site.pages import gather

ROOT = Path(__file__).parents[2]
_SHIM = "https://unpkg.com/iframe-worker/shim"
_WORKER = "assets/worker.js"


def configure(folder: Path, taken: list[str]) -> Path:
    """Write the settings of the build; JSON is YAML too."""
    settings = (Path(__file__).parent / "mkdocs.yml").read_text()
    pages = json.dumps(navigation(ROOT, taken), ensure_ascii=False, indent=1)
    path = folder / "mkdocs.yml"
    path.write_text(f"{settings}\ndocs_dir: source\nsite_dir: site\nnav: {pages}\n")
    return path


def keep_at_home(site: Path) -> None:
    """Let pages that are read without a server find the workers' stand-in here; Zensical's is on another host.

    Raises:
        SystemExit: no page asks for Zensical's any more, so this has become wrong.
    """
    changed = 0
    for page in site.rglob("*.html"):
        text = page.read_text()
        depth = len(page.relative_to(site).parts) - 1
        changed += _SHIM in text
        page.write_text(text.replace(_SHIM, "../" * depth + _WORKER))
    if not changed:
        sys.exit(f"docs: no page asks for {_SHIM}: see how Zensical searches without a server now, and mend docs/site")


def main(folder: Path) -> int:
    """Build the site into `folder`/site; returns the exit code of the build, which is not 0 for a link to nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = configure(folder, gather(ROOT, folder / "source"))
    shutil.rmtree(folder / "site", ignore_errors=True)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", settings], check=False
    ).returncode
    if built == 0:
        keep_at_home(folder / "site")
        print(f"docs: {folder / 'site/index.html'}")
    return built


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")))
