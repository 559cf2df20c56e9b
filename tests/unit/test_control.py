"""How a run is found and told to stop: by real sockets, with all that may come over them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from pegasus.control import client, server
from pegasus.control.client import Command, tell, tell_all
from pegasus.control.record import Record, read_all
from pegasus.control.server import Control
from pegasus.errors import SettingsError, StopError
from pegasus.model import Attempt, Host, Job, Node


class Run:
    """A run that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.attempts: list[Attempt] = []

    def drain(self) -> None:
        self.told.append("drain")

    def cancel(self) -> None:
        self.told.append("cancel")

    def cancel_job(self, number: int, /) -> bool:
        self.told.append(number)
        return any(attempt.job.id == number for attempt in self.attempts)

    def running(self) -> list[Attempt]:
        return list(self.attempts)

    def pause(self) -> bool:
        self.told.append("pause")
        return self.told.count("pause") == 1

    def resume(self) -> bool:
        self.told.append("resume")
        return "pause" in self.told

    def drain_nodes(self, expression: str, /) -> list[Node]:
        self.told.append(f"drain {expression}")
        if expression != "node-1":
            raise SettingsError(f"no node matches `{expression}`")
        return [Node(0, Host("node-1", "node-1"))]

    def undrain_nodes(self, expression: str, /) -> list[Node]:
        self.told.append(f"undrain {expression}")
        return []

    def start(self, job: int, command: str) -> None:
        node = Node(0, Host("node-1", "node-1"))
        self.attempts.append(Attempt(1, Job("template", id=job), node, command))


@pytest.fixture
def folder() -> Iterator[Path]:
    # The temporary directories of pytest have paths that are too long for sockets.
    with tempfile.TemporaryDirectory(prefix="control-", dir="/tmp") as made:
        yield Path(made) / ".pegasus" / "queue.yaml" / "runs"


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def control(folder: Path, run: Run, warnings: list[str]) -> Iterator[Control]:
    with Control(folder, Record.of_this_process("queue"), run, warnings.append) as made:
        yield made


def only(folder: Path) -> Record:
    (record,) = read_all(folder)
    return record


def say(folder: Path, data: bytes) -> bytes:
    """Send bytes to the only run, and return all that it answers."""
    record = only(folder)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(folder / record.socket))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):  # What the run did not read is thrown away.
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def request(folder: Path, **more: Any) -> bytes:
    message = {"version": 1, "run": only(folder).id, "do": "drain", **more}
    return json.dumps(message).encode() + b"\n"


