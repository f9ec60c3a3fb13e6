"""A served process that does as the question says, wild things above all."""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from stage2fuzz.errors import InputError
from stage2fuzz.process.life import alive
from stage2fuzz.process.serve import serve


def answers(question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Do it, then answer who we are."""
    match question["do"]:
        case "exit":
            os._exit(question["code"])
        case "raise":
            os.kill(os.getpid(), question["signal"])
        case "sleep":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)
        case "loop":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while True:
                pass
        case "memory":
            kept = [bytearray(1 << 26) for _ in range(1000)]
            yield {"kept": len(kept)}
        case "files":
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            os.pipe()
        case "close":
            os.closerange(3, 64)
            time.sleep(600)
        case "say":
            yield {}
            os.write(3, question["what"].encode())
            for number in range(3, 64):
                try:
                    os.write(number, question["what"].encode())
                except OSError:
                    continue
        case "work":
            for _ in range(30):
                alive()
                time.sleep(0.1)
        case "alive":
            while True:
                os.write(3, b'{"alive": true}\n' * 1000)
        case "crash":
            ctypes.string_at(0)
        case "print":
            print(question["what"], flush=True)
        case "refuse":
            raise InputError("a place", "is wrong", "another")
        case "bug":
            raise AssertionError("ours")
        case "many":
            yield from ({"number": number} for number in range(question["count"]))
            return
        case "parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(5)
        case "environment":
            sys.stderr.write("asked\n")
            yield dict(os.environ)
            return
    yield {"process": os.getpid()}


if __name__ == "__main__":
    serve(answers)
