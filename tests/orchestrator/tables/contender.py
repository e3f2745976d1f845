"""One of several processes that change the same rows: `contender.py URL GROUP NAME TIMES`."""

from __future__ import annotations

import sys

from edgecodec.orchestrator.tables import Table, open_table


def count_up(table: Table, group: str, name: str, times: int) -> list[int]:
    """Add 1 to the row's count so often; the counts that this made."""
    made: list[int] = []
    while len(made) < times:
        row = table.get(group, name)
        count = 0 if row is None else int(row.value["count"])
        if table.put(group, name, {"count": count + 1}, None if row is None else row.version):
            made.append(count + 1)
    return made


if __name__ == "__main__":
    opened = open_table(sys.argv[1])
    print(*count_up(opened, sys.argv[2], sys.argv[3], int(sys.argv[4])))
    opened.close()
