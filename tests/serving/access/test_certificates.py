"""A service that demands certificates of its clients and keys too."""

from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.project import Project
from tests.serving.access import made
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call, message
from tests.serving.test_tls import CALLER, REFUSED, secured, trust


@pytest.mark.slow
def test_a_certificate_is_no_key_and_a_key_no_certificate(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    key = made.new(tmp_path / "keys.json", "caller")
    (tmp_path / "nothing").mkdir()
    with secured(trained, bento, tmp_path, CALLER, BOXWOOD_API_KEYS=str(tmp_path / "keys.json")) as service:
        answers = [
            service.client.post(PREDICT, json={"instances": [row]}, headers=sent) for sent in ({}, made.bearer(key))
        ]
        assert [answer.status_code for answer in answers] == [401, 200]
        with (
            httpx.Client(verify=trust(tmp_path / "nothing", None), base_url=service.client.base_url) as client,
            pytest.raises(REFUSED),
        ):
            client.post(PREDICT, json={"instances": [row]}, headers=made.bearer(key))
        with service.channel(CALLER) as channel:
            call, asked = infer_call(channel), message([row])
            with pytest.raises(grpc.RpcError) as caught:
                call(asked)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert call(asked, metadata=[("x-api-key", key)]).model_name == "flights"
