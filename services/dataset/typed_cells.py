"""Cells of typed sources (Parquet, PostgreSQL) as the cells that CSV and JSON lines have."""

import datetime
import math
import uuid
from decimal import Decimal


def plain_cell(cell: object) -> object:
    """Return a cell as text, number, truth value, list or None.

    Times become ISO 8601 (without a zone: UTC), UUIDs text, decimals numbers, NaN an empty cell,
    which is what it means in columns that a data frame wrote. Anything else is returned as it is.
    """
    match cell:
        case None | bool() | int() | str():
            return cell
        case float():
            return None if math.isnan(cell) else cell
        case datetime.datetime() | datetime.date() | datetime.time():
            return cell.isoformat()
        case Decimal():
            if not cell.is_finite():
                return None
            return int(cell) if cell == cell.to_integral_value() else float(cell)
        case uuid.UUID():
            return str(cell)
        case list() | tuple():
            return [plain_cell(one) for one in cell]
        case _:
            return cell
