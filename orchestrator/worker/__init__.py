"""The GPU host's side: takes jobs from the queue and does them, one at a time."""

from .options import WorkerOptions, users_folder
from .service import serve

__all__ = ["WorkerOptions", "serve", "users_folder"]
