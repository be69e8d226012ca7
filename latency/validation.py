"""How well the oracle predicts networks and phones it was not fitted on.

Three questions, each with its own folds:

    held out     the phone was measured, the network's whole model family was not
    separate     fitted on one folder of measurements, tested on another
    unseen       the phone is new: ten end-to-end timings, kernels borrowed from others

Beside the oracle stand two baselines on the same folds: run time from MACs alone, and
from a roofline of MACs and bytes, each with a fixed cost a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cost import RUN, features
from .dataset import MeasuredDevice, MeasuredNetwork
from .fit import interval_factor, nnls
from .fit_learned import fit_borrowed, measured_cost, predict_ms
from .kernel_model import KernelModel
from .learned_cost import LearnedCost, Source

Array = NDArray[np.float64]
Predictor = Callable[[MeasuredNetwork], float]

UNSEEN_TIMINGS = 10
UNSEEN_REPEATS = 20
BASELINES: Mapping[str, tuple[str, ...]] = {
    "MACs only": (RUN, "gmac"),
    "roofline": (RUN, "gmac", "gbyte", "weight_gbyte"),
}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of one predictor over held-out networks; shares are of 1.

    `mape`: mean |predicted / measured - 1|. `coverage`: share of measurements inside
    the 90 % interval, `kernel_mape`: of single kernels; None where there is no such thing.
    """

    device: str
    question: str
    predictor: str
    networks: int
    mape: float
    worst: float
    within_5: float
    within_10: float
    spearman: float
    coverage: float | None = None
    kernel_mape: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One held-out network: its time, the prediction, and its 90 % interval's factor."""

    network: MeasuredNetwork
    ms: float
    factor: float | None = None


def held_out(device: MeasuredDevice) -> list[Accuracy]:
    """Leave-one-family-out accuracy on one phone, with the baselines on the same folds.

    Networks whose graph is known are lowered by us; a second row counts those alone.
    """
    predictions: list[tuple[MeasuredNetwork, float]] = []
    kernel_errors: list[float] = []
    baseline: dict[str, list[Prediction]] = {name: [] for name in BASELINES}
    for seen, unseen in family_folds(device.networks):
        cost = measured_cost(device, seen, "held out", "")
        predictions += [(n, predict_ms(cost, n.lowering)) for n in unseen]
        kernel_errors += _kernel_errors(cost, unseen)
        for name, names in BASELINES.items():
            predict = _linear(seen, names)
            baseline[name] += [Prediction(n, predict(n)) for n in unseen]
    rows = _with_intervals(predictions)
    lowered = [row for row in rows if row.network.graph is not None]
    question = "family held out"
    found = [_accuracy(device.name, question, "oracle", rows, kernel_errors)]
    if lowered:
        found.append(_accuracy(device.name, f"{question}, graph known", "oracle", lowered))
    return found + [_accuracy(device.name, question, name, rows) for name, rows in baseline.items()]


def separate(train: MeasuredDevice, test: MeasuredDevice) -> list[Accuracy]:
    """Fitted on `train`, tested on the networks of `test` that `train` does not have."""
    known = {network.name for network in train.networks}
    unseen = [network for network in test.networks if network.name not in known]
    if not unseen:
        return []
    cost = measured_cost(train, train.networks, "train", "")
    of_train = _with_intervals(
        [
            (network, predict_ms(measured_cost(train, seen, "held out", ""), network.lowering))
            for seen, family in family_folds(train.networks)
            for network in family
        ]
    )
    factor = _factor(of_train)
    rows = [Prediction(n, predict_ms(cost, n.lowering), factor) for n in unseen]
    question = "other networks"
    found = [_accuracy(test.name, question, "oracle", rows, _kernel_errors(cost, unseen))]
    for name, names in BASELINES.items():
        predict = _linear(train.networks, names)
        found.append(
            _accuracy(test.name, question, name, [Prediction(n, predict(n)) for n in unseen])
        )
    return found


def unseen_phone(
    device: MeasuredDevice, models: Sequence[KernelModel], seed: int = 0
) -> list[Accuracy]:
    """A phone of which ten random end-to-end timings are known, by each lender and by their mean.

    Errors are pooled over `UNSEEN_REPEATS` draws; the other networks are predicted.
    """
    if len(device.networks) <= UNSEEN_TIMINGS:
        return []
    lenders = [Source(model.name, model) for model in models]
    choices = {f"kernels of {lender.file}": [lender] for lender in lenders}
    if len(lenders) > 1:
        choices["mean of all lenders"] = lenders
    draws = list(_draws(device.networks, seed))
    found = []
    for name, chosen in choices.items():
        rows = []
        for given, rest in draws:
            timings = [(n.name, n.lowering, n.ms) for n in given]
            profile = fit_borrowed(device.name, device.gpu, timings, chosen, source="")
            assert profile.learned is not None
            factor = profile.fit.interval_factor
            rows += [Prediction(n, predict_ms(profile.learned, n.lowering), factor) for n in rest]
        found.append(_accuracy(device.name, f"{UNSEEN_TIMINGS} timings", name, rows))
    for name, names in BASELINES.items():
        rows = []
        for given, rest in draws:
            predict = _linear(given, names)
            rows += [Prediction(n, predict(n)) for n in rest]
        found.append(_accuracy(device.name, f"{UNSEEN_TIMINGS} timings", name, rows))
    return found


