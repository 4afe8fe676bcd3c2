"""Tokens of an issuer made here: one that holds, and those that must not."""

import base64
import hashlib
import hmac
import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE = "https://issuer.example", "harken"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with an RSA and an elliptic key."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.elliptic = ec.generate_private_key(ec.SECP256R1())
        self._weak = rsa.generate_private_key(65537, 1024)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys, and some that must not be taken as such."""
        rows: list[dict[str, Any]] = []
        for kid, key, algorithm in (
            ("rsa", self.rsa, "RS256"), ("weak", self._weak, "RS256"),
        ):  # fmt: skip
            row = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            rows.append({**row, "kid": kid, "alg": algorithm, "use": "sig"})
        row = jwt.algorithms.ECAlgorithm.to_jwk(self.elliptic.public_key(), as_dict=True)
        rows.append({**row, "kid": "elliptic", "alg": "ES256", "use": "sig"})
        rows.append({"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 6, "alg": "HS256"})
        return {"keys": rows}

    def write(self, file: Path) -> None:
        """Replace a JWKS file in one step."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(self.jwks()))
        partial.replace(file)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return claims that hold, with changes; None takes one away."""
        now = int(time.time())
        made = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "harken_tenant": "a",
            "iat": now, "nbf": now - 60, "exp": now + 600, **changes,
        }  # fmt: skip
        return {name: value for name, value in made.items() if value is not None}

    def token(self, kid: str | None = "rsa", key: Any = None, **changes: Any) -> str:
        """Return a signed token."""
        headers = {} if kid is None else {"kid": kid}
        algorithm = "ES256" if kid == "elliptic" else "RS256"
        return jwt.encode(
            self.claims(**changes), key or (self.elliptic if kid == "elliptic" else self.rsa),
            algorithm, headers,
        )  # fmt: skip

    def forged(self) -> dict[str, str]:
        """Return tokens that nobody may come in with, by what is wrong."""
        now = int(time.time())
        good = self.token()
        head, body, signature = good.split(".")
        public = self.rsa.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        other = Issuer.__new__(Issuer)
        other.rsa = rsa.generate_private_key(65537, 2048)
        stranger = self.token(key=other.rsa)
        own_key = jwt.algorithms.RSAAlgorithm.to_jwk(other.rsa.public_key(), as_dict=True)
        return {
            "alg none": f"{_part({'alg': 'none', 'kid': 'rsa'})}.{body}.",
            "alg None, signed": f"{_part({'alg': 'None', 'kid': 'rsa'})}.{body}.{signature}",
            "no signature": f"{head}.{body}.",
            "cut signature": good[:-4],
            "changed claims": f"{head}.{_part(self.claims(sub='bob'))}.{signature}",
            "key of a stranger": stranger,
            "key of its own in the header": jwt.encode(
                self.claims(), other.rsa, "RS256", {"kid": "rsa", "jwk": own_key}
            ),
            "HS256 by the public key": self._hs256(pem, "rsa"),
            "HS256 by a key of the set": self._hs256(base64.b64decode("c2VjcmV0" * 6), "shared"),
            "RS512 by the right key": jwt.encode(self.claims(), self.rsa, "RS512", {"kid": "rsa"}),
            "PS256 by the right key": jwt.encode(self.claims(), self.rsa, "PS256", {"kid": "rsa"}),
            "kid of the other key": jwt.encode(
                self.claims(), self.elliptic, "ES256", {"kid": "rsa"}
            ),
            "unknown kid": jwt.encode(self.claims(), self.rsa, "RS256", {"kid": "nobody"}),
            "no kid": self.token(kid=None),
            "weak key": self._by_weak_key(),
            "wrong issuer": self.token(iss="https://other.example"),
            "no issuer": self.token(iss=None),
            "wrong audience": self.token(aud="other"),
            "no audience": self.token(aud=None),
            "expired": self.token(exp=now - 120),
            "no expiry": self.token(exp=None),
            "expiry is text": self._signed({**self.claims(), "exp": "soon"}),
            "not yet valid": self.token(nbf=now + 300),
            "no subject": self.token(sub=None),
            "no tenant": self.token(harken_tenant=None),
            "all tenants": self.token(harken_tenant="*"),
            "a service of ours": self.token(harken_kind="service:profile", harken_tenant="*"),
            "a kind that is none": self.token(harken_kind="root"),
            "subject too long": self.token(sub="x" * 200),
            "nonsense": "a.b.c",
        }

    def _by_weak_key(self) -> str:
        with warnings.catch_warnings(action="ignore"):
            return jwt.encode(self.claims(), self._weak, "RS256", {"kid": "weak"})

    def _hs256(self, secret: bytes, kid: str) -> str:
        """Return a token signed by a shared secret, by hand: PyJWT refuses such secrets."""
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_part(self.claims())}"
        made = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

    def _signed(self, claims: Mapping[str, Any]) -> str:
        return jwt.api_jws.encode(
            json.dumps(claims).encode(), self.rsa, "RS256", {"kid": "rsa", "typ": "JWT"}
        )
