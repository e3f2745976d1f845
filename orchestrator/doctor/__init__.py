"""Whether a deployment has all that jobs need."""

from .checks import deployment_checks

__all__ = ["deployment_checks"]
