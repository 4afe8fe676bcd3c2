"""DSNs as dbmate takes them: TLS towards other machines unless told otherwise, ours without.

That the result works with a real server is shown in tests/cli/test_embedded_postgres.py.
"""

from urllib.parse import parse_qs, urlsplit

import pytest

from services.common.migrations import _dbmate_url


@pytest.mark.parametrize(
    ("dsn", "sslmode"),
    [
        ("postgresql:///harken?host=/run/pg&user=harken_feedback", "disable"),
        ("postgresql:///harken?user=harken_feedback", "disable"),
        ("postgresql://harken_feedback@localhost/harken", "disable"),
        ("postgresql://harken_feedback@127.0.0.1:5433/harken", "disable"),
        ("postgresql://harken_feedback@[::1]/harken", "disable"),
        ("postgresql://harken_feedback:secret@db.internal:5432/harken", "require"),
        ("postgresql:///harken?host=db.internal", "require"),
        ("postgresql://db.internal/harken?sslmode=verify-full", "verify-full"),
        ("postgresql://db.internal/harken?sslmode=disable", "disable"),
    ],
)
def test_tls_is_asked_for_unless_the_server_is_here_or_the_dsn_says_so(
    dsn: str, sslmode: str
) -> None:
    query = parse_qs(urlsplit(_dbmate_url(dsn, "feedback")).query)
    assert query["sslmode"] == [sslmode]
    assert query["search_path"] == ["feedback"]


def test_everything_else_of_the_dsn_stays() -> None:
    url = _dbmate_url("postgresql://me:a%2Fb@db:5433/harken?host=/with a/space&x=1", "profile")
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("postgres", "me:a%2Fb@db:5433", "/harken")
    query = parse_qs(parts.query)
    assert query["host"] == ["/with a/space"]
    assert query["x"] == ["1"]
