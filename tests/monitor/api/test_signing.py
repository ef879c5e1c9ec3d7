"""Signed answers: every changed byte is found, a 304 proves its freshness, and readers need nobody's canonical JSON."""

import time
from base64 import b64decode

import aiohttp
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monitor.api.documents import Documents
from monitor.api.server import Listener, read_app
from monitor.api.signing import Signer
from monitor.api.views import Sources
from monitor.breaker.flags import FlagBoard, Spec
from tests.support.findings import CHAIN, position

SEED = "11" * 32


def checked(body: bytes, public: str) -> None:
    """Verify a document as its documentation says. Raises InvalidSignature."""
    signed, _, rest = body.rpartition(b',"key_id":"')
    signature = rest.split(b'"sig":"')[1].split(b'"')[0]
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(b64decode(signature), signed + b"}")


async def test_documents_and_304s_are_signed_with_the_published_key() -> None:
    board = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=7)
    board.beat()
    board.saw_head(CHAIN, position(10), time.time())
    sources = Sources(breakers=dict, made=tuple, chains=dict, contracts={})
    fine = lambda: {"ok": True}  # noqa: E731 - a fact
    app = read_app(board, healthy=fine, ready=fine, sources=sources, documents=Documents(board, Signer(SEED)))
    read = Listener("read", app, "127.0.0.1:0")
    await read.start()
    async with aiohttp.ClientSession() as http:
        key = (await (await http.get(f"{read.url}/v1/keys")).json())["keys"][0]
        for path in ("/v1/flags", "/v1/flags/bank"):
            answer = await http.get(read.url + path)
            body = await answer.read()
            checked(body, key["public_key"])
            for place in range(0, body.rindex(b',"key_id"'), 7):
                with pytest.raises(InvalidSignature):
                    checked(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], key["public_key"])
            again = await http.get(read.url + path, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status == 304
            key_id, _, signature = again.headers["X-Flags-Signature"].partition(":")
            names = ("X-Flags-As-Of", "X-Flags-Valid-For", "X-Flags-Epoch")
            message = "\n".join((again.headers["ETag"].strip('"'), *(again.headers[name] for name in names)))
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public_key"])).verify(b64decode(signature), message.encode())
            assert key_id == key["key_id"]
    await read.stop()


@pytest.mark.parametrize("seed", ["", "zz", "11" * 31, "11" * 33])
def test_a_key_that_is_none_is_refused(seed: str) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|hexadecimal"):
        Signer(seed)