def _draws(
    networks: Sequence[MeasuredNetwork], seed: int
) -> Iterable[tuple[list[MeasuredNetwork], list[MeasuredNetwork]]]:
    rng = np.random.default_rng(seed)
    for _ in range(UNSEEN_REPEATS):
        chosen = {int(i) for i in rng.choice(len(networks), UNSEEN_TIMINGS, replace=False)}
        yield (
            [n for i, n in enumerate(networks) if i in chosen],
            [n for i, n in enumerate(networks) if i not in chosen],
        )


def family_folds(
    networks: Sequence[MeasuredNetwork],
) -> Iterable[tuple[list[MeasuredNetwork], list[MeasuredNetwork]]]:
    """(all other networks, one family) for each model family."""
    for family in sorted({network.family for network in networks}):
        yield (
            [n for n in networks if n.family != family],
            [n for n in networks if n.family == family],
        )


def _with_intervals(predictions: Sequence[tuple[MeasuredNetwork, float]]) -> list[Prediction]:
    """Each network's interval comes from the errors of the other families alone."""
    rows = [Prediction(network, ms) for network, ms in predictions]
    factors = {
        family: _factor([row for row in rows if row.network.family != family])
        for family in {row.network.family for row in rows}
    }
    return [Prediction(row.network, row.ms, factors[row.network.family]) for row in rows]


def _factor(rows: Sequence[Prediction]) -> float:
    measured = np.array([row.network.ms for row in rows])
    return interval_factor(measured, np.array([row.ms for row in rows]), 2)


def _kernel_errors(cost: LearnedCost, networks: Iterable[MeasuredNetwork]) -> list[float]:
    model = cost.sources[0].model
    return [
        abs(model.kernel_ms(timing.kernel) / timing.ms - 1)
        for network in networks
        for timing in network.kernels
    ]


def _linear(networks: Sequence[MeasuredNetwork], names: Sequence[str]) -> Predictor:
    """Non-negative least squares of the relative error on `cost.features`."""

    def values(network: MeasuredNetwork) -> list[float]:
        return list(features(network.lowering, names).values())

    rows = np.array([values(network) for network in networks])
    relative = rows / np.array([network.ms for network in networks])[:, None]
    scale = np.maximum(np.linalg.norm(relative, axis=0), 1e-30)
    prices = nnls(relative / scale, np.ones(len(networks))) / scale
    return lambda network: float(np.dot(prices, values(network)))


def _accuracy(
    device: str,
    question: str,
    predictor: str,
    rows: Sequence[Prediction],
    kernel_errors: Sequence[float] = (),
) -> Accuracy:
    measured = np.array([row.network.ms for row in rows])
    predicted = np.array([row.ms for row in rows])
    errors = np.abs(predicted / measured - 1)
    inside = [
        row.ms / row.factor <= row.network.ms <= row.ms * row.factor for row in rows if row.factor
    ]
    return Accuracy(
        device=device,
        question=question,
        predictor=predictor,
        networks=len({row.network.name for row in rows}),
        mape=float(errors.mean()),
        worst=float(errors.max()),
        within_5=float((errors <= 0.05).mean()),
        within_10=float((errors <= 0.10).mean()),
        spearman=spearman(measured, predicted),
        coverage=float(np.mean(inside)) if inside else None,
        kernel_mape=float(np.mean(kernel_errors)) if kernel_errors else None,
    )


def spearman(a: Array, b: Array) -> float:
    """Spearman's rank correlation, ties sharing their mean rank; nan for fewer than two values."""
    if len(a) < 2:
        return math.nan
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank: Array = np.cumsum(count) - (count - 1) / 2
    return mean_rank[place]


def validate(
    train: Sequence[MeasuredDevice], test: Sequence[MeasuredDevice] | None = None
) -> list[Accuracy]:
    """Every question that the measurements can answer, device by device.

    Without `test`, and where `test` has the networks of `train`, families are held out of
    `train`; a phone of `test` that `train` does not have is an unseen one, and so is each of
    `train` to the others.
    """
    known = {device.name: device for device in train}
    found: list[Accuracy] = []
    for device in test or train:
        if device.name in known:
            other = separate(known[device.name], device) if test else []
            found += other or held_out(device)
    for device in test or train:
        others = [other for other in train if other.name != device.name]
        models = [measured_cost(o, o.networks, "", "").sources[0].model for o in others]
        if models:
            found += unseen_phone(device, models)
    return found
