"""Generating while everything goes wrong: full disks, Ctrl-C, kill -9 and two at once.

Whatever happens, a target is absent, the old one or the complete new one, and a second run succeeds
and leaves no rests.
"""

import errno
import gzip
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stirdata.families.mnist_scale.recipe import SplitSizes
from stirdata.manifest import pinned
from stirdata.operations.verify import verify
from stirdata.storage import hdf5, image_tree, npz

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these tests need POSIX signals")

FORMS = ("h5", "npz", "png")
NAMES = {"h5": "scale_0.3_1.0.h5", "npz": "scale_0.3_1.0.npz", "png": "scale_0.3_1.0"}
WRITERS = {"h5": (hdf5, "write"), "npz": (npz, "write"), "png": (image_tree, "_write_batch")}


@pytest.fixture(scope="session")
def small_sizes():
    """Return still smaller splits: most of these tests generate many times."""
    return SplitSizes(train=20, val=10, test=40)


@pytest.fixture
def options(fake_mnist):
    """Return the command that makes seed 7 in a format, but for the output folder."""

    def make(form):
        source = ("--source-dir", fake_mnist.folder, "--workers", 1)
        return ("generate", "mnist-scale", "--seed", 7, "--format", form, "--force", *source)

    return make


@pytest.fixture
def generate(stirdata, options, small_recipe):
    """Generate in this process; return what the run came to."""
    return lambda form, out: stirdata(*options(form), "--out", out)


@pytest.fixture
def old_output(generate, monkeypatch):
    """Return a function that makes a complete output of another origin, and the path of it."""

    def make(form, out):
        with monkeypatch.context() as patched:
            patched.setitem(pinned("mnist"), "citation", "Somebody else")
            return Path(generate(form, out).lines[-1])

    return make


def refuse(*arguments, **keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def told_full(ran, target, reason="No space left on device"):
    """Expect exit code 2 and the error of a full disk."""
    assert (ran.code, ran.out) == (2, "")
    what, where = ran.err.splitlines()[:2]
    assert what == "stirdata: the output cannot be written"
    assert where in (f"  where:    {target}", f"  where:    {target}.manifest.json")
    assert f"  got:      {reason}\n" in ran.err
    assert "  next:     " in ran.err
    assert "Traceback" not in ran.err


def refuse_beside(path, content, write_bytes=Path.write_bytes):
    return refuse() if "SHA256SUMS" in path.name else write_bytes(path, content)


STEPS = {
    "write the data": lambda patched, form: patched.setattr(*WRITERS[form], refuse),
    "write what is beside": lambda patched, form: patched.setattr(Path, "write_bytes", refuse_beside),
    "rename": lambda patched, form: patched.setattr(Path, "rename" if form == "png" else "replace", refuse),
    "flush": lambda patched, form: patched.setattr(os, "sync" if form == "png" else "fsync", refuse),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("form", FORMS)
def test_full_disk_leaves_the_old_output(generate, old_output, tmp_path, content_of, monkeypatch, form, step):
    target = old_output(form, tmp_path)
    before = content_of(tmp_path)
    with monkeypatch.context() as patched:
        STEPS[step](patched, form)
        ran = generate(form, tmp_path)
    told_full(ran, target)
    assert content_of(tmp_path) == before
    assert verify(target).ok


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("form", FORMS)
def test_full_disk_leaves_nothing_where_nothing_was(generate, tmp_path, content_of, monkeypatch, form, step):
    with monkeypatch.context() as patched:
        STEPS[step](patched, form)
        ran = generate(form, tmp_path / "out")
    told_full(ran, tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES[form])
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize(("form", "largest"), [("h5", 30_000), ("png", 300)])
def test_system_that_stops_writing(old_output, small_process, options, tmp_path, content_of, form, largest):
    target = old_output(form, tmp_path)
    before = content_of(tmp_path)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest}))"
    ran = small_process.run(*options(form), "--out", tmp_path, before=limit)
    told_full(ran, target, "File too large")
    assert content_of(tmp_path) == before


AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path

EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}

def changes(event, arguments, folder):
    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        return False
    return event in EVENTS and any(str(folder) in str(argument) for argument in arguments)

def strike(folder, step, kind):
    seen = [0]
    def hook(event, arguments):
        if changes(event, arguments, folder):
            seen[0] += 1
            if seen[0] == step:
                signal.raise_signal(getattr(signal, kind))
    sys.addaudithook(hook)
    return seen

