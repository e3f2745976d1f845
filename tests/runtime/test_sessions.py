"""Networks on the provider that was asked for, or an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import pytest
from edgecodec.runtime.errors import BitstreamError, ModelError, ProviderError
from edgecodec.runtime.models import MANIFEST, ModelEntry, Port, packaged_models, read_models
from edgecodec.runtime.sessions import PROVIDERS, Network, NetworkPool, Optimization
from edgecodec.runtime.template import read_template, titled
from edgecodec.runtime.title import TitleWeights

from .streams import title_weights

NANO = read_models(packaged_models("nano"))


def values(network: Network) -> np.ndarray:
    """What a network gives for noise."""
    (output,) = network.run(random_inputs(network.entry))
    return output


def random_inputs(entry: ModelEntry, cells: tuple[int, int] = (2, 3)) -> dict[str, np.ndarray]:
    """Noise for a picture of `cells` of 16x16 samples."""
    random = np.random.default_rng(0)
    return {
        port.name: random.integers(0, 256, (1, port.shape[1], *port_cells(port, cells)), np.uint8)
        for port in entry.inputs
    }


def port_cells(port: Port, cells: tuple[int, int]) -> tuple[int, int]:
    rows, columns = cells
    return (rows * 16 // port.stride, columns * 16 // port.stride) if port.stride else (1, 1)


def test_auto_is_the_cpu_and_says_so() -> None:
    assert NetworkPool().provider == "cpu"
    assert NetworkPool("cpu", threads=3).threads == 3
    assert NetworkPool().threads >= 1


def test_an_unknown_provider_lists_those_there_are() -> None:
    with pytest.raises(ProviderError, match="unknown provider 'npu'") as raised:
        NetworkPool("npu")
    assert all(name in str(raised.value) for name in ("auto", *PROVIDERS))


def test_a_provider_that_this_build_lacks_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderError, match=r"no CUDAExecutionProvider \(it has CPU") as raised:
        NetworkPool("cuda")
    assert "edgecodec[cuda]" in str(raised.value)


def test_a_provider_that_falls_back_to_the_cpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime warns and goes on where a provider's libraries are missing."""

    class OnCpu:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    every = list(PROVIDERS.values())
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: every)
    monkeypatch.setattr(onnxruntime, "InferenceSession", OnCpu)
    with pytest.raises(ProviderError, match="CUDAExecutionProvider did not load"):
        NetworkPool("cuda").network(NANO.network("enhancer").model_id)


def test_a_provider_that_raises_is_named_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("libnvinfer.so.10 is missing")

    every = list(PROVIDERS.values())
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: every)
    monkeypatch.setattr(onnxruntime, "InferenceSession", broken)
    with pytest.raises(ProviderError, match="libnvinfer") as raised:
        NetworkPool("tensorrt").network(NANO.network("enhancer").model_id)
    assert "enhancer.onnx" in str(raised.value)


@pytest.mark.parametrize("level", list(Optimization))
def test_a_network_runs_as_far_optimised_as_was_asked(level: Optimization) -> None:
    entry = NANO.network("generator_p")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = {
        Optimization.OFF: onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
        Optimization.BASIC: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        Optimization.EXTENDED: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        Optimization.ALL: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    }[level]
    session = onnxruntime.InferenceSession(entry.file, options, providers=["CPUExecutionProvider"])
    wanted, _ = session.run(None, random_inputs(entry))
    pool = NetworkPool(threads=1, optimization=level)
    made, _ = pool.network(entry.model_id).run(random_inputs(entry))
    np.testing.assert_array_equal(made, wanted)


def test_integers_and_floats_between_the_layers_do_not_round_alike(fast_models: Path) -> None:
    """Or the levels of the test above could all be one. (In exact arithmetic they do.)"""
    entry = NANO.network("generator_p")
    inputs = random_inputs(entry, (8, 12))
    made = {
        level: NetworkPool(threads=1, models=fast_models, optimization=level)
        .network(entry.model_id)
        .run(inputs)[0]
        for level in Optimization
    }
    np.testing.assert_array_equal(made[Optimization.OFF], made[Optimization.BASIC])
    np.testing.assert_array_equal(made[Optimization.ALL], made[Optimization.EXTENDED])
    assert not np.array_equal(made[Optimization.ALL], made[Optimization.OFF])


