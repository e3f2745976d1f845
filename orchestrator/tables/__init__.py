"""Where the state of a fleet is kept: SQLite on one machine, Redis or DynamoDB for several."""

from .base import Row, Table
from .opening import open_table

__all__ = ["Row", "Table", "open_table"]
