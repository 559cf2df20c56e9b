"""Settings: where values come from, which one wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invoke import Config

from pegasus.errors import SettingsError
from pegasus.settings import Settings, describe


def config(section: Any = None) -> Config:
    """Return what Invoke gives a task whose invoke.yaml has `section` under `pegasus:`."""
    made = Config(lazy=True)
    made.load_collection({"pegasus": section}, merge=False)
    made.merge()
    made.load_shell_env()
    return made


def test_the_defaults_hold_when_nothing_is_given() -> None:
    assert Settings.from_config(config()) == Settings()


def test_the_environment_sets_every_kind_of_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_PEGASUS_HOSTS_FILE", "cluster.yaml")
    monkeypatch.setenv("INVOKE_PEGASUS_DAEMON", "yes")
    monkeypatch.setenv("INVOKE_PEGASUS_ERROR_ABORTS", "no")
    monkeypatch.setenv("INVOKE_PEGASUS_PRINT_PERIOD", "7")
    settings = Settings.from_config(config())
    assert settings.hosts_file == "cluster.yaml"
    assert settings.daemon is True
    assert settings.error_aborts is False
    assert settings.print_period == 7


def test_a_flag_wins_over_the_file_and_a_flag_not_given_does_not() -> None:
    loaded = config({"hosts_file": "from-file.yaml", "print_period": 3, "daemon": True})
    settings = Settings.from_config(loaded, hosts_file="flag.yaml", print_period=None, daemon=None)
    assert settings.hosts_file == "flag.yaml"
    assert settings.print_period == 3
    assert settings.daemon is True


def test_a_caller_can_switch_off_what_the_file_switches_on() -> None:
    assert Settings.from_config(config({"daemon": True}), daemon=False).daemon is False


def test_paths_may_be_paths_and_name_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/kim")
    settings = Settings.from_config(config({"hosts_file": "~/h.yaml"}), queue_file=Path("q.yaml"))
    assert (settings.hosts_file, settings.queue_file) == ("/home/kim/h.yaml", "q.yaml")


@pytest.mark.parametrize("text", ["0", "no", "false", "off", ""])
def test_the_environment_can_switch_off_what_the_file_switches_on(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("INVOKE_PEGASUS_DAEMON", text)
    assert Settings.from_config(config({"daemon": True})).daemon is False


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_PEGASUS_QUEUE_FILE", "variable.yaml")
    assert Settings.from_config(config({"queue_file": "file.yaml"})).queue_file == "variable.yaml"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"print_period": "many"}, "print_period must be a whole number, not 'many'"),
        ({"print_period": True}, "print_period must be a whole number, not True"),
        ({"print_period": -1}, "print_period is -1; it must be 0 or more"),
        ({"daemon": "perhaps"}, "daemon must be true or false, not 'perhaps'"),
        ({"hosts_file": 5}, "hosts_file must be text, not 5"),
        ({"queue_file": ""}, "queue_file is empty"),
        ({"host_file": "x"}, "pegasus.host_file is not a setting; did you mean hosts_file?"),
        ({"zzz": "x"}, "pegasus.zzz is not a setting; there are: hosts_file"),
    ],
)
def test_what_can_not_be_is_refused_by_name(section: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_config(config(section))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", (None, None)),
        (None, (None, None)),
        ("500", (500, None)),
        (500, (500, None)),
        (0, (0, None)),
        ("30d", (None, 2_592_000.0)),
        (" 12h ", (None, 43_200.0)),
        ("1h 30m", (None, 5400.0)),
    ],
)
def test_logs_are_kept_by_number_or_by_age(written: object, meant: tuple[object, object]) -> None:
    assert Settings.from_config(config({"keep_logs": written})).kept_logs == meant


@pytest.mark.parametrize(
    "written",
    ["some", "-1", -1, "1.5", True, "1e3", "30 parsecs", "d", "٣d", [90], "9" * 5000, "1:30"],
)
def test_what_is_neither_number_nor_age_of_logs_is_refused(written: object) -> None:
    with pytest.raises(SettingsError, match=r"^keep_logs"):
        Settings.from_config(config({"keep_logs": written}))


DURATIONS = ["timeout", "kill_grace", "reconnect_for", "backfill_patience", "dead_after"]
NUMBERS = {
    "print_period": 0,
    "retries": 0,
    "handshakes": 1,
    "zero_slot_jobs": 1,
    "handshakes_per_host": 1,
}


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("2h", 7200), ("1d", 86_400), ("1:30", 90), (90, 90), (0.5, 0.5), ("0", 0)],
)
def test_durations_are_seconds(
    monkeypatch: pytest.MonkeyPatch, name: str, written: object, seconds: float
) -> None:
    assert getattr(Settings.from_config(config({name: written})), name) == seconds
    assert getattr(Settings.from_config(config(), **{name: written}), name) == seconds
    monkeypatch.setenv(f"INVOKE_PEGASUS_{name.upper()}", str(written))
    assert getattr(Settings.from_config(config({name: "7s"})), name) == seconds


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("written", ["soon", "", "-1", "-2h", -1, True, "nan", [90], "٣s"])
def test_what_is_no_duration_is_refused_by_name(name: str, written: object) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: .* is not a duration; write 90s, 30m, 2h"):
        Settings.from_config(config({name: written}))


@pytest.mark.parametrize("written", ["inf", "1e400", "36501d", float("inf")])
def test_a_duration_that_is_too_long_is_refused(written: object) -> None:
    with pytest.raises(SettingsError, match=r"^timeout: .* is too long"):
        Settings.from_config(config({"timeout": written}))


@pytest.mark.parametrize(("variable", "says"), [("soon", "'soon'"), ("", "''")])
def test_a_variable_that_is_no_duration_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, says: str
) -> None:
    monkeypatch.setenv("INVOKE_PEGASUS_TIMEOUT", variable)
    with pytest.raises(SettingsError, match=f"timeout: {says} is not a duration"):
        Settings.from_config(config())


@pytest.mark.parametrize(("name", "least"), NUMBERS.items())
def test_whole_numbers_have_a_least(monkeypatch: pytest.MonkeyPatch, name: str, least: int) -> None:
    for written in (least, str(least), f" {least}\n"):
        assert getattr(Settings.from_config(config({name: written})), name) == least
    with pytest.raises(SettingsError, match=f"{name} is {least - 1}; it must be {least} or more"):
        Settings.from_config(config({name: least - 1}))
    monkeypatch.setenv(f"INVOKE_PEGASUS_{name.upper()}", "7")
    assert getattr(Settings.from_config(config({name: 5})), name) == 7


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("written", ["two", "", "1.5", 1.5, True, [1], "2h"])
def test_what_is_no_whole_number_is_refused_by_name(name: str, written: object) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be a whole number, not "):
        Settings.from_config(config({name: written}))


def test_every_number_among_the_settings_is_tested_here() -> None:
    kinds = {name: type(value) for name, value in vars(Settings()).items()}
    assert {name for name, kind in kinds.items() if kind is float} == {*DURATIONS}
    assert {name for name, kind in kinds.items() if kind is int} == {*NUMBERS}


def test_a_section_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be a mapping"):
        Settings.from_config(config("hosts.yaml"))


def test_jobs_are_consumed_beside_the_queue_unless_told_otherwise() -> None:
    assert str(Settings(queue_file="some/where/q.yaml").consumed_path) == (
        "some/where/consumed.yaml"
    )
    assert str(Settings(consumed_file="done.yaml").consumed_path) == "done.yaml"


def test_every_setting_says_what_it_means() -> None:
    assert all(len(describe(name)) > 10 for name in vars(Settings()))


def test_settings_that_are_made_in_python_are_converted_and_checked_too() -> None:
    made = Settings(hosts_file=Path("here"), timeout="2h", retries="3", quiet="no")  # type: ignore[arg-type]
    assert (made.hosts_file, made.timeout, made.retries, made.quiet) == ("here", 7200.0, 3, False)
    with pytest.raises(SettingsError, match="retries must be a whole number, not 'x'"):
        Settings(retries="x")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="on_fail must be text, not 5"):
        Settings(on_fail=5)  # type: ignore[arg-type]
