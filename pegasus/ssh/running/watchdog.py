"""The sh text that keeps a job's process group on a leash, on a host where nothing is installed.

A job is not run by itself but under `TEXT`, run by the host's own `sh`. The text leads a process
group (sshd makes what it executes a group's leader, and so do we for local commands) and holds
the *leash*: its standard input. It reads the job from there and runs it with `sh -c`. When the
leash ends, because the controller let go, died or lost the connection, the whole group gets
TERM, and KILL after the grace.

Why it is as it is:

- The job comes through standard input and not in the command line: an exec request and every
  argument are limited to 128 kB, and quoting would make a job several times longer. What stands
  in the command line is constant and has none of the characters (single quote, backslash,
  newline, exclamation mark before a word) that csh or fish read differently in single quotes.
- A newline in the job is escaped, and so is a backslash then. Only such a job says so and is
  decoded, since that takes a process.
- What a job is to find, variables and a directory, comes that way too, as sh text in a line of its
  own (see `setup`), and is made in the process that becomes the job, so that neither the leader
  nor the watcher has them. A first line that begins with `set` announces it: where something has
  eaten that line, the other one alone is not run.
- The job's output begins with `ANNOUNCEMENT`: the job has begun, and its process group has this
  number. Without it, what ended was something else: a login shell that runs nothing, a startup
  file that exits, a ForceCommand. What comes before it is theirs. Neither the text nor a shell
  that shows what it executes must bring it forth, in case something does that to the text.
- The number is that of the group and not of `$$`: where a ForceCommand or a login shell has put
  the text into a child, the group is led by that, and none has the number `$$`. To find that out
  takes one system call; to read /proc takes sh one for each character. Where /proc does not tell
  the group, `$$` it is. All shells know `kill -0 -$$`; some know no `-s 0` here, and some no `--`.
- `TEXT` stays the job's parent. So the job has no child that it does not know of, nothing is
  orphaned when it ends, and hosts whose process 1 reaps nothing gather no zombies. The price:
  sh reports a death by signal n as 128+n, so that a job's own `exit 143` reads as TERM.
- The job is run in the foreground: in the background, sh would have it ignore INT and QUIT.
- The leader keeps standard error aside (descriptor 4) while the job runs, so that its remarks
  ("Terminated") do not mix with the job's. The job gets neither descriptor 3 nor 4.
- TERM waits a tenth of a second: a signal that comes while the leader is about to start the job
  would be lost between the two, and the job would live until KILL.
- After TERM the leader waits until its group is empty, read from /proc without
  any program. Where there is no /proc it ends with the job's own process, and the watcher stays
  for the grace to kill what is left.

Tried with dash, bash, busybox ash, ksh and zsh as `sh`, and tcsh and fish as login shells.
"""

from __future__ import annotations

import functools
import math
import re
import shlex

from pegasus.model import NO_SURROUNDINGS, Surroundings
from pegasus.ssh.running.setup import setup

# Lines are joined by blanks: every command ends with a semicolon, and there are no comments.
_LINES = r"""
_pegasus_setup= ;
IFS= read -r _pegasus_line || exit 255;
case $_pegasus_line in
"run "*" end"|"run-escaped "*" end") ;;
"set "*" end"|"set-escaped "*" end") IFS= read -r _pegasus_setup || exit 255;;
*) echo "pegasus: a startup file of the login shell reads standard input; it must not" >&2;
 exit 255;;
esac;
_pegasus_job=${_pegasus_line#* };
_pegasus_job=${_pegasus_job% end};
case $_pegasus_line in
???-escaped*)
 _pegasus_job=$(printf "%b_" "$_pegasus_job");
 _pegasus_job=${_pegasus_job%_};;
esac;
_pegasus_told=no;
trap "_pegasus_told=yes" USR1;
trap : HUP INT QUIT TERM;
exec 3<&0 4>&2 </dev/null 2>/dev/null;
(
 trap "" HUP INT QUIT TERM USR1;
 exec >/dev/null 4>&-;
 while IFS= read -r _pegasus_line <&3; do :; done;
 sleep 0.1 || sleep 1;
 kill -s USR1 $$;
 kill -s TERM 0;
 kill -s CONT 0;
 sleep "$1" || sleep "$2";
 kill -s KILL 0
) &
_pegasus_watcher=$! ;
_pegasus_others() {
 for _pegasus_stat in /proc/[0-9]*/stat; do
  { IFS= read -r _pegasus_line <"$_pegasus_stat"; } || continue;
  set -- "${_pegasus_stat%/stat}" ${_pegasus_line##*") "};
  case $4:$2 in
  "$_pegasus_group":[ZX]) ;;
  "$_pegasus_group":*)
   case $1:$3 in
   "/proc/$$":*|"/proc/$_pegasus_watcher":*|*:"$_pegasus_watcher") ;;
   *) return 0;;
   esac;;
  esac;
 done;
 return 1;
};
(
 _pegasus_group=$$;
 kill -0 -$$ || {
  IFS= read -r _pegasus_line </proc/$$/stat && set -- ${_pegasus_line##*") "};
  case $3 in [1-9]*) _pegasus_group=$3;; esac;
 };
 printf "%s: %s %s>" "<pegasus" started "$_pegasus_group" || exit 255;
 exec 2>&4 3<&- 4>&-;
 eval "$_pegasus_setup";
 exec sh -c -- "$_pegasus_job"
);
_pegasus_status=$?;
case $_pegasus_told in yes)
 IFS= read -r _pegasus_line </proc/$$/stat || exit $_pegasus_status;
 set -- ${_pegasus_line##*") "};
 _pegasus_group=$3;
 while _pegasus_others; do sleep 0.1 || sleep 1; done;
 kill -s KILL 0;;
esac;
kill -s KILL $_pegasus_watcher;
wait $_pegasus_watcher;
exit $_pegasus_status
"""

#: What the watchdog writes on standard output right before it runs the job: `announcement`.
ANNOUNCEMENT = re.compile(rb"<pegasus: started ([0-9]{1,19})>")

#: How long it is at most, in bytes.
LONGEST = len(b"<pegasus: started >") + 19

#: The watchdog. Its arguments are the grace in seconds, and the same rounded up.
TEXT = " ".join(line.strip() for line in _LINES.strip().splitlines())


def announcement(group: int) -> bytes:
    """Return what the watchdog writes right before it runs a job in this process group."""
    return b"<pegasus: started %d>" % group


def argv(grace: float) -> list[str]:
    """Return the command that runs the watchdog on this host; `grace` is in seconds."""
    return ["sh", "-c", TEXT, "sh", f"{grace:g}", str(math.ceil(grace))]


@functools.cache
def exec_request(grace: float) -> str:
    """Return the text of the SSH exec request that runs the watchdog.

    It replaces the login shell, so that it is the leader of the group that sshd made.
    """
    return "exec " + " ".join(shlex.quote(word) for word in argv(grace))


def leash(command: str, surroundings: Surroundings = NO_SURROUNDINGS) -> bytes:
    """Return what is written to the watchdog's standard input to have it run `command`.

    One line, or two; an unfinished one, cut off by a lost connection, is never run.
    """
    text = setup(surroundings)
    word = "set" if text else "run"
    if "\n" in command:
        word += "-escaped"
        command = command.replace("\\", "\\\\").replace("\n", "\\n")
    lines = f"{word} {command} end\n" + (f"{text}\n" if text else "")
    return lines.encode("utf-8", "surrogateescape")
