"""A run of experiments as a page and as JSON."""

from .digest import outcome_digest, result_figures, run_digest
from .page import RunReport, page, write_page

__all__ = [
    "RunReport",
    "outcome_digest",
    "page",
    "result_figures",
    "run_digest",
    "write_page",
]