def child(main, arguments, out, step, kind):
    descriptor = os.open(f"{out}.err", os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    seen = strike(out, step, kind)
    try:
        main([*arguments, "--out", str(out)])
    except SystemExit as ended:
        Path(f"{out}.count").write_text(str(seen[0]))
        sys.stderr.flush()
        os._exit(ended.code)

def finish(running):
    process, status = os.wait()
    Path(f"{running.pop(process)}.code").write_text(str(os.waitstatus_to_exitcode(status)))

def run(main, arguments):
    import filelock, h5py, numpy, PIL.Image, tqdm  # so that the children need not
    kind, base, *steps = arguments[:arguments.index("generate")]
    arguments = arguments[arguments.index("generate"):]
    running = {}
    for step in map(int, steps):
        out = Path(base) / str(step)
        process = os.fork()
        if process == 0:
            child(main, arguments, out, step, kind)
        running[process] = out
        if len(running) > 1:
            finish(running)
    while running:
        finish(running)
    sys.exit()
"""


@pytest.fixture
def strike(small_process, options, tmp_path):
    """Return a function that runs the command once per step and interrupts it at that step.

    A step is a call that changes the output folder. It returns the folder and the exit code per step.
    """
    (small_process.folder / "at_each_step.py").write_text(AT_EACH_STEP)
    before = "import at_each_step; at_each_step.run(main, sys.argv[2:])"

    def run(kind, form, steps):
        ran = small_process.run(kind, tmp_path, *steps, *options(form), before=before)
        assert ran.code == 0, ran.err
        return {step: (tmp_path / str(step), int((tmp_path / f"{step}.code").read_text())) for step in steps}

    return run


NEVER = 10**9


def steps_of(strike, tmp_path, form):
    """Return a sample of the many steps that an undisturbed run takes."""
    ((_, code),) = strike("SIGKILL", form, [NEVER]).values()
    assert code == 0
    count = int((tmp_path / f"{NEVER}.count").read_text())
    return sorted({1, 2, 5, *random.Random(7).sample(range(6, count - 9), 2), *range(count - 9, count + 1)})


def test_interrupt_at_each_step(strike, generate, tmp_path, content_of):
    """Of the command that writes the most files; the conformance suite interrupts what writes all others."""
    steps = steps_of(strike, tmp_path, "png")
    new = content_of(tmp_path / str(NEVER))
    for step, (out, code) in strike("SIGINT", "png", steps).items():
        message = Path(f"{out}.err").read_text()
        assert code == 130, (step, message)
        assert (
            "stirdata: interrupted; no output is half-written, and downloads go on at the next run" in message
        )
        assert "Traceback" not in message
        assert content_of(out) in ({}, new), step
        assert generate("png", out).code == 0
        assert content_of(out) == new


def wait_for(folder, pattern, process):
    """Wait until something appears below a folder, or the process ends."""
    deadline = time.monotonic() + 30
    while not any(folder.rglob(pattern)) and process.poll() is None:
        assert time.monotonic() < deadline, f"no {pattern} in 30 s"
        time.sleep(0.001)


SLOW = "from stirdata.storage import image_tree; image_tree._BATCH = 3"


@pytest.mark.parametrize("delay", [0, 0.2])
def test_interrupt_from_the_terminal_reaches_the_workers_too(
    small_process, options, tmp_path, content_of, delay
):
    command = small_process.command(*options("png"), "--workers", 3, "--out", tmp_path / "out", before=SLOW)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        wait_for(tmp_path, ".*.partial", process)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert "Traceback" not in err
    # By the signal itself if it came when the process was about to leave; shells report 130 for that.
    assert process.returncode in (130, 0, -signal.SIGINT)
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES["png"]
    if process.returncode == 130:
        assert err.endswith(
            "stirdata: interrupted; no output is half-written, and downloads go on at the next run\n"
        )
    if process.returncode == 130 and not target.exists():
        assert (out, content_of(tmp_path)) == ("", {})
    else:
        assert verify(target).ok
        assert list(tmp_path.rglob(".*")) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_a_random_moment_with_workers(small_process, options, generate, tmp_path, content_of, seed):
    arguments = (*options("png"), "--workers", 2, "--out", tmp_path / "out")
    with small_process.start(*arguments, before=SLOW) as process:
        wait_for(tmp_path, ".*.partial", process)
        time.sleep(random.Random(seed).uniform(0, 0.8))
        process.kill()
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES["png"]
    assert not target.exists() or verify(target).ok
    assert generate("png", tmp_path / "out").code == 0
    assert generate("png", tmp_path / "whole").code == 0
    assert content_of(tmp_path / "out") == content_of(tmp_path / "whole")


@pytest.mark.parametrize("form", ["h5", "png"])
def test_two_at_once(small_process, options, tmp_path, content_of, form):
    processes = [small_process.start(*options(form), "--out", tmp_path / "out") for _ in range(2)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert results[0][0] == results[1][0]
    assert sorted("already there" in err for _, err in results) == [False, True]
    assert list(tmp_path.rglob(".*")) == []
    assert verify(tmp_path / "out" / "MNIST_scale" / "seed_7" / NAMES[form]).ok


PEAK = """import atexit, re
    status = lambda: Path("/proc/self/status").read_text()
    atexit.register(lambda: print(re.search(r"VmHWM:\\s*(\\d+) kB", status())[1]))"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_decompression_bomb_takes_bounded_memory(small_process, fake_mnist, options, tmp_path, content_of):
    bomb = gzip.compress(fake_mnist.stream("train-images")) + gzip.compress(bytes(1 << 24)) * 128
    fake_mnist.path("train-images").write_bytes(bomb)  # 2 GiB
    ran = small_process.run(*options("h5"), "--out", tmp_path, before=PEAK)
    assert ran.code == 2
    assert "the IDX file is longer than its header says" in ran.err
    assert int(ran.lines[-1]) < 300_000
    assert content_of(tmp_path) == {}


SLOW_WRITING = """
    import time
    from stirdata.storage import image_tree
    write, image_tree._BATCH = image_tree._write_batch, 3
    image_tree._write_batch = lambda *batch: (time.sleep(0.3), write(*batch))
"""


def test_interrupt_stops_all_seeds_that_are_under_way(small_process, fake_mnist, tmp_path, content_of):
    """Seeds run in threads, which no signal reaches; each would take 7 seconds here."""
    out = tmp_path / "out"
    source = ("--source-dir", fake_mnist.folder, "--workers", 2, "--out", out)
    arguments = ("generate", "mnist-scale", "--seeds", "8-11", "--format", "png", *source)
    with small_process.start(*arguments, before=SLOW_WRITING) as process:
        wait_for(tmp_path, ".*.partial", process)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert "stirdata: interrupted" in err
    assert content_of(tmp_path) == {}
