"""What a worker can be asked to do: one module a kind of job, imported when one arrives."""

from .base import Handler, JobContext, handler

__all__ = ["Handler", "JobContext", "handler"]
