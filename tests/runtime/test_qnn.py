"""Qualcomm's plugin where it is not, and sessions that are made for one size.

That networks really run on it is shown where streams are certified, in processes of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from edgecodec.runtime import qnn
from edgecodec.runtime.errors import ProviderError
from edgecodec.runtime.qnn import SizedSession
from edgecodec.runtime.sessions import NetworkPool

NPU, CPU = (getattr(onnxruntime.OrtHardwareDeviceType, name) for name in ("NPU", "CPU"))


def plugin(monkeypatch: pytest.MonkeyPatch, *, library: str = "there.so") -> ModuleType:
    module = ModuleType("onnxruntime_qnn")
    module.get_library_path = lambda: library  # type: ignore[attr-defined]
    module.get_qnn_htp_path = lambda: "htp.so"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", module)
    return module


def runtime(*kinds: Any, fails: str = "") -> SimpleNamespace:
    """An ONNX Runtime in which the plugin offers devices of those kinds once it is registered."""
    devices: list[Any] = []

    def register(name: str, path: str) -> None:
        if fails:
            raise RuntimeError(fails)
        assert not devices, "registered twice"
        devices.extend(
            SimpleNamespace(ep_name=name, device=SimpleNamespace(type=kind)) for kind in kinds
        )

    return SimpleNamespace(
        register_execution_provider_library=register,
        get_ep_devices=lambda: [SimpleNamespace(ep_name="CPUExecutionProvider"), *devices],
        OrtHardwareDeviceType=onnxruntime.OrtHardwareDeviceType,
    )


class Options:
    def __init__(self) -> None:
        self.chosen: tuple[list[Any], dict[str, str]] | None = None

    def add_provider_for_devices(self, devices: list[Any], options: dict[str, str]) -> None:
        self.chosen = devices, options


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", None)
    with pytest.raises(ProviderError, match=r"not installed.*edgecodec\[qnn\]"):
        NetworkPool("qnn")


def test_a_package_that_is_no_plugin_and_a_runtime_that_takes_none_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", ModuleType("onnxruntime_qnn"))
    with pytest.raises(ProviderError, match="is no plugin"):
        qnn.require_qnn(runtime(CPU))
    plugin(monkeypatch)
    with pytest.raises(ProviderError, match=r"ONNX Runtime 1\.20 takes no plugins"):
        qnn.require_qnn(SimpleNamespace(__version__="1.20"))


def test_a_library_that_does_not_load_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(monkeypatch)
    with pytest.raises(ProviderError, match=r"does not load: libcdsprpc\.so is missing"):
        qnn.require_qnn(runtime(CPU, fails="libcdsprpc.so is missing"))
    with pytest.raises(ProviderError, match="no device"):
        qnn.require_qnn(runtime())


def test_the_npu_goes_before_the_simulator_and_the_plugin_loads_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(monkeypatch)
    ort, options = runtime(CPU, NPU), Options()
    for _ in range(2):
        qnn.add_qnn(options, ort, None)
        assert options.chosen is not None
        devices, chosen = options.chosen
        assert [device.device.type for device in devices] == [NPU]
        assert chosen == {"backend_path": "htp.so"}
    simulated = Options()
    qnn.add_qnn(simulated, runtime(CPU), 57)
    assert simulated.chosen is not None
    assert [device.device.type for device in simulated.chosen[0]] == [CPU]
    assert simulated.chosen[1] == {"backend_path": "htp.so", "soc_model": "57"}


class Echo:
    """A session that gives the sizes it was made for."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)

    def run(self, outputs: list[str], inputs: Mapping[str, Any]) -> list[Any]:
        return [self.sizes, outputs, sorted(inputs)]


def test_a_session_is_made_for_the_size_of_its_inputs_and_again_for_another() -> None:
    made = []

    def make(sizes: Mapping[str, int]) -> Echo:
        made.append(sizes)
        return Echo(sizes)

    session = SizedSession(make, {"past": (1, 96, "2*h", "2*w"), "gain": (1, 64, 1, 1)})
    gain = np.zeros((1, 64, 1, 1), np.uint8)

    def run(rows: int, columns: int) -> list[Any]:
        past = np.zeros((1, 96, rows, columns), np.uint8)
        return session.run(["y"], {"past": past, "gain": gain})

    assert made == []
    assert run(8, 12) == [{"2*h": 8, "2*w": 12}, ["y"], ["gain", "past"]]
    assert run(8, 12)[0] == {"2*h": 8, "2*w": 12}
    assert len(made) == 1
    assert run(8, 16)[0] == {"2*h": 8, "2*w": 16}
    assert len(made) == 2
