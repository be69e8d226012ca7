import pytest

from spaces.architecture import Architecture


def test_equal_whatever_the_order_of_choices():
    first = Architecture.of("s", {"b": 2, "a": "x"})
    second = Architecture.of("s", {"a": "x", "b": 2})
    assert first == second
    assert hash(first) == hash(second)
    assert first.digest == second.digest


def test_canonical_json_is_stable_and_round_trips():
    architecture = Architecture.of("s", {"b": True, "a": 12, "c": "conv3"})
    assert architecture.to_json() == '{"choices":{"a":12,"b":true,"c":"conv3"},"space":"s"}'
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_digest_does_not_change_between_versions():
    # Stored studies and artifact folders are found by it.
    assert Architecture.of("s", {"a": 12}).digest == "047ae6996137"


def test_a_bool_is_not_a_number():
    assert Architecture.of("s", {"a": True}).to_json() != Architecture.of("s", {"a": 1}).to_json()


@pytest.mark.parametrize(
    "text", ["[]", '{"space": "s"}', "not json", '{"space":"s","choices":{},"x":1}']
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - json and shape errors alike
        Architecture.from_json(text)
