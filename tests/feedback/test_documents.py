"""Documents: rows and log agree (truths 1 and 3), whoever races and whatever fails."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from harken.internal.log.v1 import entry_pb2
from services.common.database import open_pool
from services.common.errors import (
    EtagMismatchError,
    MissingResourceError,
    OverloadedError,
    StoreUnavailableError,
    TooManyError,
    WrongStateError,
)
from services.common.migrations import migrate
from services.feedback.documents.document_store import MAX_DOCUMENTS, DocumentStore
from services.feedback.documents.tenant_documents import TenantDocuments
from services.feedback.log.epochs import settle_epoch
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase
from tests.feedback.conftest import ROOT
from tests.waiting import until

T = "t"


@pytest_asyncio.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[asyncpg.Pool]:
    migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")
    pool = await open_pool(database.feedback_dsn, SCHEMA, 8)
    await settle_epoch(pool)
    yield pool
    await pool.close()


async def logged(pool: asyncpg.Pool) -> list[tuple[str, str, str, int, bytes]]:
    """Return what the log says of documents, in its order: tenant, kind, name, revision, body."""
    rows = await pool.fetch("SELECT tenant, entry FROM log ORDER BY sequence")
    entries = [(row["tenant"], entry_pb2.Entry.FromString(row["entry"])) for row in rows]
    return [
        (tenant, one.document.kind, one.document.name, one.document.revision, one.document.body)
        for tenant, one in entries
        if one.HasField("document")
    ]


async def stored(pool: asyncpg.Pool) -> list[tuple[str, str, str, int, bytes]]:
    rows = await pool.fetch(
        "SELECT tenant, kind, name, revision, body FROM documents"
        " ORDER BY tenant, kind, name, revision"
    )
    return [tuple(row) for row in rows]


async def test_every_change_is_a_revision_and_a_log_entry(pool: asyncpg.Pool) -> None:
    store = DocumentStore(pool, "surface")
    first, position = await store.put(T, "home", b"one", "ann: first")
    assert (first.revision, first.body, first.note, first.deleted) == (1, b"one", "ann: first", 0)
    assert position is not None
    assert await store.put(T, "home", b"one", "ann: first") == (first, None)
    # Repeated after its answer was lost, with the etag of before.
    assert await store.put(T, "home", b"one", "ann: first", "not it") == (first, None)
    noted, _ = await store.put(T, "home", b"one", "ann: why")
    second, later = await store.put(T, "home", b"two", etag=noted.etag)
    assert later is not None
    assert later > position
    assert len({first.etag, noted.etag, second.etag}) == 3
    assert first.time < noted.time < second.time
    assert first.time.tzinfo is not None
    gone, _ = await store.delete(T, "home", "not wanted", second.etag)
    assert (gone.revision, gone.deleted) == (4, True)
    with pytest.raises(MissingResourceError):
        await store.get(T, "home")
    with pytest.raises(MissingResourceError):
        await store.delete(T, "home")
    with pytest.raises(EtagMismatchError):
        await store.put(T, "home", b"three", etag=gone.etag)
    back, _ = await store.put(T, "home", b"one")
    assert back.revision == 5
    assert await store.get(T, "home") == back
    assert await store.get(T, "home", 4) == gone
    assert await store.get(T, "home", 1) == first
    with pytest.raises(MissingResourceError, match="revision 6"):
        await store.get(T, "home", 6)
    assert await store.revisions(T, "home", 0, 3) == ([back, gone, second], True)
    assert await store.revisions(T, "home", 3, 3) == ([noted, first], False)
    with pytest.raises(MissingResourceError):
        await store.revisions(T, "other", 0, 3)
    assert await logged(pool) == await stored(pool)


async def test_kinds_and_tenants_know_nothing_of_each_other(pool: asyncpg.Pool) -> None:
    """Truth 15."""
    surfaces, experiments = DocumentStore(pool, "surface"), DocumentStore(pool, "experiment")
    for name in ("b", "a", "c"):
        await surfaces.put(T, name, b"s")
    await surfaces.delete(T, "c")
    await experiments.put(T, "a", b"e")
    await surfaces.put("other", "d", b"o")
    page, more = await surfaces.page(T, "", 1)
    assert ([one.name for one in page], more) == (["a"], True)
    page, more = await surfaces.page(T, "a", 5)
    assert ([one.name for one in page], more) == (["b"], False)
    assert (await experiments.get(T, "a")).body == b"e"
    assert [one.name for one in (await surfaces.page("other", "", 5))[0]] == ["d"]
    with pytest.raises(MissingResourceError):
        await experiments.get(T, "b")


async def test_of_many_who_read_the_same_one_changes_it(pool: asyncpg.Pool) -> None:
    """Of two processes, and the log has them in the order of their revisions."""
    one, other = DocumentStore(pool, "surface"), DocumentStore(pool, "surface")
    first, _ = await one.put(T, "home", b"first")
    racing = [
        store.put(T, "home", b"%d" % number, etag=first.etag)
        for number, store in enumerate([one, other] * 4)
    ]
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EtagMismatchError) for outcome in outcomes) == 7
    await asyncio.gather(
        *(store.put(T, "home", b"x%d" % n) for n, store in enumerate([one, other] * 4))
    )
    assert [row[3] for row in await logged(pool)] == list(range(1, 11))
    assert await logged(pool) == await stored(pool)


async def test_while_a_deletion_is_decided_nobody_changes_what_it_is_decided_by(
    pool: asyncpg.Pool,
) -> None:
    surfaces, experiments = DocumentStore(pool, "surface"), DocumentStore(pool, "experiment")
    await surfaces.put(T, "home", b"s")
    started: list[asyncio.Task[object]] = []

    async def waits() -> bool:
        count = await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(count)

    async def require(documents: TenantDocuments) -> None:
        started.append(asyncio.create_task(experiments.put(T, "uses", b"e")))
        await until(waits, "the experiment to wait for its turn")
        assert await documents.serving("experiment") == []
        raise WrongStateError("in use")

    with pytest.raises(WrongStateError):
        await surfaces.delete(T, "home", require=require)
    await asyncio.gather(*started)
    assert (await surfaces.get(T, "home")).revision == 1
    assert (await experiments.get(T, "uses")).body == b"e"


async def test_what_the_log_refuses_is_no_revision(
    pool: asyncpg.Pool, admin: asyncpg.Connection
) -> None:
    """Truth 7, and the other way round."""
    store = DocumentStore(pool, "surface")
    first, _ = await store.put(T, "home", b"first")
    for table in ("log", "documents"):
        await admin.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'disk full'; END $$"
        )
        await admin.execute(
            f"CREATE CONSTRAINT TRIGGER refusing AFTER INSERT ON feedback.{table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        with pytest.raises((StoreUnavailableError, asyncpg.PostgresError)):
            await store.put(T, "home", b"second")
        with pytest.raises((StoreUnavailableError, asyncpg.PostgresError)):
            await store.delete(T, "home")
        await admin.execute(f"DROP TRIGGER refusing ON feedback.{table}")
        assert await store.get(T, "home") == first
        assert await logged(pool) == await stored(pool) == [(T, "surface", "home", 1, b"first")]


async def test_there_are_so_many_at_most_and_few_wait(pool: asyncpg.Pool) -> None:
    """Truth 13."""
    store = DocumentStore(pool, "surface")
    await pool.execute(
        "INSERT INTO documents (tenant, kind, name, revision, body, note, put_at, newest)"
        " SELECT $1, 'surface', 'n' || n, 1, 'b', '', now(), true FROM generate_series(1, $2) n",
        T,
        MAX_DOCUMENTS,
    )
    with pytest.raises(TooManyError):
        await store.put(T, "one-more", b"x")
    assert (await store.put(T, "n1", b"x"))[0].revision == 2
    await store.delete(T, "n2")
    await store.put(T, "one-more", b"x")
    with pytest.raises(TooManyError):
        await store.put(T, "n2", b"x")
    many = [store.put(T, "n1", b"%d" % n) for n in range(60)]
    outcomes = await asyncio.gather(*many, return_exceptions=True)
    assert {type(one) for one in outcomes} == {tuple, OverloadedError}


async def test_pages_of_large_documents_end_early(pool: asyncpg.Pool) -> None:
    store = DocumentStore(pool, "surface")
    for number in range(5):
        await store.put(T, f"n{number}", bytes([number + 1]) * 1_000_000)
    page, more = await store.page(T, "", 5)
    assert ([one.name for one in page], more) == (["n0", "n1", "n2"], True)
    page, more = await store.page(T, "n2", 5)
    assert ([one.name for one in page], more) == (["n3", "n4"], False)
