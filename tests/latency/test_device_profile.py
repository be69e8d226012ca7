"""Device profiles: the ones that ship, and what a broken file says."""

import re

import pytest

from latency import Gpu, ProfileError, device_names, load_profile, write_profile


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


@pytest.mark.parametrize("name", ["snapdragon-8-gen-1", "kirin-9000"])
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
    write_profile(load_profile("snapdragon-8-gen-1"), path)
    text, changes = re.subn(pattern, replacement, path.read_text(), count=1)
    assert changes == 1
    path.write_text(text)
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


def test_hardware_text_is_escaped(tmp_path):
    from dataclasses import replace

    profile = replace(load_profile("kirin-9000"), hardware={"note": 'a "b" \\ \n ü \x7f'})
    write_profile(profile, tmp_path / "x.toml")
    assert load_profile(tmp_path / "x.toml") == profile
