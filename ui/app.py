"""The page as a web application, with the removal of its temporary files."""

import asyncio
import contextlib
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.headers import NOWHERE, Guarded
from ui.identity import GoogleIdentity
from ui.login import Login, Proxied
from ui.service import Service
from ui.users import Users

if TYPE_CHECKING:
    import gradio as gr

LARGEST_FILE = "100mb"
KEPT_SECONDS = 3_600
"""Uploads and downloads are kept for an hour, or until the process ends in an orderly way."""
_CLEANUP_SECONDS = 600
_PROGRAMS = "/api"
"""Below it are the functions for programs."""
_STYLES = Path(__file__).parent / "styles"


def make(
    api: str,
    root_path: str | None,
    identity: str | None,
    frame_ancestors: str = NOWHERE,
    tls: ssl.SSLContext | None = None,
    login: Users | str | None = None,
) -> FastAPI:
    """The application.

    Args:
        api: where the service is.
        root_path: the path below which a proxy serves the page, if the proxy does not send it in a header.
        frame_ancestors: which other pages may show it in a frame, see `ui.headers`.
        identity: "google" to send the service an identity token, see `GoogleIdentity`.
        tls: what to trust of the service, and to show to it; None for what is usual.
        login: the users who may log in, or the header in which a proxy names who has; None lets everybody in.

    The variable API_KEY is the page's key, if the service wants one; a command line is no place for it.
    """
    files = Path(tempfile.mkdtemp(prefix="boxwood-page-"))
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    from ui import api as programs  # Gradio takes seconds, and reads the variable set above
    from ui import page

    service = _service(api, identity, tls)
    app = FastAPI(lifespan=_lifespan(service, files), docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_BelowPrefix)
    _guard(app, login, frame_ancestors)
    app.add_api_route("/livez", _livez)
    # the one whose path begins that of the other comes last
    below = None if root_path is None else f"{root_path.rstrip('/')}{_PROGRAMS}"
    _mount(app, programs.build(service, files), _PROGRAMS, below)
    return _mount(app, page.build(service, files, sessions=isinstance(login, Users)), "", root_path)


def _mount(app: FastAPI, blocks: "gr.Blocks", path: str, root_path: str | None) -> FastAPI:
    """The application, with an application of Gradio's below a path."""
    import gradio as gr

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        blocks,
        path=path,
        root_path=root_path,
        theme=_theme(),
        css_paths=sorted(_STYLES.glob("*.css")),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size=LARGEST_FILE,
    )
    return mounted


def _service(api: str, identity: str | None, tls: ssl.SSLContext | None) -> Service:
    who = GoogleIdentity(api.rstrip("/")) if identity == "google" else None
    return Service(api, who, tls, os.environ.get("API_KEY", ""))


async def _livez() -> PlainTextResponse:
    return PlainTextResponse("ok")


def _guard(app: FastAPI, login: Users | str | None, frame_ancestors: str) -> None:
    """Let in whom `login` says; what is added last stands before the others."""
    from ui.views import base  # takes long, too

    if isinstance(login, Users):
        app.add_middleware(Login, users=login, form=base.login)
    elif login is not None:
        app.add_middleware(Proxied, header=login)
    app.add_middleware(Guarded, frame_ancestors=frame_ancestors, forms=isinstance(login, Users), first=base.first())


def _lifespan(service: Service, files: Path) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    """The lifespan of the application: it removes old files while it runs, and all of them at its end."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        janitor = asyncio.create_task(_remove_old_files(files))
        try:
            yield
        finally:
            janitor.cancel()
            await service.close()
            shutil.rmtree(files, ignore_errors=True)

    return lifespan


class _BelowPrefix:
    """Appends the path of X-Forwarded-Prefix to X-Forwarded-Host, which is where Gradio looks for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            prefix = headers.get("x-forwarded-prefix", "").split(",")[0].strip(" /")
            host = (headers.get("x-forwarded-host") or headers.get("host", "")).split(",")[0].strip()
            if prefix:
                rest = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-host"]
                scope = {
                    **scope,
                    "headers": [*rest, (b"x-forwarded-host", f"{host}/{prefix}".encode("latin-1"))],
                }
        await self._app(scope, receive, send)


def _theme() -> "gr.themes.Base":
    """System fonts, and a button that is legible in light and dark mode."""
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


async def _remove_old_files(files: Path) -> None:
    """Remove files older than `KEPT_SECONDS`, for as long as the process runs."""
    while True:
        await asyncio.sleep(_CLEANUP_SECONDS)
        oldest = time.time() - KEPT_SECONDS
        for path in sorted(files.rglob("*"), reverse=True):  # files before their folder
            with contextlib.suppress(OSError):  # such as a folder that is not empty
                if path.stat().st_mtime < oldest:
                    path.rmdir() if path.is_dir() else path.unlink()
