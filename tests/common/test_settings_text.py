"""Values in force are shown without passwords."""

import pytest

from services.common.settings_text import value_lines, without_password
from services.feedback.config import FeedbackConfig


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me@db/harken", "postgresql://me@db/harken"),
        ("postgresql://me:s3@db:5432/harken", "postgresql://me:***@db:5432/harken"),
        ("postgresql://me:s@3:x@a:1,b:2/h", "postgresql://me:***@a:1,b:2/h"),
        ("postgresql:///h?host=/run&password=s3", "postgresql:///h?host=/run&password=***"),
        ("postgresql://db/h?user=a&PASSWORD=s3&sslpassword=s3",
         "postgresql://db/h?user=a&PASSWORD=***&sslpassword=***"),
        ("postgresql://me:s#3/x?y@db/h", "postgresql://me:***@db/h"),
        ("postgresql://db:5432/h", "postgresql://db:5432/h"),
        ("postgresql://me:@db/h", "postgresql://me:***@db/h"),
    ],
)  # fmt: skip
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_values_read_back_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARKEN_FEEDBACK_DSN", "postgresql://me@db/harken")
    monkeypatch.setenv("HARKEN_FEEDBACK_EVENT_TYPES", '{"like": {"weight": 2}}')
    before = FeedbackConfig()  # type: ignore[call-arg]
    for line in value_lines(before):
        monkeypatch.setenv(*line.split("=", 1))
    assert FeedbackConfig() == before  # type: ignore[call-arg]
