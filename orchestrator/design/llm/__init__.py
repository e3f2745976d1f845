"""Proposals by a language model, asked over its published HTTP interface."""

from .choose import language_model
from .designer import LanguageModelDesigner
from .model import LanguageModel

__all__ = ["LanguageModel", "LanguageModelDesigner", "language_model"]
