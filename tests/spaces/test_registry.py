import pytest

from spaces.registry import Registry


def test_values_come_back_in_order_of_registration():
    registry: Registry[int] = Registry("number")
    registry.add("two", 2)
    registry.register("one")(1)
    assert list(registry) == ["two", "one"]
    assert registry["one"] == 1
    assert "two" in registry
    assert "three" not in registry


def test_unknown_name_lists_the_known_ones():
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with pytest.raises(KeyError, match="no number called 'six'; there are: one"):
        registry["six"]


def test_a_taken_name_is_refused():
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with pytest.raises(ValueError, match="number 'one' is registered twice"):
        registry.add("one", 2)