def test_a_network_is_loaded_once_and_runs() -> None:
    pool = NetworkPool(threads=1)
    for entry in NANO.networks:
        network = pool.network(entry.model_id)
        assert network is pool.network(entry.model_id)
        outputs = network.run(random_inputs(entry))
        assert [output.shape for output in outputs] == [
            (1, port.shape[1], 32 // port.stride, 48 // port.stride) for port in entry.outputs
        ]
        assert all(output.dtype == np.uint8 for output in outputs)


def test_inputs_that_do_not_fit_are_named() -> None:
    entry = NANO.network("iframe_decoder")
    network = NetworkPool(threads=1).network(entry.model_id)
    with pytest.raises(ModelError, match=r"\(1, 3, 2, 2\)") as raised:
        network.run({"latent": np.zeros((1, 3, 2, 2), np.uint8)})
    assert "iframe_decoder.onnx" in str(raised.value)


def test_an_id_that_no_folder_has_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="needs network ffffffffffffffff"):
        NetworkPool().network("f" * 16)


def test_a_folder_of_ones_own_is_searched_before_the_installed_ones(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(NANO.path, own)
    pool = NetworkPool(threads=1, models=own)
    wanted = NANO.network("enhancer")
    assert pool.network(wanted.model_id).entry.file == own / wanted.file.name

    described = json.loads((own / MANIFEST).read_text())
    described["networks"] = []
    (own / MANIFEST).write_text(json.dumps(described))
    pool = NetworkPool(threads=1, models=own)
    assert pool.network(wanted.model_id).entry.file == wanted.file


def test_a_folder_that_is_none_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        NetworkPool(models=tmp_path / "nowhere")


def test_a_file_that_is_no_graph_is_a_model_error(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(NANO.path, own)
    described = json.loads((own / MANIFEST).read_text())
    for network in described["networks"]:
        (own / network["file"]).write_bytes(b"")
        network["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (own / MANIFEST).write_text(json.dumps(described))
    with pytest.raises(ModelError, match="does not load"):
        NetworkPool(models=own).network(NANO.network("enhancer").model_id)


ENHANCER = NANO.network("enhancer")


def test_title_weights_of_zero_give_the_network_as_it_is() -> None:
    pool = NetworkPool(threads=1)
    generic = values(pool.network(ENHANCER.model_id))
    zero = values(pool.network(ENHANCER.model_id, title_weights(spread=0.0)))
    np.testing.assert_array_equal(zero, generic)


@pytest.mark.parametrize("name", ["enhancer", "generator_up"])
def test_title_weights_give_the_graph_with_those_integers(tmp_path: Path, name: str) -> None:
    """The same as a graph that was written with them."""
    entry, title = NANO.network(name), title_weights(name)
    changed = titled(read_template(entry), title)
    model = onnx.load(entry.file)
    for stored in model.graph.initializer:
        if stored.name in changed:
            new = onnx.numpy_helper.from_array(changed[stored.name], stored.name)
            stored.CopyFrom(new)
    path = tmp_path / "changed.onnx"
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, random_inputs(entry))
    pool = NetworkPool(threads=1)
    np.testing.assert_array_equal(values(pool.network(entry.model_id, title)), wanted)
    assert not np.array_equal(values(pool.network(entry.model_id)), wanted)


def test_networks_with_title_weights_are_kept_by_content_and_only_a_few() -> None:
    pool = NetworkPool(threads=1)
    titles = [title_weights(seed=seed) for seed in range(6)]
    first = pool.network(ENHANCER.model_id, titles[0])
    assert pool.network(ENHANCER.model_id, title_weights(seed=0)) is first
    assert pool.network(ENHANCER.model_id) is not first
    for title in titles[1:4]:
        pool.network(ENHANCER.model_id, title)
        assert pool.network(ENHANCER.model_id, titles[0]) is first
    used = pool.network(ENHANCER.model_id, titles[1])
    before = values(used)
    for title in titles[2:]:
        pool.network(ENHANCER.model_id, title)
    assert pool.network(ENHANCER.model_id, titles[1]) is not used
    # Whoever still holds a network that is no longer kept can run it.
    np.testing.assert_array_equal(values(used), before)


def test_title_weights_of_another_network_are_refused() -> None:
    with pytest.raises(BitstreamError, match="are to change network"):
        NetworkPool().network(ENHANCER.model_id, title_weights("generator_up"))


def test_title_weights_that_do_not_fit_are_refused() -> None:
    whole = title_weights()
    short = TitleWeights(whole.template, whole.deltas[:-1])
    with pytest.raises(BitstreamError, match="title weights of 7 tensors"):
        NetworkPool().network(ENHANCER.model_id, short)


def test_a_folder_without_the_template_has_the_network_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(NANO.path, own)
    described = json.loads((own / MANIFEST).read_text())
    for network in described["networks"]:
        network.pop("template", None)
    (own / MANIFEST).write_text(json.dumps(described))
    pool = NetworkPool(threads=1, models=own)
    assert pool.network(ENHANCER.model_id, title_weights()) is pool.network(ENHANCER.model_id)
