"""The command line as a whole: exit codes, messages, help, and options that commands share."""

import errno
import os
import subprocess
import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stirdata.cli import cli, options

import stirdata as package
from stirdata.errors import ParameterError, SourceUnavailableError, TargetError

GENERATE = ("generate", "mnist-scale")
NO_SEEDS = "expected numbers and ranges such as 0-5,8, got"


COMMANDS = [[], *([name] for name in cli.list_commands(click.Context(cli))), ["generate", "mnist-scale"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(stirdata, command, option):
    ran = stirdata(*command, option)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Usage: stirdata")
    assert "\\" not in ran.out  # an escape that was meant for click


def test_help_lists_commands_and_exit_codes(stirdata):
    out = stirdata("--help").out
    for command in ("generate", "verify", "convert"):
        assert f"\n  {command} " in out
    listed = out.partition("Exit codes:")[2].split("\n")[1:-1]
    assert [line.split()[0] for line in listed] == ["0", "1", "2", "3", "70", "130", "141"]


def test_version(stirdata):
    ran = stirdata("--version")
    assert (ran.code, ran.out) == (0, f"stirdata, version {package.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: stirdata"),
        (["nothing"], "No such command 'nothing'"),
        (["generat"], "Did you mean generate?"),
        (["generate"], "Usage: stirdata generate"),
        (["generate", "nothing"], "No such command 'nothing'"),
        ([*GENERATE, "--nothing"], "No such option"),
        ([*GENERATE, "extra"], "unexpected extra argument"),
        (["verify"], "Missing argument 'PATH...'"),
        (["convert", "a"], "Missing argument 'TARGET'"),
        (["verify", "--as", "nothing", "a"], "'nothing' is not"),
    ],
)
def test_wrong_usage(stirdata, arguments, message):
    ran = stirdata(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.fixture
def failing(monkeypatch):
    """Let ``generate mnist-scale`` fail with an error."""

    def set_error(error):
        def fail(*arguments, **options):
            raise error
            yield

        monkeypatch.setattr("stirdata.operations.generate.make", fail)

    return set_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError("it is wrong", where="here"), 2),
        (TargetError("it is wrong", where="here"), 2),
        (SourceUnavailableError("it is wrong", where="here"), 3),
    ],
)
def test_errors_of_stirdata_are_told_without_traceback(stirdata, failing, error, code):
    failing(error)
    ran = stirdata(*GENERATE)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err == "stirdata: it is wrong\n  where:    here\n"


def test_fault_of_stirdata_is_told_as_one(stirdata, failing):
    failing(ZeroDivisionError("division by zero"))
    ran = stirdata(*GENERATE)
    assert (ran.code, ran.out) == (70, "")
    assert "a fault of stirdata itself: ZeroDivisionError: division by zero" in ran.err
    assert "stirdata --debug" in ran.err
    assert "Traceback" not in ran.err


def test_refusal_of_the_system_is_no_fault_of_stirdata(stirdata, failing):
    failing(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "some/file"))
    ran = stirdata(*GENERATE)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "stirdata: Permission denied\n  where:    some/file\n"


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), ParameterError("it is wrong")])
def test_debug_shows_the_traceback(stirdata, failing, error):
    failing(error)
    ran = stirdata("--debug", *GENERATE)
    assert ran.code in (2, 70)
    assert "Traceback (most recent call last)" in ran.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interruption(stirdata, failing, error):
    failing(error)
    ran = stirdata(*GENERATE)
    assert (ran.code, ran.out) == (130, "")
    assert (
        ran.err.strip()
        == "stirdata: interrupted; no output is half-written, and downloads go on at the next run"
    )


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "stirdata", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"stirdata, version {package.__version__}\n")


def test_shell_completion():
    completion = {"_STIRDATA_COMPLETE": "bash_complete", "COMP_WORDS": "stirdata ver", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from stirdata.cli import main; main()"],
        env=os.environ | completion,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "plain,verify\n")


def convert(value):
    return options.Seeds().convert(value, None, None)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0", (0,)),
        ("0-5", (0, 1, 2, 3, 4, 5)),
        ("0-5,8", (0, 1, 2, 3, 4, 5, 8)),
        ("8, 0-2 ,1", (0, 1, 2, 8)),
        ("3-3", (3,)),
        ("4294967295", (4294967295,)),
    ],
)
def test_seeds_are_ascending_and_each_once(text, seeds):
    assert convert(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5-2", "the range 5-2 runs backwards; write 2-5"),
        ("0,9-8", "the range 9-8 runs backwards; write 8-9"),
        *[(text, NO_SEEDS) for text in ("", ",", "a", "-1", "1-", "1--2", "1.0", "1-2-3", "0x1", "1 2")],
        ("9" * 5000, NO_SEEDS),
        ("4294967296", "seeds go up to 4294967295, got 4294967296"),
        ("0-99999999999999", "seeds go up to 4294967295"),
        ("0-4294967295", "at most 10000 seeds"),
    ],
)
def test_seeds_that_make_no_sense(text, message):
    with pytest.raises(click.BadParameter) as caught:
        convert(text)
    assert message in caught.value.message


numbers = st.integers(0, 3000)


@given(st.lists(numbers | st.tuples(numbers, numbers).map(sorted), min_size=1, max_size=6))
def test_seeds_are_the_union_of_the_parts(parts):
    text = ",".join(str(part) if isinstance(part, int) else f"{part[0]}-{part[1]}" for part in parts)
    expected = set()
    for part in parts:
        expected |= {part} if isinstance(part, int) else set(range(part[0], part[1] + 1))
    assert convert(text) == tuple(sorted(expected))


@given(st.text("0123456789-, +a٣½", max_size=9))
def test_any_text_is_seeds_or_refused(text):
    try:
        seeds = convert(text)
    except click.BadParameter as error:
        assert error.message
    else:
        assert list(seeds) == sorted(set(seeds))
        assert all(0 <= seed < 2**32 for seed in seeds)


def test_number_of_workers_is_the_one_asked_for_else_that_of_the_cores():
    assert options.worker_count(3) == 3
    assert options.worker_count(None) >= 1
