"""What a command finds: its variables and its directory, in every kind of sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attempts import Listener, in_background
from leashes import run_on_leash
from processes import path_with_sh
from project import wait_until

from pegasus.model import Ending, Host, Node, Surroundings
from pegasus.ssh.base import Cancellation
from pegasus.ssh.local import LocalConnection
from pegasus.ssh.running import watchdog
from pegasus.ssh.running.setup import problem, setup

SHELLS = ("dash", "bash", "busybox", "zsh")

#: Every byte that can be in a value, in an order in which no character of UTF-8 is among them.
BYTES = bytes(range(1, 256))

#: Names of directories that a shell might take for something else.
NAMES = (
    "plain", "-", "-x", "--", "two words", " lead ", "*", "a\nb", "it's", '"$HOME" `x` \\n $(x)',
    "%s%n", "é", "#", "x;y", os.fsdecode(b"\xff\x81\x88"),
)  # fmt: skip

Run = Callable[..., "tuple[int, bytes, bytes]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home of me"
    made.mkdir()
    return made


@pytest.fixture(params=SHELLS)
def run(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Run:
    """Run a command under the watchdog, in `home`; return its status and its outputs."""
    path = path_with_sh(tmp_path / "bin", request.param)

    def run(
        command: str, *env: tuple[str, str], cwd: str | None = None, **variables: str
    ) -> tuple[int, bytes, bytes]:
        ended = run_on_leash(
            watchdog.argv(1),
            watchdog.leash(command, Surroundings(env, cwd)),
            cwd=home,
            env={**os.environ, "HOME": str(home), "PATH": path, **variables},
        )
        out, count = watchdog.ANNOUNCEMENT.subn(b"", ended.stdout, 1)
        assert count == 1
        return ended.returncode, out, ended.stderr

    return run


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "a b", "~/x", "$HOME", "-n", "--", "%s\\n%b", "it's", '"', "\\", "\\n\\\\0101",
        "!x!", "one\ntwo\n\n", "\n", "\t", "*", "`x` $(x)", "Zwölf ☃", "' end", "'\n'",
        "_pegasus_newline", os.fsdecode(BYTES), "x" * 100_000,
    ],
    ids=lambda value: ascii(value[:20]),
)  # fmt: skip
def test_a_value_arrives_as_it_is(run: Run, value: str) -> None:
    assert run('printf %s "$VALUE"', ("VALUE", value)) == (0, os.fsencode(value), b"")


def test_later_values_win_and_others_stay(run: Run) -> None:
    env = (("A", "1"), ("B", "2"), ("A", "3"))
    assert run('echo "$A$B$C"', *env, A="0", C="4")[1] == b"324\n"


def test_nothing_else_is_in_the_environment(run: Run) -> None:
    names = "cat /proc/self/environ | tr '\\n\\0' ' \\n' | cut -d= -f1 | sort"
    before = run(names)[1].split()
    after = run(names, ("VALUE", "a\nb"), ("PATH", os.environ["PATH"]), cwd="/")[1].split()
    assert [name for name in after if name not in before] == [b"VALUE"]
    assert b"pegasus" not in b" ".join(after)


def test_nobody_finds_them_among_the_arguments_of_processes(run: Run) -> None:
    secret = f"secret-{os.urandom(8).hex()}"
    status, arguments, _ = run("cat /proc/[0-9]*/cmdline 2>/dev/null; :", ("TOKEN", secret))
    assert (status, secret.encode() in arguments) == (0, False)
    assert b"_pegasus_job" in arguments  # the watchdog's own


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_directory_may_have_any_name(run: Run, home: Path, name: str) -> None:
    (home / name).mkdir()
    (home.parent / "other" / name).mkdir(parents=True)  # where CDPATH would lead
    for cwd in (name, str(home / name), f"~/{name}"):
        status, out, err = run("pwd -P; echo .", cwd=cwd, CDPATH=str(home.parent / "other"))
        assert (status, out, err) == (0, os.fsencode(home / name) + b"\n.\n", b"")


@pytest.mark.parametrize("cwd", ["~", "~/", ".", "", None])
def test_home_is_where_it_always_is(run: Run, home: Path, cwd: str | None) -> None:
    assert run("pwd", cwd=cwd)[1] == os.fsencode(home) + b"\n"


def test_the_home_of_another_is_found_too(run: Run) -> None:
    for cwd in ("~root", "~root/", "~root/.."):
        expected = Path("/root") if cwd != "~root/.." else Path("/")
        status, out, err = run("pwd -P", cwd=cwd)
        if os.access("/root", os.X_OK):
            assert (status, out) == (0, f"{expected}\n".encode())
        else:
            assert (status, out) == (1, b"")
            assert b"pegasus: the directory ~root" in err


def test_a_home_that_a_variable_sets_is_meant(run: Run, tmp_path: Path) -> None:
    assert run("pwd", ("HOME", str(tmp_path)), cwd="~")[1] == os.fsencode(tmp_path) + b"\n"


def test_pwd_is_right_where_the_command_looks_for_it(run: Run) -> None:
    assert run('echo "$PWD"', cwd="/usr")[1] == b"/usr\n"


@pytest.mark.parametrize(
    ("cwd", "shown", "why"),
    [
        ("none", "none", "it is not there, or out of reach"),
        ("file", "file", "it is not a directory"),
        ("~/none", "~/none", "it is not there, or out of reach"),
        ("~-", "~-", "it is not there, or out of reach"),
        ("it's\nnot", "it's; not", "it is not there, or out of reach"),
        ("%s\\n", "%s\\n", "it is not there, or out of reach"),
    ],
)
def test_a_directory_that_can_t_be_entered_is_told_and_nothing_is_run(
    run: Run, home: Path, cwd: str, shown: str, why: str
) -> None:
    (home / "file").touch()
    message = f"pegasus: the directory {shown} can't be entered: {why}\n"
    assert run("touch ran", cwd=cwd, OLDPWD="/") == (1, b"", message.encode())
    assert not (home / "ran").exists()


def test_one_that_is_closed_to_us_says_so(home: Path) -> None:
    (home / "closed").mkdir(mode=0)
    if os.access(home / "closed", os.X_OK):  # root may go anywhere
        text = setup(Surroundings(cwd="closed"))
        assert "permission denied" in text
    else:
        listener = Listener()
        connection = LocalConnection(Node(0, Host("localhost", "localhost")))
        surroundings = Surroundings(cwd=str(home / "closed"))
        connection.attempt("true", listener, Cancellation(), surroundings=surroundings)
        assert b"permission denied" in listener.stderr


def test_a_user_that_is_not_there_has_no_home(run: Run, home: Path) -> None:
    status, out, _ = run("touch ran", cwd="~nobody-of-this-name/x")
    assert (status, out, (home / "ran").exists()) == (1, b"", False)


def test_a_path_without_sh_is_the_command_s_own_business(run: Run) -> None:
    status, out, err = run('echo "$0 $PATH"; nothing-there', ("PATH", "/nowhere"), cwd="/")
    assert (status, out) == (127, b"sh /nowhere\n")
    assert b"nothing-there" in err


def test_field_separators_and_locales_make_no_difference(run: Run) -> None:
    env = (("IFS", "x"), ("LC_ALL", "C"), ("A", "axb"), ("ENV", "/none"), ("CDPATH", "/usr"))
    assert run('printf %s "$A"; pwd', *env, cwd="/")[1] == b"axb/\n"


@pytest.mark.parametrize("eaten", ["line", "part", "most"])
def test_a_command_is_not_run_without_them(tmp_path: Path, eaten: str) -> None:
    leash = watchdog.leash(f"touch {tmp_path}/ran", Surroundings((("A", "1"),), "/"))
    first, rest = leash.split(b"\n", 1)
    given = {"line": rest, "part": leash[4:], "most": first + b"\n" + rest[:-1]}[eaten]
    ended = subprocess.run(watchdog.argv(1), input=given, capture_output=True)
    assert (ended.returncode, ended.stdout) == (255, b"")
    assert not (tmp_path / "ran").exists()


def test_without_any_nothing_is_sent_for_them() -> None:
    assert watchdog.leash("true", Surroundings()) == watchdog.leash("true") == b"run true end\n"


@pytest.mark.parametrize(
    ("surroundings", "named"),
    [
        (Surroundings((("a b", "x"),)), "'a b'"),
        (Surroundings((("1A", "x"),)), "'1A'"),
        (Surroundings((("", "x"),)), "''"),
        (Surroundings((("A;touch x", "x"),)), "'A;touch x'"),
        (Surroundings((("_pegasus_job", "x"),)), "'_pegasus_job'"),
        (Surroundings((("A", "x\0y"),)), "variable A"),
        (Surroundings(cwd="x\0y"), "directory"),
        (Surroundings((("A", "\ud800"),)), "\\ud800"),
        (Surroundings(cwd="\ud800"), "\\ud800"),
    ],
)
def test_what_no_shell_can_be_given_fails_rather_than_wanders(
    tmp_path: Path, surroundings: Surroundings, named: str
) -> None:
    listener = Listener()
    connection = LocalConnection(Node(0, Host("localhost", "localhost")))
    command = f"touch {tmp_path}/ran"
    ending = connection.attempt(command, listener, Cancellation(), surroundings=surroundings)
    assert ending == Ending.exited(126)
    assert named.encode() in listener.stderr
    assert listener.stderr.startswith(b"pegasus: ")
    assert not (tmp_path / "ran").exists()


def test_ordinary_ones_are_no_problem() -> None:
    assert problem(Surroundings((("_A1", "x"), ("PEGASUS_SLOTS", "")), "~/x")) == ""


def test_local_commands_find_them_too(tmp_path: Path) -> None:
    listener = Listener()
    connection = LocalConnection(Node(0, Host("localhost", "localhost")))
    surroundings = Surroundings((("A", "a\nb"),), str(tmp_path))
    ending = connection.attempt(
        'printf "%s|" "$A"; pwd', listener, Cancellation(), surroundings=surroundings
    )
    assert (ending, listener.stdout) == (Ending.exited(0), b"a\nb|" + os.fsencode(tmp_path) + b"\n")


def test_a_directory_that_is_missing_is_an_ordinary_failure(tmp_path: Path) -> None:
    listener, announced = Listener(), []
    connection = LocalConnection(Node(0, Host("localhost", "localhost")))
    surroundings = Surroundings(cwd=str(tmp_path / "none"))
    ending = connection.attempt(
        "true", listener, Cancellation(), None, announced.append, surroundings
    )
    assert (ending, len(announced)) == (Ending.exited(1), 1)
    assert listener.stderr.count(b"\n") == 1


def test_csh_and_fish_as_login_shells_read_the_same() -> None:
    for shell in ("tcsh", "fish"):
        binary = shutil.which(shell)
        if binary is None:
            continue  # fish is there for other tests, and tcsh where somebody has it
        leash = watchdog.leash('printf %s "$A"; pwd', Surroundings((("A", "it's !"),), "/usr"))
        ended = run_on_leash([binary, "-c", watchdog.exec_request(1)], leash)
        assert ended.stdout.endswith(b">it's !/usr\n")


def test_a_job_in_its_directory_can_be_cancelled(tmp_path: Path) -> None:
    listener, cancellation = Listener(), Cancellation()
    connection = LocalConnection(Node(0, Host("localhost", "localhost")))
    surroundings = Surroundings((("A", "1"),), str(tmp_path))
    endings: list[Ending] = []

    def attempt() -> None:
        command = "echo $$; sleep 60; :"
        endings.append(
            connection.attempt(command, listener, cancellation, surroundings=surroundings)
        )

    thread = in_background(attempt)
    listener.wait_for(b"\n")
    cancellation.cancel()
    thread.join(20)
    assert [ending.outcome.value for ending in endings] == ["cancelled"]
    wait_until(lambda: not Path(f"/proc/{int(listener.stdout)}").exists(), "its end")
