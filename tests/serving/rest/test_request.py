"""Bodies that are no JSON, told in words for whoever wrote them."""

import msgspec
import pytest

from serving.rest.request import parsed
from validation.errors import UnreadableRequest


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", r"^The body is empty\. Send rows\.$"),
        ('{"city": "Çığ"}'.encode("iso-8859-9"), r"^The body is not UTF-8 text \(byte 0xc7\)\. Send rows\.$"),
        (b'{"area": NaN}', r"JSON has no NaN or Infinity, null is a missing value\. Send rows\.$"),
        (b'{"area": -Infinity}', "JSON has no NaN or Infinity"),
        (b'{"area": 1', r"^Input data was truncated\. Send rows\.$"),
    ],
)
def test_why_a_body_cannot_be_read(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableRequest, match=says):
        parsed(msgspec.json.decode, body, "Send rows.")
