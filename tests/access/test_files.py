"""Keys, certificates and settings: what is taken, what is refused, and what follows a change."""

import json
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from services.cli.app import create_app
from services.common.access.api_keys import KeyRing, create_key, read_keys, revoked
from services.common.access.certificates import read_pem
from services.common.access.watched_files import UnreadableFileError, WatchedFiles
from services.ranker.config import RankerConfig
from tests.access.authority import Authority


def test_a_key_is_shown_once_and_kept_as_a_hash() -> None:
    kept, shown = create_key("backend/a", 1.0, "", 1000.0)
    assert shown.split("_")[2] not in str(kept)
    assert shown not in str(kept)


def test_a_key_holds_until_it_expires_or_is_revoked() -> None:
    kept, shown = create_key("backend/a", 1.0, "", 1000.0)
    found = KeyRing([kept], lambda: 1000.0 + 86_399).principal_of(shown)
    assert found is not None
    assert (found.kind, found.tenant) == ("backend", "a")
    assert KeyRing([kept], lambda: 1000.0 + 86_400).principal_of(shown) is None
    assert KeyRing(revoked([kept], kept.key_id, 1.0), lambda: 1001.0).principal_of(shown) is None


@pytest.mark.parametrize(
    "principal", ["service:profile/*", "end_user/a", "root/a", "backend/", "backend/A B", "backend"]
)
def test_keys_are_for_those_who_may_have_one(principal: str) -> None:
    with pytest.raises(ValueError, match=r"tenant|Kind|certificates|tokens"):
        create_key(principal, 1.0, "", 0.0)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys": [{}]}', b'{"keys": 1}'])
def test_a_file_that_is_none_of_keys_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="keys"):
        read_keys([content])


def test_keys_are_made_listed_and_revoked_by_commands(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    runner = CliRunner()
    made = runner.invoke(create_app(), ["keys", "create", "backend/shop", "--file", str(file)])
    assert made.exit_code == 0, made.output
    (shown,) = (line for line in made.stdout.splitlines() if line.startswith("hk_"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shown.split("_")[2] not in file.read_text()
    (key,) = read_keys([file.read_bytes()])
    assert KeyRing([key]).principal_of(shown) is not None
    listed = runner.invoke(create_app(), ["keys", "list", "--file", str(file)])
    assert key.key_id in listed.stdout
    gone = runner.invoke(create_app(), ["keys", "revoke", key.key_id, "--file", str(file)])
    assert gone.exit_code == 0
    assert KeyRing(read_keys([file.read_bytes()])).principal_of(shown) is None
    assert (
        runner.invoke(create_app(), ["keys", "revoke", "nobody", "--file", str(file)]).exit_code
        == 1
    )


def test_a_certificate_and_the_key_of_another_are_refused() -> None:
    authority = Authority()
    one, other = authority.leaf("spiffe://harken/a"), authority.leaf("spiffe://harken/b")
    assert read_pem([authority.pem, one.chain, one.key]).chain == one.chain
    for contents in (
        [authority.pem, one.chain, other.key],
        [b"", one.chain, one.key],
        [authority.pem, b"", one.key],
        [authority.pem, one.chain, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
    ):
        with pytest.raises(ValueError, match=r"certificate"):
            read_pem(contents)


async def test_a_change_that_is_wrong_changes_nothing(tmp_path: Path) -> None:
    """Truth 7."""
    file = tmp_path / "numbers.json"
    file.write_text("[1]")
    watched = WatchedFiles([file], lambda contents: json.loads(contents[0]))
    assert watched.live.value == [1]
    file.write_text("[1")
    await watched.look()
    assert watched.live.value == [1]
    file.unlink()
    await watched.look()
    assert watched.live.value == [1]
    file.write_text("[1, 2]")
    await watched.look()
    assert watched.live.value == [1, 2]


def test_a_file_that_is_away_at_the_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nothing\.pem"):
        WatchedFiles([tmp_path / "nothing.pem"], lambda contents: contents)


TLS = {name: Path(name) for name in ("tls_certificate_file", "tls_key_file", "tls_ca_file")}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"listen": "0.0.0.0:7403"}, "insecure"),
        ({"listen": "10.0.0.1:7403"}, "insecure"),
        ({"listen": "ranker:7403"}, "insecure"),
        ({"listen": "[::]:7403"}, "insecure"),
        ({"metrics_listen": "0.0.0.0:9403"}, "insecure"),
        ({**TLS, "metrics_listen": "0.0.0.0:9403"}, "insecure"),
        ({"tls_certificate_file": Path("one")}, "tls_ca_file"),
        ({"tls_ca_file": Path("one")}, "tls_ca_file"),
        ({"token_listen": "127.0.0.1:1"}, "token_listen"),
        ({"health_listen": "127.0.0.1:1"}, "health_listen"),
        ({"keys_file": Path("keys")}, "keys_file"),
        ({**TLS, "jwt_issuer": "me"}, "jwks_file"),
        ({**TLS, "jwks_file": Path("keys")}, "jwks_file"),
        ({"san_principals": {"x": "root/a"}}, "san_principals"),
    ],
)
def test_settings_that_let_strangers_in_are_refused(given: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RankerConfig(**given)  # type: ignore[arg-type]
    assert {one["loc"][0] for one in caught.value.errors()} == {fault}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"listen": "localhost:7403", "metrics_listen": "[::1]:9403"},
        {"listen": "0.0.0.0:7403", "metrics_listen": "0.0.0.0:9403", "insecure": True},
        {**TLS, "listen": "0.0.0.0:7403"},
        {**TLS, "listen": "0.0.0.0:7403", "metrics_listen": "0.0.0.0:1", "open_metrics": True},
        {**TLS, "jwt_issuer": "me", "jwt_audience": "us", "jwks_file": Path("keys")},
    ],
)
def test_settings_that_do_not_are_taken(given: dict[str, object]) -> None:
    RankerConfig(**given)  # type: ignore[arg-type]
