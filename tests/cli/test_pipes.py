"""Output that nobody reads any more: every command ends quietly, whatever it was about to say."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")

UNREAD = 141
COMMANDS = {
    "help": ["--help"],
    "help of a group": ["generate", "--help"],
    "version": ["--version"],
    "info": ["info", "DATASET"],
    "verify": ["verify", "DATASET"],
    "diff": ["diff", "DATASET", "DATASET"],
    "convert": ["convert", "DATASET", "NEW.npz"],
    "show": ["show", "DATASET", "--out", "NEW.png"],
    "cache list": ["cache", "list"],
    "cache verify": ["cache", "verify"],
    "cache clean": ["cache", "clean", "--yes"],
    "fetch": ["fetch", "mnist", "--dest", "SOURCE"],
    "generate": ["generate", "mnist-scale", "--seed", "7", "--source-dir", "SOURCE", "--out", "NEW"],
}


@pytest.fixture
def dataset(stirdata, fake_mnist, small_recipe, tmp_path):
    """Make a small dataset and return its file."""
    source, out = ("--source-dir", fake_mnist.folder), ("--out", tmp_path / "made")
    return stirdata("generate", "mnist-scale", "--seed", 7, *source, *out).lines[-1]


@pytest.fixture
def words(dataset, fake_mnist, tmp_path):
    """Return the words of a command with paths in place of capitals; each call has a new output."""
    calls = []

    def words_of(words):
        calls.append(words)
        places = {"DATASET": dataset, "SOURCE": str(fake_mnist.folder)}
        return [places.get(word, word.replace("NEW", f"{tmp_path}/new{len(calls)}")) for word in words]

    return words_of


@pytest.fixture
def run(small_process, fake_mnist):
    """Run a command; standard output or error may be a pipe whose reader has left, or closed."""

    def command(words, before):
        if str(fake_mnist.folder) in words:
            return small_process.command(*words)
        program = f"import sys; from stirdata.cli import main; {before}; main(sys.argv[1:])"
        return [sys.executable, "-c", program, *map(str, words)]

    def run_it(words, *, unread=(), closed=(), before="pass"):
        closing = " ".join(f"{number}>&-" for number in closed)
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing) as pipe:
            return subprocess.run(
                [
                    "/bin/sh",
                    "-c",
                    f'exec "$@" {closing}',
                    "sh",
                    *command(words, before),
                ],
                stdout=pipe if 1 in unread else subprocess.PIPE,
                stderr=pipe if 2 in unread else subprocess.PIPE,
                text=True,
                check=False,
                timeout=120,
            )

    return run_it


QUIET = ("Traceback", "Exception ignored", "pipe", "interrupted", "Error")


@pytest.mark.parametrize("name", COMMANDS)
def test_reader_of_the_results_that_has_left(run, words, name):
    done = run(words(COMMANDS[name]), unread=[1])
    assert (done.returncode, [word for word in QUIET if word in done.stderr]) == (UNREAD, [])
    if name in ("info", "convert", "generate"):  # of each way to write JSON one
        done = run(words([*COMMANDS[name], "--json"]), unread=[1])
        assert (done.returncode, [word for word in QUIET if word in done.stderr]) == (UNREAD, [])


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_error_that_is_closed_or_unread(run, words, stirdata, small_recipe, name):
    """Closed, it changes nothing; a reader that has left may end a command that has something to tell it."""
    whole = stirdata(*words(COMMANDS[name]))
    if name in ("help", "verify", "cache clean", "fetch", "generate"):  # who say nothing, little and much
        done = run(words(COMMANDS[name]), closed=[2])
        assert (done.returncode, len(done.stdout)) == (whole.code, len(whole.out))
    done = run(words(COMMANDS[name]), unread=[2])
    if whole.err and done.returncode == UNREAD:
        return
    assert (done.returncode, len(done.stdout)) == (whole.code, len(whole.out))


ERROR = "import stirdata.cli.info as info; info.command.callback = lambda **options: exec('raise {}')"


@pytest.mark.parametrize("how", [{"unread": [2]}, {"unread": [1, 2]}, {"closed": [2]}, {"closed": [1, 2]}])
def test_exit_code_of_an_error_that_nobody_reads_of(run, words, dataset, how):
    for wrong in (["nothing"], ["--debug", "info", "nowhere"]):
        assert run(wrong, **how).returncode == 2
    for error, code in (("ZeroDivisionError", 70), ("KeyboardInterrupt", 130)):
        before = ERROR.format(error)
        assert run(words(["--debug", *COMMANDS["info"]]), before=before, **how).returncode == code


def test_reader_that_leaves_after_the_first_line(small_process, words):
    command = small_process.command(*words(COMMANDS["info"]))
    pipe = ["/bin/sh", "-c", '{ "$@"; echo "$?" >&2; } | head -1', "sh", *command]
    done = subprocess.run(pipe, capture_output=True, text=True, check=False, timeout=120)
    assert len(done.stdout.splitlines()) == 1
    assert int(done.stderr) in (0, UNREAD)  # 0 if all was written before head left


def test_what_was_written_is_whole_though_nobody_reads_of_it(run, words, stirdata, dataset, tmp_path):
    assert run(words(COMMANDS["convert"]), unread=[1]).returncode == UNREAD
    assert stirdata("diff", dataset, tmp_path / "new1.npz").code == 0
