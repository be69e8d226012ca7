"""The cost model: run time as a non-negative linear combination of kernel features.

    ms = run + sum over kernels of (launch + macs + bytes + weight bytes, each at its rate)

A profile prices some of `FEATURES`; the rest cost nothing. Because the model is
linear, the price of a network is the sum of its kernels' prices, and the same
features feed the fit (`latency.fit`) and the prediction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .kernel import CONVERSIONS, Fallback, Kernel, Lowering

_GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Feature:
    """One measurable quantity of a kernel, counted on some kinds of kernel.

    `quantity`: "launch" (1 a kernel), "macs", "activations" or "weights" (bytes).
    `unit`: how much of the quantity one unit of the feature is.
    `kinds`: the kernel kinds it counts on; None is all but the conversions.
    """

    quantity: str
    unit: float
    kinds: frozenset[str] | None = None


RUN = "run"
"""The feature every network has once: fixed cost of an inference."""

FEATURES: Mapping[str, Feature] = {
    "launch": Feature("launch", 1),
    "gmac": Feature("macs", _GIGA),
    "gbyte": Feature("activations", _GIGA),
    "weight_gbyte": Feature("weights", _GIGA),
    "conversion_gbyte": Feature("activations", _GIGA, CONVERSIONS),
    "conv_generic_gmac": Feature("macs", _GIGA, frozenset({"conv_generic", "conv_grouped"})),
    "winograd_gmac": Feature("macs", _GIGA, frozenset({"winograd_matmul"})),
    "depthwise_gmac": Feature("macs", _GIGA, frozenset({"depthwise_3x3", "depthwise_generic"})),
    "reduce_launch": Feature("launch", 1, frozenset({"reduce"})),
    "reduce_gbyte": Feature("activations", _GIGA, frozenset({"reduce"})),
    "scattered_gbyte": Feature(
        "activations",
        _GIGA,
        frozenset(
            {
                "depth_to_space",
                "space_to_depth",
                "concat_unaligned",
                "reshape_unaligned",
                "transpose",
            }
        ),
    ),
}
"""What a profile may price, in ms per unit, besides `RUN`.

Those restricted to some kinds are surcharges: a depthwise kernel pays `gmac`
and `depthwise_gmac`. Activation bytes are fp16 with padded channels; the two
conversions move fp32 on their outer side.
"""

_QUANTITIES = ("launch", "macs", "activations", "weights")
_Rates = tuple[float, float, float, float]


def features(lowering: Lowering, names: Iterable[str]) -> dict[str, float]:
    """The value of each named feature for one inference of a lowered network."""
    values = {}
    for name in names:
        if name == RUN:
            values[name] = 1.0
            continue
        feature = FEATURES[name]
        total = sum(
            _quantity(kernel, feature.quantity)
            for kernel in lowering.kernels
            if _counts(feature, kernel.kind)
        )
        values[name] = total / feature.unit
    return values


def _counts(feature: Feature, kind: str) -> bool:
    return kind not in CONVERSIONS if feature.kinds is None else kind in feature.kinds


def _quantity(kernel: Kernel, quantity: str) -> int:
    if quantity == "launch":
        return 1
    if quantity == "macs":
        return kernel.padded_macs
    if quantity == "activations":
        return kernel.read_bytes + kernel.write_bytes
    return kernel.weight_bytes


@dataclass(frozen=True, slots=True)
class CpuRates:
    """Rough price of an op that stays on the CPU, float32 and one op at a time."""

    ms_per_gmac: float
    ms_per_gbyte: float


@dataclass(frozen=True, slots=True)
class CostModel:
    """Prices kernels with `coefficients`: feature name -> ms per unit, all >= 0."""

    coefficients: Mapping[str, float]
    _rates: dict[str, _Rates] = field(default_factory=dict, init=False, repr=False, compare=False)

    def fixed_ms(self, kernels_ms: float, launches: int) -> float:
        """Cost of one inference besides its kernels: here the same whatever they are."""
        return self.coefficients.get(RUN, 0.0)

    def kernel_ms(self, kernel: Kernel) -> float:
        """Price of one kernel, without the fixed cost of the run."""
        launch, per_mac, per_byte, per_weight_byte = self._rates.get(kernel.kind) or self._rates_of(
            kernel.kind
        )
        return (
            launch
            + per_mac * kernel.padded_macs
            + per_byte * (kernel.read_bytes + kernel.write_bytes)
            + per_weight_byte * kernel.weight_bytes
        )

    def _rates_of(self, kind: str) -> _Rates:
        """ms per launch, MAC, activation byte and weight byte of one kind of kernel."""
        rates = dict.fromkeys(_QUANTITIES, 0.0)
        for name, feature in FEATURES.items():
            if name in self.coefficients and _counts(feature, kind):
                rates[feature.quantity] += self.coefficients[name] / feature.unit
        found = (rates["launch"], rates["macs"], rates["activations"], rates["weights"])
        self._rates[kind] = found
        return found


def fallback_ms(fallbacks: Iterable[Fallback], cpu: CpuRates) -> float:
    """Rough time of the ops on the CPU; copies to and from the GPU are kernels of their own."""
    return sum(
        (cpu.ms_per_gmac * op.macs + cpu.ms_per_gbyte * op.bytes) / _GIGA for op in fallbacks
    )
