"""The page as a web application, and what it leaves on disk and takes away again."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.identity import GoogleIdentity
from ui.service import Service

if TYPE_CHECKING:
    import gradio as gr

LARGEST_FILE = "100mb"
KEPT_SECONDS = 3_600
"""Uploads and downloads are there for an hour; a process that ends by itself takes them away at once."""
_LOOKED_AFTER_SECONDS = 600
_STYLE = Path(__file__).parent / "style.css"


def make(api: str, root_path: str | None, identity: str | None) -> FastAPI:
    """The application.

    Args:
        api: where the service is.
        identity: "google" to show the service an identity token, see `GoogleIdentity`.
        root_path: the path below which a proxy shows the page, if it does not say so itself.
    """
    files = Path(tempfile.mkdtemp(prefix="boxwood-page-"))
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    import gradio as gr  # seconds; and it reads its folder above

    from ui import page

    service = Service(api, GoogleIdentity(api.rstrip("/")) if identity == "google" else None)

    app = FastAPI(lifespan=_life(service, files), docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_BelowPrefix)

    @app.get("/livez")
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("ok")

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page.build(service, files),
        path="",
        root_path=root_path,
        theme=_theme(),
        css_paths=[_STYLE],
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size=LARGEST_FILE,
    )
    return mounted


def _life(service: Service, files: Path) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    """What begins and ends with the application."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        janitor = asyncio.create_task(_take_away(files))
        try:
            yield
        finally:
            janitor.cancel()
            await service.close()
            shutil.rmtree(files, ignore_errors=True)

    return lifespan


class _BelowPrefix:
    """Hands Gradio the path that a proxy says in X-Forwarded-Prefix, where Gradio looks for it: behind the host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            said = Headers(scope=scope)
            prefix = said.get("x-forwarded-prefix", "").split(",")[0].strip(" /")
            host = (said.get("x-forwarded-host") or said.get("host", "")).split(",")[0].strip()
            if prefix:
                others = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-host"]
                scope = {**scope, "headers": [*others, (b"x-forwarded-host", f"{host}/{prefix}".encode("latin-1"))]}
        await self._app(scope, receive, send)


def _theme() -> "gr.themes.Base":
    """Fonts that are there already, and a button that can be read in light and dark."""
    import gradio as gr

    theme = gr.themes.Default(
        primary_hue="green", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return theme.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
    )


async def _take_away(files: Path) -> None:
    """Remove files that are older than an hour, as long as the process lives."""
    while True:
        await asyncio.sleep(_LOOKED_AFTER_SECONDS)
        oldest = time.time() - KEPT_SECONDS
        for path in sorted(files.rglob("*"), reverse=True):  # what is in a folder before the folder
            with contextlib.suppress(OSError):  # such as that of a folder that is not empty
                if path.stat().st_mtime < oldest:
                    path.rmdir() if path.is_dir() else path.unlink()
