#!/usr/bin/env python3
"""The crash oracle: kill -9 on real servers; afterwards every event is in the lake or the error lake exactly once.

    tests/crash/crash.py --seeds 200                       # spread over all workloads
    tests/crash/crash.py --workload nats-to-minio --first-seed 17 --seeds 1    # one run again

A seed decides everything that is random: events, the broken ones, batch sizes, commit interval, where and when Weir is
killed, which servers crash too. Workloads are the files in tests/crash/workloads/. Run it with the Python of the cache
(make crash does). The last line is the sum; the exit code is 1 when anything was lost, doubled or wrong.
"""

import argparse
import contextlib
import multiprocessing
import os
import queue
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from runner import Outcome, SeedRun, Slot  # noqa: E402
from servers import ServerError  # noqa: E402
from workload import load_workloads, plan  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many runs in all (default 20)")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--workload", help="only this one (default: all in turn)")
    parser.add_argument("--weir", help="the binary (default: WEIR_BINARY, or build/weir)")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--folder", help="where runs lie; kept (default: a temporary folder, removed when all is well)")
    parser.add_argument("--verbose", action="store_true", help="a line for each seed")
    return parser.parse_args()


def jobs_of(arguments, workloads):
    """[(workload name, seed)]: round-robin, so that each workload gets its share of any number."""
    if arguments.workload:
        if arguments.workload not in workloads:
            sys.exit(f"crash: no workload '{arguments.workload}' (there are: {', '.join(workloads)})")
        names = [arguments.workload]
    else:
        names = list(workloads)
    return [(names[number % len(names)], arguments.first_seed + number // len(names))
            for number in range(arguments.seeds)]


def work(number, weir, folder, queues, outcomes):
    """One worker process: takes jobs until there is none, of its own kind first."""
    workloads = load_workloads()
    slot = Slot(Path(folder) / f"servers-{number}")
    try:
        while job := next_job(queues):
            name, seed = job
            run = SeedRun(weir, slot, workloads[name], plan(workloads[name], seed), Path(folder) / f"{name}-{seed}")
            try:
                outcome = run.run()
            except Exception as error:  # a broken oracle must not look like a good run
                run.outcome.problems.append(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
                outcome = run.outcome
                if isinstance(error, ServerError):
                    slot.close()
                    slot = Slot(Path(folder) / f"servers-{number}-{seed}")
            outcomes.put(outcome)
    finally:
        slot.close()


def next_job(queues):
    for jobs in queues:
        with contextlib.suppress(queue.Empty):
            return jobs.get_nowait()
    return None


def run_all(arguments, weir, folder):
    """Runs every job; yields outcomes as they come."""
    context = multiprocessing.get_context("fork")
    on_kafka, others, outcomes = context.Queue(), context.Queue(), context.Queue()
    workloads = load_workloads()
    todo = jobs_of(arguments, workloads)
    for job in todo:
        (on_kafka if workloads[job[0]].kafka else others).put(job)
    time.sleep(0.05)  # a multiprocessing queue fills in the background
    # A broker is slow to start: the first worker takes the seeds that need one, the others take them last.
    workers = [context.Process(target=work, args=(number, weir, folder, [others, on_kafka] if number else
                                                  [on_kafka, others], outcomes))
               for number in range(min(arguments.parallel, len(todo)))]
    for worker in workers:
        worker.start()
    left = len(todo)
    try:
        while left:
            try:
                yield outcomes.get(timeout=1)
                left -= 1
            except queue.Empty:
                if not any(worker.is_alive() for worker in workers) and outcomes.empty():
                    yield Outcome("(oracle)", 0, problems=[f"the workers ended with {left} seeds not run"])
                    return
    finally:
        for worker in workers:
            worker.join(20)
            if worker.is_alive():
                worker.terminate()


def report_failure(outcome, arguments):
    print(f"crash: FAILED {outcome.workload} seed {outcome.seed}: lost={outcome.lost} doubled={outcome.doubled}")
    for problem in outcome.problems[:8]:
        print(f"  {problem}")
    if len(outcome.problems) > 8:
        print(f"  … and {len(outcome.problems) - 8} more")
    print(f"  kept: {outcome.folder}")
    print(f"  again: tests/crash/crash.py --workload {outcome.workload} --first-seed {outcome.seed} --seeds 1",
          flush=True)


def summary(outcomes):
    """The words of the sums of some outcomes."""
    def total(name):
        return sum(getattr(outcome, name) for outcome in outcomes)
    return (f"seeds={len(outcomes)} kills={total('kills')} at_points={total('at_points')} "
            f"server_restarts={total('restarts')} events={total('events')} errors={total('errors')} "
            f"lost={total('lost')} doubled={total('doubled')}")


def main():
    arguments = parse_arguments()
    weir = Path(arguments.weir or os.environ.get("WEIR_BINARY") or ROOT / "build" / "weir").resolve()
    if not weir.exists():
        sys.exit(f"crash: {weir} is missing: run `make build`")
    if arguments.seeds < 1:
        sys.exit("crash: --seeds must be at least 1")
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="weir-crash-")).resolve()
    started = time.monotonic()
    outcomes = []
    for outcome in run_all(arguments, weir, folder):
        outcomes.append(outcome)
        if not outcome.ok:
            report_failure(outcome, arguments)
        elif arguments.verbose:
            print(f"  {outcome.workload} seed {outcome.seed}: {summary([outcome])} in {outcome.seconds:.1f} s",
                  flush=True)
        if outcome.ok and not arguments.folder:
            shutil.rmtree(outcome.folder, ignore_errors=True)
    for name in sorted({outcome.workload for outcome in outcomes}):
        print(f"crash: {name:24} {summary([outcome for outcome in outcomes if outcome.workload == name])}")
    good = all(outcome.ok for outcome in outcomes)
    print(f"crash: {summary(outcomes)}" + ("" if good else f" failed={sum(not o.ok for o in outcomes)}")
          + f" in {time.monotonic() - started:.0f} s")
    if good and not arguments.folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
