from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.profiles import (
    CountedModels,
    FrameSize,
    GraphCost,
    Interval,
    LayerCost,
    Prediction,
    count_models,
    load_device,
    predictor,
)
from edgecodec.profiles.advice import advise
from edgecodec.profiles.changes import (
    frames_in_one_call,
    raises_channels,
    with_channels,
    without_scene_code,
)
from edgecodec.runtime.models import packaged_models


def conv(cin: int, cout: int, cells: int, groups: int = 1) -> LayerCost:
    weights = 9 * cin * cout // groups
    macs = weights * cells
    return LayerCost("c", "Conv", macs, weights, cin * cells, cout * cells, cin, cout, groups)


def graph(*layers: LayerCost) -> GraphCost:
    return GraphCost(tuple(layers), 0, 100, 50, "w8a8", 1)


def test_channels_are_raised_in_all_that_follows_from_them() -> None:
    changed = with_channels(graph(conv(24, 40, 100)), 32)
    (layer,) = changed.layers
    assert (layer.in_channels, layer.out_channels) == (32, 64)
    assert layer == conv(32, 64, 100)
    assert (changed.input_elements, changed.output_elements) == (100, 50)


def test_channels_that_fit_and_grouped_ones_stay() -> None:
    fits, depthwise = graph(conv(64, 32, 10)), graph(conv(24, 24, 10, groups=24))
    assert not raises_channels(fits, 32)
    assert raises_channels(fits, 64)
    assert with_channels(depthwise, 64) == depthwise


def test_a_scenes_code_is_what_reads_a_value_a_channel() -> None:
    code = LayerCost("gain", "Mul", 0, 0, 6400 + 64, 6400, 0, 0, 1)
    residual = LayerCost("skip", "Add", 0, 0, 12800, 6400, 0, 0, 1)
    activation = LayerCost("scale", "Mul", 0, 0, 6400, 6400, 0, 0, 1)
    cost = graph(conv(64, 64, 100), code, residual, activation)
    kept = without_scene_code(cost)
    assert [layer.name for layer in kept.layers] == ["c", "skip", "scale"]


def test_frames_in_one_call_share_weights_and_dispatch() -> None:
    cost = graph(conv(64, 64, 100))
    four = frames_in_one_call(cost, 4)
    assert four.macs == 4 * cost.macs
    assert four.layers[0].weights == cost.layers[0].weights
    assert four.activation_elements == 4 * cost.activation_elements
    assert four.input_elements == 400


@pytest.fixture(scope="module")
def nano() -> CountedModels:
    return count_models(packaged_models("nano"), FrameSize(1920, 1080))


def test_advice_is_the_same_prediction_of_the_changed_graph(nano: CountedModels) -> None:
    predict = predictor(load_device("snapdragon-8gen3"))
    enhancer = next(n for n in nano.networks if n.entry.name == "enhancer")
    advice = {each.change: each for each in advise(nano, enhancer, predict)}
    before = predict(enhancer.cost).interval.mid
    assert all(each.before_ms == pytest.approx(before) for each in advice.values())
    folded = predict(without_scene_code(enhancer.cost)).interval.mid
    assert advice["fold_scene_code"].after_ms == pytest.approx(folded)
    assert folded < before
    wider = predict(with_channels(enhancer.cost, 64)).interval.mid
    assert advice["channels_64"].after_ms == pytest.approx(wider)
    assert advice["tier_edge"].after_ms > before
    smaller = count_models(packaged_models("nano"), FrameSize(1280, 720)).networks
    slowest = max(predict(n.cost).interval.mid for n in smaller)
    assert advice["size_1280x720"].after_ms == pytest.approx(slowest)
    assert "merge_frames" in advice


def test_the_most_effective_comes_first(nano: CountedModels) -> None:
    predict = predictor(load_device("snapdragon-x-elite"))
    ratios = [each.ratio for each in advise(nano, nano.networks[-1], predict)]
    assert ratios == sorted(ratios)
    assert ratios[0] < 1 < ratios[-1]


def test_merging_frames_saves_their_dispatch(nano: CountedModels) -> None:
    def by_call(cost: GraphCost) -> Prediction:
        ms = 1.0 + cost.macs * 1e-9
        return Prediction(Interval(ms, ms, ms, "call", None), (), 1.0, 0.0, ())

    enhancer = nano.networks[-1]
    (merged,) = (e for e in advise(nano, enhancer, by_call) if e.change == "merge_frames")
    assert merged.before_ms - merged.after_ms == pytest.approx(0.75)


def test_float_graphs_are_advised_to_be_quantised(models: Path) -> None:
    counted = count_models(models, FrameSize(320, 180))
    predict = predictor(load_device("snapdragon-8gen3"))
    advice = {each.change: each for each in advise(counted, counted.networks[0], predict)}
    assert advice["int8"].ratio < 1
    assert not any(change.startswith("size_") for change in advice)
