"""Run any number of seeds by hand: python -m tests.simulation.run --seeds 10000 [--first 0]"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.world import World


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args(words)
    began, virtual, bad = time.monotonic(), 0.0, 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        result = World(seed).run()
        virtual += result.seconds
        if result.faults:
            bad += 1
            print(f"seed {seed}: {len(result.faults)} faults")
            for fault in result.faults[:10]:
                print("   ", fault[-600:], flush=True)
    took = time.monotonic() - began
    print(
        f"{arguments.seeds} seeds, {bad} failed; {virtual:.0f} s in {took:.1f} s: {virtual / took:.0f} times real time"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
