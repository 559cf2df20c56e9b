"""How a run is told something from another shell, as by `inv stop`, and the run's answer.

Each run has two files in `.pegasus/<queue file name>/runs/`, named after its id:

`<id>.json` describes it::

    {"version": 1, "id": "5f0c91ab", "mode": "queue", "pid": 4711, "host": "here",
     "started": "2024-05-17T14:02:11.301+02:00", "socket": "5f0c91ab.sock"}

`<id>.sock` is a Unix socket on which it listens. Where that folder can't have it (its path is
too long for a socket, or the file system has none), it is in a temporary folder of its own, and
`socket` is its full path. No signal is sent and no process id is used: who answers on the socket
is the run, and where nobody listens any more the run is dead, and its files are removed: by the
next client, and by the next run. A run on another machine that shares the folder is left alone.

On the socket, a client sends one JSON object on a line and gets one back. `run` is the id, so
that nobody else does what it was meant to do::

    {"version": 1, "run": "5f0c91ab", "do": "drain"}
    {"version": 1, "run": "5f0c91ab", "ok": true,
     "running": [{"job": 7, "node": "node-1", "command": "python train.py"}]}

============= ==================================================================================
do            the run
============= ==================================================================================
drain         takes no more jobs
cancel        takes no more jobs, and cancels the running ones
cancel job    cancels the job whose number is in `job`, and goes on
pause         takes no more jobs until it is told to resume
resume        takes jobs again
drain nodes   gives no more jobs to the nodes that the expression in `nodes` is for
undrain nodes gives jobs to these nodes again
============= ==================================================================================

`running` are the commands that ran when it was told, of each the first line. To `pause` and
`resume` belongs `changed`: whether it was not so already. To `drain nodes` and `undrain nodes`
belongs `nodes`: the labels of those of which it was not so already. What is wrong with a request is
answered by `"ok": false` and an `error` in words; where that is `no such job` or `no such node`,
`why` may say more. A line is at most 65536 bytes, and must come within five seconds.
"""
