"""python -m ui: the demo page of a running service."""

import argparse
import contextlib
import logging
import os
import re
import signal
import ssl
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from ui import headers, users

API = "http://127.0.0.1:3000"
PORT = 7860
_WAIT_SECONDS = 0.25
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
_log = logging.getLogger("boxwood.page")


def main() -> None:
    """Show the page until the process is told to end."""
    environment = os.environ
    parser = argparse.ArgumentParser(prog="python -m ui", description=__doc__)
    parser.add_argument("--api", default=environment.get("API") or API, help="where the service is (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=environment.get("PORT") or PORT, help="its port (%(default)s)")
    parser.add_argument(
        "--root-path",
        default=environment.get("GRADIO_ROOT_PATH"),
        help="the path, or the whole URL, below which a proxy shows the page",
    )
    parser.add_argument(
        "--beside", type=int, metavar="PID", help="a server on this machine: begin once it is ready, end when it ends"
    )
    parser.add_argument(
        "--frame-ancestors",
        default=environment.get("FRAME_ANCESTORS") or headers.NOWHERE,
        help="the origins whose pages may show this one in a frame, with blanks between them (%(default)s)",
    )
    _add_access(parser, environment)
    options = parser.parse_args()
    if not _is_url(options.api):
        parser.error(f"--api is {options.api!r}; it takes a URL like https://fares.example or http://[::1]:3000")
    if not headers.is_frame_ancestors(options.frame_ancestors):
        parser.error(f"--frame-ancestors is {options.frame_ancestors!r}; it takes origins like https://portal.example")
    tls, login = _tls(parser, options), _login(parser, options)
    if options.beside is not None:
        _wait_until_ready(options.api, options.beside, tls)
        threading.Thread(target=_end_with, args=(options.beside,), daemon=True).start()
    _serve(options, tls, login)


def _add_access(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add who the page is to the service, and whom it lets in."""
    parser.add_argument(
        "--identity",
        choices=("google",),
        default=environment.get("API_IDENTITY") or None,
        help="to a private service on Cloud Run: who the page is, as the account that it runs as",
    )
    parser.add_argument(
        "--api-ca", default=environment.get("API_CA"), help="the authorities to trust for https://, PEM"
    )
    parser.add_argument(
        "--api-cert",
        default=environment.get("API_CERT"),
        help="to a service that demands one: the page's certificate and its key, in one PEM file",
    )
    parser.add_argument(
        "--users",
        default=environment.get("PAGE_USERS") or None,
        help="a file of those who may log in, which `python -m ui.users` writes; everybody may enter without one",
    )
    parser.add_argument(
        "--login-header",
        default=environment.get("LOGIN_HEADER") or None,
        help="the header in which the proxy before the page names who has logged in there, like X-Forwarded-User",
    )


def _tls(parser: argparse.ArgumentParser, options: argparse.Namespace) -> ssl.SSLContext | None:
    """What the page trusts and shows, None for what is usual; ends the program where a file cannot be used."""
    if not options.api_ca and not options.api_cert:
        return None
    try:
        context = ssl.create_default_context(cafile=options.api_ca)
        if options.api_cert:
            context.load_cert_chain(options.api_cert, password="")
    except (OSError, ValueError) as error:
        parser.error(f"--api-ca {options.api_ca} and --api-cert {options.api_cert} cannot be used: {error}")
    return context


def _login(parser: argparse.ArgumentParser, options: argparse.Namespace) -> users.Users | str | None:
    """Who is let in, see `app.make`; says loudly where that is anybody. Ends the program where it cannot be known."""
    elsewhere = options.host not in ("127.0.0.1", "::1", "localhost")
    header: str | None = options.login_header
    if options.users and header:
        parser.error("--users and --login-header are two ways to log in; choose one.")
    if options.users:
        try:
            return users.Users(Path(options.users))
        except users.UsersError as error:
            parser.error(str(error))
    if header and not _HEADER.fullmatch(header):
        parser.error(f"--login-header is {header!r}; it takes the name of a header like X-Forwarded-User")
    if elsewhere and header:
        _log.warning("Whoever reaches %s past the proxy can name anybody in %s.", options.host, header)
    elif elsewhere:
        _log.warning(
            "Anybody who reaches this page at %s may ask the service through it: neither --users nor --login-header "
            "is set.",
            options.host,
        )
    return header


def _serve(options: argparse.Namespace, tls: ssl.SSLContext | None, login: users.Users | str | None) -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import uvicorn  # nothing of this while a service beside it starts, which wants the processor

    from ui import app

    page = app.make(options.api, options.root_path, options.identity, options.frame_ancestors, tls, login)
    config = uvicorn.Config(
        page,
        host=options.host,
        port=options.port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    print(f"page: http://{options.host}:{options.port}, of the service at {options.api}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
        uvicorn.Server(config).run()


def _is_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port  # raises for what is no number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set(text) & set(" \t\n")


def _wait_until_ready(api: str, pid: int, tls: ssl.SSLContext | None) -> None:
    """Wait for the server with as little as possible: it starts on the same processors."""
    # it is on this machine
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    while True:
        if not _runs(pid):
            sys.exit("page: the service ended before it was ready.")
        try:
            with direct.open(f"{api}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(_WAIT_SECONDS)


def _end_with(pid: int) -> None:
    while _runs(pid):
        time.sleep(_WAIT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:  # it runs, as somebody else, where that is not allowed
        return not isinstance(error, ProcessLookupError)
    return True


if __name__ == "__main__":
    main()
