"""Cloud Monitoring's API (v3, REST): series of what callers met, and documents that are made or changed."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from deploy.errors import CloudError

EMULATOR = "CLOUD_MONITORING_EMULATOR_HOST"
"""The variable with the address of a stand-in for the API; no credentials."""
_SECONDS = 10
_RETRIES = Retry(3, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)
Document = dict[str, Any]


class Monitoring:
    """The API for one project. Methods raise CloudError, with a sentence that says what was asked."""

    def __init__(self, project: str) -> None:
        """Find Application Default Credentials; raises CloudError."""
        self.project = f"projects/{project}"
        address = os.environ.get(EMULATOR)
        self._url = f"http://{address}/v3" if address else "https://monitoring.googleapis.com/v3"
        try:
            scopes = ["https://www.googleapis.com/auth/monitoring"]
            self._session: requests.Session = (
                requests.Session() if address else AuthorizedSession(google.auth.default(scopes=scopes)[0])
            )
        except GoogleAuthError as error:
            raise CloudError(f"Cloud Monitoring cannot be asked: {error}") from error
        self._session.mount(self._url, HTTPAdapter(max_retries=_RETRIES))

    def list(self, path: str, member: str, **parameters: str) -> Iterator[Document]:
        """All documents of a collection, over its pages; `path` is below the project."""
        token = ""
        while True:
            page = self.ask("GET", f"{self.project}/{path}", {**parameters, "pageToken": token})
            yield from page.get(member, ())
            if not (token := page.get("nextPageToken", "")):
                return

    def ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, document: Document | None = None
    ) -> Document:
        """One request; returns the document that it is answered with."""
        try:
            answer = self._session.request(
                method, f"{self._url}/{path}", params=parameters, json=document, timeout=_SECONDS
            )
            if answer.ok:
                found: Document = answer.json()
                return found
            why = _message(answer)
        except (GoogleAuthError, requests.RequestException) as error:
            why = str(error)
        raise CloudError(f"Cloud Monitoring did not answer {method} {path}: {why}")


def _message(answer: requests.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"
