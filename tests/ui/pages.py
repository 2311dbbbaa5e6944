"""What the browser tests start: page processes, proxies before them, and visitors who use them as people do."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.project import ROOT, free_port, wait_until_ready

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
"""Debian keeps it where only root looks."""
_PROXY = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log {folder}/requests.log;
  client_body_temp_path {folder}/bodies;
  proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/unused;
  uwsgi_temp_path {folder}/unused;
  scgi_temp_path {folder}/unused;
  client_max_body_size 100m;
  server {{
    listen 127.0.0.1:{port};
    location = /favicon.ico {{ return 204; }} # browsers ask for it there by themselves
    location {prefix}/ {{
      proxy_pass {page}/;
      proxy_buffering off;
      {headers}
    }}
  }}
}}
"""
_HEADERS = """
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix {prefix};
"""


@contextlib.contextmanager
def page_process(api: str, folder: Path, *arguments: str, port: int = 0) -> Iterator[str]:
    """`python -m ui` for a service, and where it is once it is up."""
    port = port or free_port()
    command = [sys.executable, "-u", "-m", "ui", "--api", api, "--port", str(port), *arguments]
    log = folder / f"page-{port}.log"
    environment = {name: value for name, value in os.environ.items() if name not in ("API", "PORT")}
    with _running(command, log, f"http://127.0.0.1:{port}", "/livez", environment) as url:
        yield url


@contextlib.contextmanager
def proxy(page: str, prefix: str, folder: Path, *, says_so: bool) -> Iterator[str]:
    """A real nginx that shows a page below a prefix; `says_so` in the headers that proxies set."""
    assert NGINX, "there is no nginx; make browser-tools"
    port = free_port()
    headers = _HEADERS.format(prefix=prefix) if says_so else "proxy_set_header Host $http_host;"
    config = folder / "nginx.conf"
    config.write_text(_PROXY.format(folder=folder, port=port, prefix=prefix, page=page, headers=headers))
    command = [NGINX, "-e", str(folder / "nginx.log"), "-c", str(config)]
    with _running(
        command, folder / "nginx.out", f"http://127.0.0.1:{port}", f"{prefix}/livez", dict(os.environ)
    ) as url:
        yield f"{url}{prefix}/"


@contextlib.contextmanager
def _running(command: list[str], log: Path, url: str, path: str, environment: dict[str, str]) -> Iterator[str]:
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=url) as client:
            wait_until_ready(client, process, log, path)
        yield url
    finally:
        process.terminate()
        process.wait(30)
