"""Every error that edgecodec raises on purpose.

- EdgecodecError
    - BitstreamError      a stream's bytes are damaged or break the format
    - UnsupportedError    the input is sound, but this version cannot do it
    - ModelError          a network is missing, or its file is not what its manifest says
    - ProviderError       an execution provider that was asked for did not load
    - ExportError         a stage of the export failed
    - GateError           a measured value missed a bound that the caller set
    - DeviceError         a device is unknown, or its profile does not say what is needed
        - ProfileFileError    a file of a device profile or of a report is missing or malformed
    - DispatchError       an experiment could not be handed to a worker

A message says what happened, where (file, byte, frame) and what to do.
"""

from __future__ import annotations


class EdgecodecError(Exception):
    """Base of all of them: catch it around any call into edgecodec."""


class BitstreamError(EdgecodecError, ValueError):
    """A stream's bytes are damaged or break the format."""


class UnsupportedError(EdgecodecError):
    """The input is sound, but this version cannot do what was asked of it."""


class ModelError(EdgecodecError):
    """A network is missing, or its file is not what its manifest says."""


class ProviderError(EdgecodecError, RuntimeError):
    """An execution provider that was asked for did not load."""


class ExportError(EdgecodecError, RuntimeError):
    """A stage of the export failed."""


class GateError(EdgecodecError):
    """A measured value missed a bound that the caller set."""


class DeviceError(EdgecodecError, LookupError):
    """A device is unknown, or its profile does not say what is needed."""


class ProfileFileError(DeviceError):
    """A file of a device profile or of a profile's report is missing or malformed."""


class DispatchError(EdgecodecError, RuntimeError):
    """An experiment could not be handed to a worker."""
