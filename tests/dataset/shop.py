"""A shop's database, as the source of queries."""

import asyncpg

ROWS = 5_001
EVENTS = "SELECT who AS user, what AS item, at AS timestamp, 'view' AS type FROM shop.clicks"
ORDERED = f"{EVENTS} ORDER BY number"


async def fill(dsn: str) -> None:
    """Make the tables of a shop: clicks, and items of all types that shops have."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE SCHEMA shop;"
        "CREATE TABLE shop.clicks (number int, who uuid, what text, at timestamptz);"
        "INSERT INTO shop.clicks SELECT n, gen_random_uuid(), 'i' || n % 50,"
        " timestamptz '2024-01-01 00:00:00+02' + n * interval '1 s'"
        f" FROM generate_series(1, {ROWS}) n;"
        "CREATE TABLE shop.items (id int, title text, genres text[], price numeric, sold bool,"
        " made date, weight float8);"
        "INSERT INTO shop.items VALUES (1, 'One', '{a,b}', 9.50, true, '2020-02-03', 'NaN'),"
        " (2, 'Two', NULL, 7, false, NULL, 1.5)"
    )
    await connection.close()
