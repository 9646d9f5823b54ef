"""JWTs: what is accepted, and what of all that a forger or a careless issuer makes is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from joserfc import jwt
from joserfc.jwk import import_key
from oneiric_mcp.auth.bearer import Bearer
from oneiric_mcp.auth.signed_tokens import SignedTokens, SigningKeyRefused
from oneiric_mcp.auth.token_file import TokenFile
from oneiric_mcp.options import JwtOptions, Options

if TYPE_CHECKING:
    from pathlib import Path

ISSUER, AUDIENCE = "https://issuer.example", "oneiric"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PADDING, _SHA256 = padding.PKCS1v15(), hashes.SHA256()


def private(key: Any) -> str:
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()


def public(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text.decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "scope": "adapters:read adapters:run",
        "exp": now + 60,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def encode(key: Any = RSA, algorithm: str = "RS256", **changes: Any) -> str:
    kind = {"R": "RSA", "P": "RSA", "E": "EC" if algorithm[:2] == "ES" else "OKP"}[algorithm[0]]
    return jwt.encode({"alg": algorithm}, claims(**changes), import_key(private(key), kind), algorithms=[algorithm])  # type: ignore[arg-type]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture
def verifier(tmp_path: Path) -> SignedTokens:
    (tmp_path / "key.pem").write_text(public(RSA))
    return SignedTokens(JwtOptions(ISSUER, AUDIENCE, key=tmp_path / "key.pem"))


async def test_a_right_one_says_who_it_is_and_what_it_may_do(verifier: SignedTokens):
    found = await verifier.verify_token(encode())
    assert found
    assert (found.client_id, found.scopes) == ("jwt:ada", ["adapters:read", "adapters:run"])
    assert await verifier.verify_token(encode(scope=None, scp=["adapters:read"]))
    assert await verifier.verify_token(encode(aud=["another", AUDIENCE]))


async def test_a_subject_can_not_be_taken_for_a_stored_token(verifier: SignedTokens):
    found = await verifier.verify_token(encode(sub="token:ci"))
    assert found
    assert found.client_id == "jwt:token:ci"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other"]},
        {"exp": 1_600_000_000},
        {"exp": None},
        {"exp": "never"},
        {"exp": 0},
        {"nbf": 4_000_000_000},
        {"nbf": "soon"},
        {"scope": [{"a": 1}]},
    ],
    ids=str,
)
async def test_one_for_another_time_or_place_is_refused(verifier: SignedTokens, changes: dict[str, Any]):
    assert await verifier.verify_token(encode(**changes)) is None


async def test_one_of_another_s_key_is_refused(verifier: SignedTokens):
    assert await verifier.verify_token(encode(OTHER_RSA)) is None


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None])
async def test_an_unsigned_one_is_refused(verifier: SignedTokens, algorithm: str | None):
    for signature in ("", "AAAA", encode().rpartition(".")[2]):
        token = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}.{signature}"
        assert await verifier.verify_token(token) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_one_that_takes_the_public_key_for_a_shared_secret_is_refused(verifier: SignedTokens, algorithm: str):
    pem = public(RSA)
    signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}"
    for secret in (pem.encode(), pem.strip().encode(), "".join(pem.splitlines()[1:-1]).encode()):
        digest = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        token = f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
        assert await verifier.verify_token(token) is None


async def test_one_that_brings_its_own_key_is_refused(verifier: SignedTokens):
    key = import_key(private(OTHER_RSA), "RSA")
    for header in (
        {"alg": "RS256", "jwk": key.as_dict(private=False)},
        {"alg": "RS256", "kid": "../../../dev/null"},
        {"alg": "RS256", "jku": "http://127.0.0.1:1/keys"},
        {"alg": "RS256", "crit": ["exp"]},
    ):
        signed = f"{part(header)}.{part(claims())}"
        signature = OTHER_RSA.sign(signed.encode(), _PADDING, _SHA256)
        token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        assert await verifier.verify_token(token) is None


async def test_a_signature_of_other_claims_is_refused(verifier: SignedTokens):
    header, _, signature = encode().split(".")
    raised = claims(scope="adapters:read adapters:write adapters:run")
    assert await verifier.verify_token(f"{header}.{part(raised)}.{signature}") is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "x" * 9000, "é.é.é", "\udc80", "{}", f"{part({})}..", "=" * 50]
)
async def test_what_is_no_jwt_is_refused(verifier: SignedTokens, token: str):
    assert await Bearer(verifier).verify_token(token) is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("PS256", RSA),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("Ed25519", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_other_algorithms_of_key_pairs_and_only_the_one_that_was_chosen(tmp_path: Path, algorithm: str, key: Any):
    (tmp_path / "key.pem").write_text(public(key))
    verifier = SignedTokens(JwtOptions(ISSUER, AUDIENCE, algorithm, key=tmp_path / "key.pem"))
    assert await verifier.verify_token(encode(key, algorithm))
    assert await verifier.verify_token(encode(RSA, "RS256")) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not a public key for RS256"),
        ("hunter2", "is not a public key for RS256"),
        (public(ec.generate_private_key(ec.SECP256R1())), "is not a public key for RS256"),
        (private(RSA), "is a private key"),
        ("é", "it is not a PEM file"),
    ],
)
def test_a_file_that_is_no_public_key_is_told_at_once(tmp_path: Path, content: str, said: str):
    path = tmp_path / "key.pem"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SigningKeyRefused, match=said) as caught:
        SignedTokens(JwtOptions(ISSUER, AUDIENCE, key=path))
    assert "hunter2" not in str(caught.value)


def test_a_key_that_is_not_there_is_told_at_once(tmp_path: Path):
    with pytest.raises(SigningKeyRefused, match="can't be read: No such file"):
        SignedTokens(JwtOptions(ISSUER, AUDIENCE, key=tmp_path / "gone.pem"))


@pytest.mark.parametrize(
    "url", ["http://issuer.example/keys", "file:///etc/keys", "keys", "https:/x", "ftp://[::1]/k", "http://[x"]
)
def test_keys_come_over_https_or_from_this_machine(url: str):
    with pytest.raises(SigningKeyRefused, match="should start with https"):
        SignedTokens(JwtOptions(ISSUER, AUDIENCE, jwks=url))
    SignedTokens(JwtOptions(ISSUER, AUDIENCE, jwks="https://issuer.example/keys"))
    SignedTokens(JwtOptions(ISSUER, AUDIENCE, jwks="http://127.0.0.1:9/keys"))


async def test_a_key_of_the_issuer_s_set_by_its_id():
    keys = [import_key(public(key), "RSA").as_dict() | {"kid": name} for name, key in (("a", OTHER_RSA), ("b", RSA))]

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": keys}).encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        verifier = SignedTokens(JwtOptions(ISSUER, AUDIENCE, jwks=f"http://127.0.0.1:{server.server_port}/keys"))
        for key, name, is_known in ((RSA, "b", True), (OTHER_RSA, "a", True), (RSA, "a", False), (RSA, "c", False)):
            token = jwt.encode({"alg": "RS256", "kid": name}, claims(), import_key(private(key), "RSA"))
            assert bool(await verifier.verify_token(token)) is is_known
        server.shutdown()


async def test_a_key_set_that_can_not_be_had_lets_nobody_in():
    verifier = SignedTokens(JwtOptions(ISSUER, AUDIENCE, jwks="http://127.0.0.1:9/keys"))
    assert await verifier.verify_token(encode()) is None


async def test_tokens_of_both_kinds_are_accepted_together(tmp_path: Path):
    token = TokenFile(tmp_path / "tokens.json").create("ci", [])
    (tmp_path / "key.pem").write_text(public(RSA))
    options = Options(
        http=True,
        tokens=tmp_path / "tokens.json",
        jwt_key=tmp_path / "key.pem",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )
    bearer = Bearer.from_options(options)
    assert bearer
    found = [await bearer.verify_token(text) for text in (token, encode(), "another")]
    assert [one and one.client_id for one in found] == ["token:ci", "jwt:ada", None]
    assert Bearer.from_options(Options(http=True)) is None