def put(folder: Path, **more: Any) -> Record:
    """Write the record of a run that is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "id": "0badcafe",
        "mode": "queue",
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": "2024-01-01T00:00:00.000+00:00",
        "socket": "0badcafe.sock",
    }
    record = Record(**{**values, **more})
    record.write(folder)
    return record


def leave_socket(place: Path) -> None:
    """Leave what the socket of a killed process leaves."""
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(place))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What a run is told.


@pytest.mark.parametrize("do", ["drain", "cancel"])
def test_a_run_is_told_and_says_what_runs(
    control: Control, folder: Path, run: Run, do: str
) -> None:
    run.start(7, "python train.py\n--more")
    answer = tell(folder, only(folder), do)
    assert answer is not None
    assert answer.ok
    assert answer.running == (Command(7, "node-1", "python train.py …"),)
    assert str(answer.run) == f"run {answer.run.id} (queue, pid {os.getpid()})"
    assert run.told == [do]


def test_one_job_is_cancelled_and_an_unknown_one_is_said(
    control: Control, folder: Path, run: Run
) -> None:
    run.start(7, "sleep 300")
    known = tell(folder, only(folder), "cancel job", 7)
    unknown = tell(folder, only(folder), "cancel job", 8)
    assert known is not None
    assert known.ok
    assert unknown is not None
    assert not unknown.ok
    assert unknown.running == (Command(7, "node-1", "sleep 300"),)
    assert run.told == [7, 8]


def test_a_run_says_whether_it_was_paused_already(control: Control, folder: Path, run: Run) -> None:
    answers = [tell(folder, only(folder), do) for do in ("resume", "pause", "pause", "resume")]
    assert [answer and answer.changed for answer in answers] == [False, True, False, True]
    assert run.told == ["resume", "pause", "pause", "resume"]


def test_a_run_says_which_nodes_it_has_drained(control: Control, folder: Path, run: Run) -> None:
    drained = tell(folder, only(folder), "drain nodes", nodes="node-1")
    unknown = tell(folder, only(folder), "drain nodes", nodes="node-9")
    undrained = tell(folder, only(folder), "undrain nodes", nodes="node-1")
    assert drained
    assert (drained.ok, drained.nodes) == (True, ("node-1",))
    assert unknown
    assert (unknown.ok, unknown.why) == (False, "no node matches `node-9`")
    assert undrained
    assert (undrained.ok, undrained.nodes) == (True, ())
    assert run.told == ["drain node-1", "drain node-9", "undrain node-1"]


def test_nodes_must_be_named_so_that_none_are_drained_by_mistake(
    control: Control, folder: Path, run: Run
) -> None:
    for more in ({}, {"nodes": ""}, {"nodes": " "}, {"nodes": 7}, {"nodes": ["node-1"]}):
        answer = json.loads(say(folder, request(folder, do="drain nodes", **more)))
        assert (answer["ok"], answer["error"]) == (False, "nodes must say which")
    assert run.told == []


def test_an_older_run_that_does_not_know_what_it_is_told_is_named(
    control: Control, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def obey(run: object, request: dict[str, Any]) -> dict[str, object]:
        raise ValueError("do must be drain, cancel or cancel job")

    monkeypatch.setattr(server, "obey", obey)
    with pytest.raises(StopError, match="is of an older pegasus, which can't be told this"):
        tell(folder, only(folder), "pause")


def test_an_expression_of_many_nodes_gets_through_and_an_endless_one_is_refused(
    control: Control, folder: Path
) -> None:
    assert tell(folder, only(folder), "undrain nodes", nodes="node-1," * 5000)
    with pytest.raises(StopError, match="too long"):
        tell(folder, only(folder), "undrain nodes", nodes="node-1," * 50_000)


def test_all_runs_of_a_queue_are_told(folder: Path, warnings: list[str]) -> None:
    one, two = Run(), Run()
    with (
        Control(folder, Record.of_this_process("queue"), one, warnings.append),
        Control(folder, Record.of_this_process("broadcast"), two, warnings.append),
    ):
        report = tell_all(folder, "drain")
    assert [one.told, two.told] == [["drain"], ["drain"]]
    assert sorted(answer.run.mode for answer in report.answers) == ["broadcast", "queue"]
    assert report.troubles == ()


def test_a_very_long_command_is_cut(control: Control, folder: Path, run: Run) -> None:
    run.start(1, "x" * 100_000)
    answer = tell(folder, only(folder), "drain")
    assert answer is not None
    assert answer.running[0].text == "x" * server.SHOWN + " …"


def test_the_answer_leaves_before_the_run_ends(
    folder: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that has nothing to do ends as soon as it is told to, and its process with it."""
    monkeypatch.setattr(server, "FAREWELL", 60.0)
    told, done, answers = threading.Event(), threading.Event(), []

    def drain() -> None:
        told.set()
        time.sleep(0.2)  # Something else takes the processor.
        done.set()

    run.drain = drain  # type: ignore[method-assign]
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        record = only(folder)
        asker = threading.Thread(target=lambda: answers.append(tell(folder, record, "drain")))
        asker.start()
        assert told.wait(30)
    assert done.is_set()
    asker.join()
    assert answers != [None]


# What is left on disk.


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_files_are_for_their_owner_alone_whatever_the_umask(
    folder: Path, run: Run, warnings: list[str], mask: int
) -> None:
    before = os.umask(mask)
    try:
        with Control(folder, Record.of_this_process("queue"), run, warnings.append):
            modes = {path.suffix: path.stat().st_mode for path in folder.iterdir()}
            folders = [stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.parents[:2])]
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(modes[".sock"])
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o600}
    assert folders == [0o700] * 3
    assert names(folder) == []


