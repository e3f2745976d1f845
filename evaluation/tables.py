"""A table of text, and its form in Markdown, in HTML and on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True)
class Table:
    """Rows of cells under headings; every column but the first `words` holds figures."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1

    def to_markdown(self) -> str:
        """The table without its title, as GitHub reads it."""
        ruler = ["--" if column < self.words else "--:" for column in range(len(self.headings))]
        lines = [self.headings, ruler, *self.rows]
        return "".join(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n"
            for line in lines
        )

    def to_html(self) -> str:
        """The table without its title; everything is escaped."""

        def row(cells: tuple[str, ...], tag: str) -> str:
            return "".join(
                f"<{tag}>{escape(cell)}</{tag}>"
                if column < self.words
                else f'<{tag} class="n">{escape(cell)}</{tag}>'
                for column, cell in enumerate(cells)
            )

        body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in self.rows)
        return (
            f'<div class="scroll"><table><thead><tr>{row(self.headings, "th")}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def to_rich(self) -> RichTable:
        """The table with its title for a terminal."""
        table = RichTable(title=Text(self.title), title_justify="left")
        for column, heading in enumerate(self.headings):
            table.add_column(Text(heading), justify="left" if column < self.words else "right")
        for cells in self.rows:
            table.add_row(*map(Text, cells))
        return table
