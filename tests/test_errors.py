"""Errors: what a message says, what can catch it, and that it survives the way between processes."""

import pickle

import pytest

from stirdata import errors
from stirdata.errors import ParameterError, StirdataError, TargetError

BASES = {
    errors.ParameterError: ValueError,
    errors.SourceError: ValueError,
    errors.SourceUnavailableError: ConnectionError,
    errors.MissingLibraryError: ImportError,
    errors.WorkersUnavailableError: ConnectionError,
    errors.FormatError: ValueError,
    errors.ManifestError: ValueError,
    errors.LockError: ValueError,
    errors.MissingFileError: FileNotFoundError,
    errors.TargetExistsError: FileExistsError,
    errors.TargetError: OSError,
    errors.NotEnoughMemoryError: MemoryError,
}


def test_every_error_class_is_in_the_table_of_this_test():
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, StirdataError) and value is not StirdataError
    }
    assert defined == set(BASES)


@pytest.mark.parametrize(("kind", "builtin"), BASES.items())
def test_can_be_caught_as_the_built_in_error(kind, builtin):
    with pytest.raises(builtin, match="it is wrong"):
        raise kind("it is wrong")
    assert issubclass(kind, StirdataError)


@pytest.mark.parametrize("kind", BASES)
def test_message_names_what_where_expected_got_and_next(kind):
    error = kind("it is wrong", where="a/b", expected="one", got="two", hint="do that")
    assert str(error) == (
        "it is wrong\n  where:    a/b\n  expected: one\n  got:      two\n  next:     do that"
    )


def test_message_leaves_out_what_is_not_known():
    assert str(TargetError("no space", where="x")) == "no space\n  where:    x"
    assert str(ParameterError("no sense", got=0)) == "no sense\n  got:      0"


@pytest.mark.parametrize("kind", BASES)
def test_survives_pickling(kind):
    error = kind("it is wrong", where="a/b", expected="one", got=2, hint="do that")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    details = (again.what, again.where, again.expected, again.got, again.hint)
    assert details == ("it is wrong", "a/b", "one", 2, "do that")