def test_the_record_is_for_people_too(control: Control, folder: Path) -> None:
    record = only(folder)
    values = json.loads(record.path(folder).read_text())
    assert values == {
        "version": 1,
        "id": record.id,
        "mode": "queue",
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": record.started,
        "socket": f"{record.id}.sock",
    }


def test_the_files_go_when_a_run_fails(folder: Path, run: Run, warnings: list[str]) -> None:
    with (
        pytest.raises(ValueError, match="broken"),
        Control(folder, Record.of_this_process("queue"), run, warnings.append),
    ):
        raise ValueError("broken")
    assert names(folder) == []


def test_a_run_that_was_killed_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from pegasus.control.record import Record\n"
        "from pegasus.control.server import Control\n"
        "with Control(pathlib.Path(sys.argv[1]), Record.of_this_process('queue'), None, print):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    record = only(folder)
    assert names(folder) == [f"{record.id}.json", f"{record.id}.sock"]
    report = tell_all(folder, "drain")
    assert report == client.Report((), ())
    assert names(folder) == []


def test_a_record_with_the_pid_of_another_process_does_nothing_to_it(folder: Path) -> None:
    """The process id of a dead run may long be somebody else's."""
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "up\n"
        record = put(folder, pid=other.pid)
        leave_socket(folder / record.socket)
        for do in ("drain", "cancel", "cancel job"):
            assert tell_all(folder, do, 1) == client.Report((), ())
            put(folder, pid=other.pid)
        assert other.poll() is None
        other.communicate("\n")
        assert other.returncode == 0


def test_a_socket_on_which_another_run_listens_is_not_told(
    control: Control, folder: Path, run: Run
) -> None:
    put(folder, socket=only(folder).socket)
    record = next(record for record in read_all(folder) if record.id == "0badcafe")
    with pytest.raises(StopError, match="run 0badcafe"):
        tell(folder, record, "cancel")
    assert run.told == []


def test_what_is_no_socket_of_a_run_is_never_removed(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "pegasus-run-precious"
    precious.mkdir()
    (precious / "socket").write_text("mine")
    (tmp_path / "queue.yaml").write_text("mine")
    for path in (precious / "socket", tmp_path / "queue.yaml", precious, Path("..")):
        put(folder, socket=str(path))
        tell_all(folder, "drain")
    assert (precious / "socket").read_text() == "mine"
    assert (tmp_path / "queue.yaml").read_text() == "mine"
    assert folder.is_dir()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"version": 1}',
        '{"version": 1, "id": "0badcafe", "mode": 1, "pid": 1, "host": 1, "started": 1,'
        ' "socket": 1}',
        "[" * 100_000,
        "\x00",
    ],
)
def test_a_file_that_is_no_record_is_passed_over_and_stays(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "0badcafe.json").write_text(text)
    (folder / ".0badcafe.json.x.tmp").write_text(text)
    assert read_all(folder) == []
    assert len(names(folder)) == 2


def test_no_folder_means_no_run_and_none_is_made(folder: Path) -> None:
    assert tell_all(folder, "drain") == client.Report((), ())
    assert not folder.parents[1].exists()


def test_a_run_of_another_machine_is_named_and_left_alone(folder: Path) -> None:
    record = put(folder, host="far-away")
    leave_socket(folder / record.socket)
    before = names(folder)
    (trouble,) = tell_all(folder, "drain").troubles
    assert "is on far-away and can't be reached from here" in trouble
    assert str(record.path(folder)) in trouble
    assert names(folder) == before


def test_a_run_of_another_version_is_named_and_left_alone(folder: Path) -> None:
    put(folder, version=2)
    (trouble,) = tell_all(folder, "drain").troubles
    assert "another version" in trouble
    assert names(folder) == ["0badcafe.json"]


