"""`python -m edgecodec.runtime.provider_probe NAME`: does an execution provider really load?

Exits with 0 when a session with that provider was made and ran, else with 1 and one line on
stderr. ONNX Runtime falls back to the CPU in silence, so the session's own list is what counts.
"""

from __future__ import annotations

import sys

import numpy as np

# ONNX, opset 13: y[1, 4] = Relu(x[1, 4]), float32.
MODEL = bytes.fromhex(
    "08083a3f0a0c0a01781201792204"
    "52656c75120570726f62655a130a0178120e0a0c080112080a0208010a020804"
    "62130a0179120e0a0c080112080a0208010a02080442040a00100d"
)


def probe(provider: str) -> str | None:
    """Why `provider` does not load, or None when it does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if provider != "CPUExecutionProvider":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(MODEL, options, providers=[provider])
        used = session.get_providers()
        if provider not in used:
            return f"ONNX Runtime fell back to {', '.join(used)}"
        (y,) = session.run(None, {"x": np.array([[-1, 0, 1, 2]], np.float32)})
    except Exception as error:  # ONNX Runtime's errors share no base class
        return " ".join(str(error).split())
    return None if np.array_equal(y, [[0, 0, 1, 2]]) else f"Relu([-1, 0, 1, 2]) gave {y}"


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1]))
