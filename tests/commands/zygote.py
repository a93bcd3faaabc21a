"""A server process that imports torch once and forks for each command, so that tests run real processes quickly.

Reads lines of JSON: {"arguments", "cwd", "out", "err", "environment"} starts `virst` and answers with its pid; {"wait": pid}
answers with its exit status, negative for a signal.
"""

import json
import os
import sys
from typing import Any, NoReturn

import torch

import virst_cli.runs.run  # noqa: F401  what takes the seconds
from virst_cli.app import main


def become(ask: dict[str, Any]) -> NoReturn:
    os.chdir(ask["cwd"])
    os.environ.update(ask["environment"])
    for number, path in ((0, os.devnull), (1, ask["out"]), (2, ask["err"])):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv[1:] = ask["arguments"]
    main()


def serve() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        ask = json.loads(line)
        if "wait" in ask:
            answer = os.waitstatus_to_exitcode(os.waitpid(ask["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                become(ask)
        print(answer, flush=True)


serve()
