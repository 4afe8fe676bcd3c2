"""What is exported is what the reader takes for an export, so that nothing of it is trimmed."""

from services.cli.exports import event_table, item_table, user_table
from services.dataset.fields import event_fields, item_fields, user_fields


def test_the_reader_knows_an_export_by_its_columns() -> None:
    for table, fields in (
        (event_table, event_fields),
        (item_table, item_fields),
        (user_table, user_fields),
    ):
        assert tuple(column.name for column in table.COLUMNS) == fields.EXPORT_COLUMNS
