"""The table names all that is served, and nothing else; the page is written from it."""

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from grpc_reflection.v1alpha import reflection

from harken.feedback.v1 import embedding_service_pb2
from services.cli.access_page import access_page
from services.common.access.principal import Kind, Principal
from services.common.access.request_check import check_of
from services.common.access.rules import ANYBODY, RULES, Rule
from services.common.errors import PermissionDeniedError
from services.feedback import process as feedback
from services.profile import process as profile
from services.ranker import process as ranker
from tests.access.matrix import MAY, OPEN
from tests.access.served import methods

ROOT = Path(__file__).parents[2]


def test_every_rpc_is_in_the_table_and_each_of_the_table_exists() -> None:
    assert set(RULES) == set(methods())


def test_the_test_of_all_rpcs_knows_them_all() -> None:
    assert {f"/{rpc}" for rpc in (*MAY, *OPEN)} == set(methods())


def test_processes_serve_no_service_beyond_those() -> None:
    named = {*feedback._READING, *feedback._WRITING, profile.SERVICE, ranker.SERVICE}
    served = {path.split("/")[1] for path in RULES}
    assert served == {*named, "grpc.health.v1.Health", reflection.SERVICE_NAME}


@pytest.mark.parametrize("path", RULES)
def test_the_fields_of_a_rule_are_in_the_request(path: str) -> None:
    rule, message = RULES[path], methods()[path].input_type
    for field in (rule.tenant, rule.subjects, rule.subscriber, rule.operators_only):
        inner: Any = message
        for name in field.split(".") if field else ():
            inner = inner.fields_by_name[name].message_type
        assert not (field and field == rule.subjects) or inner.name == "Subject"
    # Who says a tenant is held to it.
    assert rule.open or "tenant" not in message.fields_by_name or rule.tenant == "tenant"
    # An end user is held to each subject there is.
    named = [one.name for one in message.fields if "subject" in one.name]
    assert Kind.END_USER not in rule.kinds or not named or rule.subjects in named


@pytest.mark.parametrize("path", [path for path, rule in RULES.items() if rule.audited])
def test_what_an_audited_call_is_about_is_in_the_request(path: str) -> None:
    for resource in RULES[path].resources:
        inner: Any = methods()[path].input_type
        for name in resource.split("."):
            inner = inner.fields_by_name[name].message_type
        assert inner is None or inner.name == "Subject", "a text, or whom it is about"


def test_all_that_changes_what_others_see_is_audited() -> None:
    """By the names of RPCs, whoever calls; and the ranker, which has no database, has none."""
    changes = re.compile(
        "(Put|Delete|Rollback|Publish|Promote|Start|Ramp|Stop|Conclude|Retract|Export|Erase|"
        "Revoke|Rotate|Create)[A-Z]"
    )
    for path, rule in RULES.items():
        name = path.rpartition("/")[2]
        assert not changes.match(name) or rule.audited == ANYBODY, path
        assert ".ranker." not in path or not rule.audited, path


@pytest.mark.parametrize("kind", [Kind.OPERATOR, Kind.BACKEND])
@pytest.mark.parametrize("pinned", [False, True])
def test_only_operators_pin_vectors(kind: Kind, pinned: bool) -> None:
    check = check_of(RULES["/harken.feedback.v1.EmbeddingService/PutEmbeddings"])
    request = embedding_service_pb2.PutEmbeddingsRequest(
        tenant="t",
        embeddings=[
            embedding_service_pb2.Embedding(item_id="a"),
            embedding_service_pb2.Embedding(item_id="b", pinned=pinned),
        ],
    )
    may = kind is Kind.OPERATOR or not pinned
    with contextlib.nullcontext() if may else pytest.raises(PermissionDeniedError):
        check(Principal(kind, "t", "somebody"), request)


def test_a_rule_lets_nobody_in_unless_it_names_them() -> None:
    assert not Rule(frozenset()).kinds
    assert not Rule(frozenset()).open


def test_the_page_is_written_from_the_table() -> None:
    page = (ROOT / "docs/access.md").read_text()
    assert page == access_page(), "run: harken config access > docs/access.md"
