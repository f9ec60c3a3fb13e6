"""A guarded command that does as it is told, wild things above all: ``ARGUMENT`` is the thing."""

import os
import sys
import time

from stage2fuzz.process.guard import Pulse
from stage2fuzz.process.life import alive


def main(what: str) -> int:
    """Do it; the exit code of a command that comes to its end."""
    match what:
        case "found":
            print("one violation")
            return 1
        case "exit":
            print("half of a resu", end="", flush=True)
            os._exit(0)
        case "forge":
            for number in range(64):
                try:
                    os.write(number, b'x\n{"code": "0"}\n[0]\n{"code": 0}\n')
                except OSError:
                    continue
            os._exit(0)
        case "escape":
            os.write(1, b"\x1b[31mred\x07 \xff\n")
            os.write(2, b"\x1b]0;title\x07\n")
        case "sleep":
            time.sleep(600)
        case "work":
            for _ in range(30):
                alive()
                time.sleep(0.1)
        case "elsewhere":
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            print("one violation")
            Pulse().end(0, len("one violation\n"))
            sys.stdout.flush()
            os._exit(0)
        case "progress":
            Pulse().progress("half \x1b[1m", 0.5)
        case "flood":
            while True:
                os.write(1, b"x" * 65536)
        case "close":
            os.closerange(0, 64)
            time.sleep(600)
    return 0


if __name__ == "__main__":
    Pulse().begin()
    code = main(sys.argv[1])
    sys.stdout.flush()
    Pulse().end(code)
    sys.exit(code)