def test_a_new_run_clears_away_what_a_killed_one_has_left(
    control: Control, folder: Path, warnings: list[str]
) -> None:
    living = names(folder)
    leave_socket(folder / put(folder).socket)
    far = put(folder, id="0badbeef", socket="0badbeef.sock", host="far-away")
    other = put(folder, id="0badf00d", socket="0badf00d.sock", version=2)
    with Control(folder, Record.of_this_process("queue"), Run(), warnings.append):
        left = {record.id for record in read_all(folder)}
    assert "0badcafe" not in left
    assert names(folder) == sorted([*living, f"{far.id}.json", f"{other.id}.json"])
    assert warnings == []


def test_a_new_run_does_not_wait_for_one_that_lets_nobody_in(
    folder: Path, warnings: list[str]
) -> None:
    record = put(folder)
    with socket.socket(socket.AF_UNIX) as deaf, ExitStack() as waiting:
        deaf.bind(str(folder / record.socket))
        deaf.listen(0)
        with suppress(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(folder / record.socket))
        with Control(folder, Record.of_this_process("queue"), Run(), warnings.append):
            assert record in read_all(folder)


# Where a socket can be.


def test_where_the_path_is_too_long_the_socket_is_in_a_temporary_folder(
    tmp_path: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path
    for _ in range(3):
        deep = deep / ("d" * 60)
    deep.mkdir(parents=True)
    folder = deep / ".pegasus" / "queue.yaml" / "runs"
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        record = only(folder)
        place = Path(record.socket)
        assert place.is_absolute()
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert tell(folder, record, "drain") is not None
    assert run.told == ["drain"]
    assert not place.parent.exists()
    assert warnings == []


def test_a_long_tmpdir_does_not_matter(
    tmp_path: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = deep / ".pegasus" / "queue.yaml" / "runs"
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        assert tell(folder, only(folder), "drain") is not None
    assert names(deep) == [".pegasus"]


def test_a_file_system_without_sockets_does_not_matter(
    folder: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = server._bind

    def refuse(place: Path) -> socket.socket:
        if place.parent == folder:
            raise PermissionError(1, "Operation not permitted")
        return bind(place)

    monkeypatch.setattr(server, "_bind", refuse)
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        record = only(folder)
        assert tell(folder, record, "drain") is not None
    assert not Path(record.socket).parent.exists()


def test_a_temporary_folder_of_a_killed_run_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pegasus-run-", dir="/tmp") as left:
        leave_socket(Path(left) / "socket")
        put(folder, socket=f"{left}/socket")
        assert tell_all(folder, "drain") == client.Report((), ())
        assert not Path(left).exists()
        Path(left).mkdir()
    assert names(folder) == []


def test_a_run_that_can_not_listen_goes_on_with_one_message(
    folder: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Path) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(server, "_bind", refuse)
    made: list[str] = []
    mkdtemp = tempfile.mkdtemp

    def note(prefix: str, dir: str | None) -> str:  # noqa: A002
        made.append(mkdtemp(prefix=prefix, dir=dir))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", note)
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        assert read_all(folder) == []
    assert len(warnings) == 1
    assert warnings[0].startswith("inv stop will not find this run: ")
    assert "Errno" not in warnings[0]
    assert names(folder) == []
    assert made
    assert not any(map(os.path.exists, made))


def test_a_folder_that_can_not_be_made_is_a_message(
    tmp_path: Path, run: Run, warnings: list[str]
) -> None:
    (tmp_path / ".pegasus").write_text("a file in the way")
    with Control(
        tmp_path / ".pegasus" / "queue.yaml" / "runs",
        Record.of_this_process("queue"),
        run,
        warnings.append,
    ):
        pass
    assert len(warnings) == 1


# Clients that mean no good.


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"\xff\xfe\x00\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[" * 4000 + b"\n",
        b"7\n",
        b"null\n",
        b'{"version": 1}\n',
        b'{"version": 2, "do": "cancel"}\n',
        b'{"version": 1, "run": "00000000", "do": "cancel"}\n',
        b'{"do": "cancel"}',
    ],
)
def test_garbage_is_refused_and_changes_nothing(
    control: Control, folder: Path, run: Run, data: bytes
) -> None:
    answer = json.loads(say(folder, data))
    assert answer["ok"] is False
    assert answer["error"]
    assert run.told == []
    assert tell(folder, only(folder), "drain") is not None


@pytest.mark.parametrize(
    "more",
    [
        {"do": "explode"},
        {"do": None},
        {"do": ["drain"]},
        {"do": "cancel job"},
        {"do": "cancel job", "job": "7"},
        {"do": "cancel job", "job": True},
        {"do": "cancel job", "job": 7.0},
        {"version": "1"},
        {"version": 7},
    ],
)
def test_a_request_that_is_none_is_refused(
    control: Control, folder: Path, run: Run, more: dict[str, Any]
) -> None:
    run.start(7, "sleep")
    answer = json.loads(say(folder, request(folder, **more)))
    assert answer["ok"] is False
    assert run.told == []


def test_a_line_without_end_is_cut_off(control: Control, folder: Path, run: Run) -> None:
    with suppress(ConnectionError):
        say(folder, b"x" * 1_000_000)
    assert tell(folder, only(folder), "drain") is not None


def test_a_client_that_says_nothing_is_left_after_a_while(
    control: Control, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(30)
        silent.connect(str(folder / only(folder).socket))
        assert silent.recv(1) == b""


def test_a_client_that_drips_is_left_too(
    control: Control, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    with socket.socket(socket.AF_UNIX) as dripping:
        dripping.settimeout(30)
        dripping.connect(str(folder / only(folder).socket))
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 30:
                dripping.sendall(b"x")
                time.sleep(0.02)
        assert time.monotonic() - began < 20


def test_silent_clients_do_not_keep_others_out_nor_the_run_from_its_end(
    folder: Path, run: Run, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Control(folder, Record.of_this_process("queue"), run, warnings.append):
        place = str(folder / only(folder).socket)
        silent = [socket.socket(socket.AF_UNIX) for _ in range(server.CLIENTS // 2)]
        for connection in silent:
            connection.connect(place)
        began = time.monotonic()
        assert tell(folder, only(folder), "drain") is not None
    assert time.monotonic() - began < server.PATIENCE
    for connection in silent:
        connection.close()


def test_many_clients_at_once_are_all_answered(control: Control, folder: Path, run: Run) -> None:
    answers: list[object] = []
    record = only(folder)

    def ask() -> None:
        answers.append(tell(folder, record, "drain"))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers
    assert run.told == ["drain"] * 12


def test_a_mistake_of_the_run_is_answered(control: Control, folder: Path, run: Run) -> None:
    def fail() -> None:
        raise KeyError("oops")

    run.drain = fail  # type: ignore[method-assign]
    with pytest.raises(StopError, match="internal error"):
        tell(folder, only(folder), "drain")
    assert tell(folder, only(folder), "cancel") is not None


# Runs that do not answer.


@pytest.fixture
def listener(folder: Path) -> Iterator[socket.socket]:
    """The socket of a run that does with it what the test says."""
    put(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "0badcafe.sock"))
        made.listen()
        yield made


def test_a_run_that_hangs_is_named(
    listener: socket.socket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    (trouble,) = tell_all(folder, "drain").troubles
    assert "run 0badcafe" in trouble
    assert "does not answer" in trouble
    assert names(folder) == ["0badcafe.json", "0badcafe.sock"]


@pytest.mark.parametrize("said", [b"hello\n", b"[]\n", b'{"version": 1}\n', b'{"version": 2}\n'])
def test_an_answer_that_is_none_is_said(listener: socket.socket, folder: Path, said: bytes) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(said)

    thread = threading.Thread(target=answer)
    thread.start()
    (trouble,) = tell_all(folder, "drain").troubles
    thread.join()
    assert "does not answer as a run of this version does" in trouble


def test_a_run_that_ends_while_it_is_told_has_ended(listener: socket.socket, folder: Path) -> None:
    def leave() -> None:
        connection, _ = listener.accept()
        connection.close()

    thread = threading.Thread(target=leave)
    thread.start()
    assert tell_all(folder, "drain") == client.Report((), ())
    thread.join()
