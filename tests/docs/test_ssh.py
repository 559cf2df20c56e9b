"""docs/ssh.md says of each directive what the code does with it."""

from __future__ import annotations

from pathlib import Path

from pegasus.ssh.openssh.directives import DIRECTIVES

TEXT = (Path(__file__).parents[2] / "docs" / "ssh.md").read_text()


def test_the_table_has_every_directive_and_what_becomes_of_it() -> None:
    rows = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    told = {name: (treatment, why) for names, treatment, why in rows for name in names.split(", ")}
    for directive in DIRECTIVES:
        treatment, why = told[directive.name]
        assert treatment.startswith(directive.treatment.value)
        assert why == directive.note
    assert set(told) - {directive.name for directive in DIRECTIVES} == {"directives", "---"}
