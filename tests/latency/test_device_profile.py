"""Device profiles: the ones that ship, and what a broken file says."""

import re
from dataclasses import replace

import pytest

from latency import Gpu, ProfileError, device_names, load_profile, write_profile
from latency.kernel_model_file import load_kernel_model, write_kernel_model
from latency.profile import load_lender


def linear_profile():
    """A profile that prices kernels with coefficients, not with a learned model."""
    coefficients = {"run": 2.0, "gmac": 1.5, "gbyte": 20.0}
    return replace(load_profile("snapdragon-8-gen-1"), coefficients=coefficients, learned=None)


def test_shipped_profiles_load():
    assert "snapdragon-8-gen-1" in device_names()
    assert "kirin-9000" in device_names()
    for name in device_names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.fit.rows
        assert profile.fit.source
        assert all(row.held_out_ms for row in profile.fit.rows)


def test_shipped_profiles_match_their_hardware():
    assert load_profile("snapdragon-8-gen-1").gpu == Gpu("adreno", "7xx", 4, 128)
    assert load_profile("kirin-9000").gpu.generation == "valhall-2"


@pytest.mark.parametrize("name", ["snapdragon-8-gen-1", "kirin-9000", "snapdragon-855"])
def test_a_profile_survives_writing(tmp_path, name):
    profile = load_profile(name)
    path = tmp_path / "phone.toml"
    write_profile(profile, path)
    assert load_profile(path) == load_profile(str(path)) == profile


def test_an_unknown_device_lists_the_known():
    with pytest.raises(ProfileError, match=r"unknown device 'nokia-3310'; known: .*kirin-9000"):
        load_profile("nokia-3310")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ProfileError, match=r"phone\.toml"):
        load_profile(tmp_path / "phone.toml")


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"gmac = [\d.]+\n", "gmac = -1.0\n", "coefficient gmac is -1.0"),
        (r"gmac = [\d.]+\n", "gmac = nan\n", "coefficient gmac is nan"),
        (r"gmac = [\d.]+\n", "teraflops = 1.0\n", "unknown coefficient 'teraflops'"),
        (r'family = "\w+"', 'family = "voodoo"', "unknown GPU family 'voodoo'"),
        (r"interval_factor = .*", "interval_factor = 0.5", "interval_factor is 0.5"),
        (r"interval_factor = .*", "", "'interval_factor' is missing"),
        (r"compute_units = \d+", "", "compute_units"),
        (r"kernels = ", "teapots = ", "unknown quantity 'teapots'"),
        (r"\[gpu\]", "[gpu", "not a TOML file"),
        (r"gmac = \[.*\]", "gmac = 3", "int"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path, pattern, replacement, message):
    path = tmp_path / "phone.toml"
    write_profile(linear_profile(), path)
    break_and_load(path, pattern, replacement, message)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"compute = .*", "compute = -1.0", "scale of compute is -1.0"),
        (r"compute = .*", "compute = nan", "scale of compute is nan"),
        (r"compute = .*", "", "'compute' is missing"),
        (r"run_ms = .*", "run_ms = inf", "run_ms is inf"),
        (r"adreno-640\.json", "voodoo.json", "voodoo.json"),
        (r"\[\[sources\]\]", "[[lenders]]", "'sources' is missing"),
    ],
)
def test_a_broken_learned_profile_says_what_is_wrong(tmp_path, pattern, replacement, message):
    path = tmp_path / "phone.toml"
    write_profile(load_profile("snapdragon-8-gen-1"), path)
    break_and_load(path, pattern, replacement, message)


def break_and_load(path, pattern, replacement, message):
    text, changes = re.subn(pattern, replacement, path.read_text(), count=1)
    assert changes == 1
    path.write_text(text)
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r'"width"', '"breadth"', "made by another version|KeyError"),
        (r'"log_macs", ', "", "made by another version"),
        (r'"untimed"', '"x"', "untimed"),
        (r"^\{", "[", "JSONDecodeError"),
    ],
)
def test_a_broken_kernel_model_says_what_is_wrong(tmp_path, pattern, replacement, message):
    path = tmp_path / "own.json"
    write_kernel_model(load_lender("adreno-616").model, path)
    text, changes = re.subn(pattern, replacement, path.read_text(), count=1)
    assert changes == 1
    path.write_text(text)
    with pytest.raises(ProfileError, match=message):
        load_kernel_model(path)


def test_a_profile_brings_its_own_kernel_model(tmp_path):
    shipped = load_profile("snapdragon-710")
    source = shipped.learned.sources[0]
    own = replace(source, file="own.json", model=replace(source.model, name="own"))
    profile = replace(shipped, learned=replace(shipped.learned, sources=(own,)))
    write_profile(profile, tmp_path / "phone.toml")
    assert (tmp_path / "own.json").is_file()
    assert load_profile(tmp_path / "phone.toml") == profile


def test_a_linear_profile_survives_writing(tmp_path):
    write_profile(linear_profile(), tmp_path / "x.toml")
    assert load_profile(tmp_path / "x.toml") == linear_profile()


def test_hardware_text_is_escaped(tmp_path):
    profile = replace(load_profile("kirin-9000"), hardware={"note": 'a "b" \\ \n ü \x7f'})
    write_profile(profile, tmp_path / "x.toml")
    assert load_profile(tmp_path / "x.toml") == profile
