"""Finding the program of a scene: stills, and what is to be done with them."""

from .program import Picture, Program
from .program_fit import fit_program

__all__ = ["Picture", "Program", "fit_program"]
