#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Explores the model of testing/model, and shows that it would notice.

runs.py [--gen PROGRAM] [--work FOLDER] [-j N] check | mutants | moves FILE | diagrams | list | trace RUN

  check     every run of RUNS, each to its end
  mutants   leaves out each row of the tables and bends rules: a run has to fail, but for those listed here as equal
  moves     FILE, written by test_exchange with LAB_MOVES=FILE, has each row but for those of UNSEEN
  diagrams  doc/*.dot say what the tables say
  trace     the counterexample of a run, in words

PROGRAM is states_gen of the build. The last line counts: "N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

CHILD = {"REKEY_CHILD0": 1, "REKEY_CHILD1": 1}
IKE = {"IKES": 3, "REKEY_IKE0": 1, "REKEY_IKE1": 1}

# name: what a run may do. README.md tells what each is for.
RUNS = {
    "setup": dict(SETUP=1, LOSE=1, REPEAT=1, REFUSALS=1, BADS=1, DELETE_IKE1=1, REKEY_CHILD0=1),
    "setup-fails": dict(SETUP=1, LOSE=2, REFUSALS=1, FORCES=1, ATTEMPTS=1, BREAKS=1, REKEY_CHILD1=1),
    "deletes": dict(DELETE_CHILD0=1, DELETE_CHILD1=1, DELETE_IKE0=1, DELETE_IKE1=1, LOSE=1, REPEAT=1, TRIES=2, LINGER=1),
    "children": dict(NEW_CHILD0=1, NEW_CHILD1=1, DELETE_CHILD0=1, DELETE_CHILD1=1, LOSE=1, REPEAT=1, REFUSALS=1, BREAKS=1,
                     OTHER_KES=1, RETRIES=1),
    "child": dict(CHILD, DELETE_CHILD0=1, DELETE_CHILD1=1, LOSE=1, REPEAT=1, REFUSALS=1, RETRIES=1, OTHER_KES=1),
    "child-twice": dict(REKEY_CHILD0=2, REKEY_CHILD1=2, KIDS=6, DELETE_CHILD0=1, LOSE=1, RETRIES=2),
    "child-breaks": dict(CHILD, DELETE_CHILD1=1, LOSE=1, REFUSALS=1, BREAKS=1, LINGER=1, RETRIES=1, LIMITS=1),
    "child-late": dict(CHILD, ASYNC=1, BREAKS=1, DELETE_CHILD0=1, DELETE_CHILD1=1, LOSE=1, REPEAT=1, RETRIES=1, LINGER=1),
    "child-late-ike": dict(CHILD, IKES=3, REKEY_IKE0=1, ASYNC=1, BREAKS=1, DELETE_IKE1=1, LOSE=1, RETRIES=2),
    "traffic": dict(CHILD, TRAFFIC=2, LINGER=1, REFUSALS=1, BREAKS=1, LOSE=1, RETRIES=1),
    "ike": dict(IKE, DELETE_IKE0=1, DELETE_IKE1=1, LOSE=1, RETRIES=1),
    "ike-repeats": dict(IKE, DELETE_IKE0=1, REPEAT=1, LOSE=2, TRIES=2, REFUSALS=1, OTHER_KES=1),
    "ike-children": dict(IKE, NEW_CHILD0=1, DELETE_CHILD1=1, RETRIES=2, REFUSALS=1),
    "ike-rekeys": dict(IKE, REKEY_CHILD0=1, RETRIES=2),
    "ike-rekeys-lost": dict(CHILD, IKES=3, REKEY_IKE0=1, LOSE=1, REPEAT=1, RETRIES=2, REFUSALS=1),
    "restart": dict(IKE, REKEY_CHILD0=1, RESTARTS=1, TOKENS=1, RETRIES=1),
    "restart-silent": dict(IKE, REKEY_CHILD0=1, RESTARTS=1, DELETE_IKE0=1, LOSE=1, TRIES=2),
    "force": dict(IKE, FORCES=1, DELETE_IKE1=1, REKEY_CHILD1=1, RETRIES=1),
    "bad": dict(IKE, BADS=1, DELETE_IKE1=1, DELETE_CHILD0=1, LOSE=1, REFUSALS=1),
    "silence": dict(IKE, REKEY_CHILD0=1, LOSE=4, TRIES=1),
}

# Small ones for the mutants, those that find the most first.
SMALL = {
    "child": dict(CHILD, LOSE=1, REPEAT=1, REFUSALS=1, RETRIES=1, DELETE_CHILD0=1),
    "ike": dict(IKE, LOSE=1, REPEAT=1, RETRIES=1, REFUSALS=1),
    "deletes": dict(DELETE_CHILD0=1, DELETE_CHILD1=1, DELETE_IKE0=1, DELETE_IKE1=1, LOSE=1, REPEAT=1, LINGER=1),
    "setup": RUNS["setup"],
    "setup-fails": RUNS["setup-fails"],
    "children": dict(NEW_CHILD0=1, NEW_CHILD1=1, LOSE=1, REFUSALS=1, BREAKS=1, OTHER_KES=1),
    "child-breaks": dict(CHILD, BREAKS=1, RETRIES=1, REFUSALS=1),
    "child-late": dict(CHILD, ASYNC=1, BREAKS=1, DELETE_CHILD1=1, LOSE=1, OTHER_KES=1),
    "traffic": dict(CHILD, TRAFFIC=1, LINGER=1),
    "ike-delete": dict(IKE, DELETE_IKE0=1, OTHER_KES=1),
    "ike-children": dict(CHILD, IKES=3, REKEY_IKE0=1, RETRIES=1),
    "ike-rekeys": dict(IKE, REKEY_CHILD0=1, RETRIES=1),
    "late-end": dict(CHILD, ASYNC=1, OTHER_KES=1, DELETE_IKE0=1, DELETE_IKE1=1),
    "restart": dict(IKE, RESTARTS=1, TOKENS=1),
    "force": dict(IKE, FORCES=1, OTHER_KES=1),
    "bad": dict(IKE, BADS=1, DELETE_IKE1=1, DELETE_CHILD0=1),
}

# Of these it is shown that they come to an end.
ENDS = ("child", "ike-delete", "deletes", "setup-fails", "child-late", "restart")

RULES = {
    1: "a closed child does not linger",
    2: "a replaced child is not revived when its successor is given up",
    3: "the peer's successor is forgotten when the old IKE_SA ends",
    4: "nobody deletes the replaced child",
    5: "one peer compares nonces the other way round",
    6: "a Delete that overtakes the answer naming the SA is forgotten",
    7: "a reply is not stored for repeats",
    8: "the peer's redundant IKE_SA is not marked",
    9: "an SPI that was reserved for a successor is answered with a token",
    10: "a rival that was closed is forgotten before the nonces are compared",
    11: "using a successor does not decide",
    20: "a rekeying that crosses is answered with CHILD_SA_NOT_FOUND",
    21: "a child that is being closed may be rekeyed",
    22: "a child that is being closed is answered with CHILD_SA_NOT_FOUND",
    23: "an SPI that our own answer may name is answered with CHILD_SA_NOT_FOUND",
    24: "a child that was replaced may be rekeyed",
    25: "children are rekeyed while the IKE_SA is",
    26: "children are made while the IKE_SA is rekeyed",
    27: "the IKE_SA is rekeyed while we work at a child",
    28: "an IKE_SA that was replaced may be rekeyed",
    29: "an IKE_SA that is being closed may be rekeyed",
    30: "no INFORMATIONAL request comes in while we rekey",
    31: "no CREATE_CHILD_SA request comes in while we close",
    32: "no Delete goes out on a replaced IKE_SA",
    33: "a failed rekeying ends the IKE_SA",
    34: "no shell remains after a Delete was answered",
    35: "a replaced IKE_SA is as before",
    36: "deletes of the IKE_SA that cross: ours goes on",
    37: "a failed rekeying leaves a replaced child",
    38: "a child that we rekey survives the peer's Delete",
    39: "deletes of a child that cross: ours goes on",
    40: "a child that the peer replaced is as before",
    41: "no shell remains after authentication was refused",
    42: "no CREATE_CHILD_SA request comes in on a replaced IKE_SA",
    43: "a request for a successor does not go out again",
    44: "children are made while the IKE_SA is closed",
}

# What no run can notice, and why.
EQUAL = {
    25: "who asks has a request about a child under way, and refuses our rekeying for that reason",
    26: "as the one before",
    44: "such a child ends with its IKE_SA on both sides",
}

# Rows that testing/exchange does not come by, and why.
UNSEEN = {}


def flags(bounds):
    return ["-D%s=%d" % item for item in sorted(bounds.items())]


def build(args, name, bounds, extra=(), cflags=("-DSAFETY",)):
    """Compiles a run; returns its folder."""
    work = os.path.join(args.work, name)
    os.makedirs(work, exist_ok=True)
    for file in ("peers.pml", "setup.pml", "bounds.h"):
        with open(os.path.join(HERE, file)) as source, open(os.path.join(work, file), "w") as copy:
            copy.write(source.read())
    with open(os.path.join(work, "rows.pml"), "w") as rows:
        subprocess.run([args.gen, "rows.pml"], stdout=rows, check=True)
    out = subprocess.run(["spin", "-a", *flags(bounds), *extra, "peers.pml"], cwd=work, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, universal_newlines=True)
    if out.returncode or "Error" in out.stdout:
        raise SystemExit("%s: spin: %s" % (name, out.stdout))
    subprocess.run(["gcc", "-O1", "-w", "-DNOREDUCE", "-DCOLLAPSE", "-DMEMLIM=1000", *cflags, "-o", "pan", "pan.c"],
                   cwd=work, check=True)
    return work


def explore(work, env=None, limit=300, extra=()):
    """(error or None, states, complete)"""
    out = subprocess.run(["timeout", str(limit), "./pan", "-m100000", "-n", "-w22", *extra], cwd=work, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, universal_newlines=True, env=dict(os.environ, **(env or {}))).stdout
    error = re.search(r"^pan:\d+: (.*)$", out, re.M)
    states = re.search(r"(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", out)
    complete = "errors: 0" in out and "Search not completed" not in out and "max search depth too small" not in out
    return error.group(1) if error else None, int(float(states.group(1))) if states else 0, complete


def trace(work, bounds):
    out = subprocess.run(["spin", "-T", "-t", *flags(bounds), "peers.pml"], cwd=work, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, universal_newlines=True).stdout
    return "\n".join(line for line in out.split("\n") if re.match(r"\d: |spin: text", line.strip()))


def check_one(args, name):
    work = build(args, name, RUNS[name])
    error, states, complete = explore(work)
    text = "%-16s %9d states" % (name, states)
    if error or not complete:
        return False, "%s  FAILED: %s\n%s" % (text, error or "not complete", trace(work, RUNS[name]) if error else "")
    return True, text + "  ok"


def ends_one(args, name):
    """No run goes in circles, so each comes to the end where check_end looks."""
    work = build(args, "ends-" + name, SMALL[name], cflags=("-DNP",))
    error, states, complete = explore(work, extra=("-l",))
    if error or not complete:
        return False, "ends %-11s %9d states  FAILED: %s" % (name, states, error or "not complete")
    return True, "ends %-11s %9d states  ok" % (name, states)


def check(args):
    jobs = [lambda n=name: check_one(args, n) for name in args.runs or RUNS]
    return pooled(args, jobs + [lambda n=name: ends_one(args, n) for name in ENDS if not args.runs])


def pooled(args, jobs):
    good = bad = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for ok, text in pool.map(lambda job: job(), jobs):
            print(text, flush=True)
            good, bad = good + ok, bad + (not ok)
    return good, bad


def mutant_one(args, works, env, title, key):
    for name, work in works.items():
        error, _, _ = explore(work, env)
        if error:
            if key in EQUAL:
                return False, "%s: FOUND by %s, though it is listed as equal" % (title, name)
            return True, "%s: found by %s" % (title, name)
    if key in EQUAL:
        return True, "%s: equal (%s)" % (title, EQUAL[key])
    return False, "%s: NOT FOUND" % title


def mutants(args):
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        done = pool.map(lambda n: build(args, "small-" + n, SMALL[n], ("-DMUTANTS",)), SMALL)
        works = dict(zip(SMALL, done))
    good, bad = pooled(args, [lambda w=work, n=name: sound(n, w) for name, work in works.items()])
    rows = subprocess.run([args.gen, "rows"], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout.splitlines()
    jobs = []
    for number, row in enumerate(rows, 1):
        machine, state, event, _, _ = row.split("\t")
        key = "%s %s %s" % (machine, state, event)
        jobs.append(lambda k=key, n=number: mutant_one(args, works, {"MODEL_ROW": str(n)}, "without " + k, k))
    for number, text in RULES.items():
        jobs.append(lambda n=number, t=text: mutant_one(args, works, {"MODEL_MUTANT": str(n)}, "%d: %s" % (n, t), n))
    more, worse = pooled(args, jobs)
    return good + more, bad + worse


def sound(name, work):
    error, states, complete = explore(work)
    return (not error and complete), "small %-16s %9d states  %s" % (name, states, error or "ok")


def moves(args):
    """The code makes the moves that the tables declare."""
    with open(args.runs[0]) as file:
        seen = {line.rstrip("\n") for line in file}
    rows = subprocess.run([args.gen, "rows"], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout.splitlines()
    good = bad = 0
    lines = set()
    for row in rows:
        machine, state, event, following, meaning = row.split("\t")
        key = "%s %s %s" % (machine, state, event)
        line = "%s\t%s => %s (%s)" % (machine, state, following, meaning)
        if line in lines:
            print("%s: another row reads the same: %s" % (key, line))
            bad += 1
        elif (line in seen) == (key not in UNSEEN):
            good += 1
        else:
            print("%s: %s" % (key, "seen, though it is listed in UNSEEN" if line in seen else "NOT SEEN"))
            bad += 1
        lines.add(line)
    return good, bad


def diagrams(args):
    good = bad = 0
    for machine in ("ike", "child"):
        path = os.path.join(TOP, "doc", machine + "_sa_states.dot")
        want = subprocess.run([args.gen, machine + ".dot"], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
        with open(path) as file:
            same = file.read() == want
        drawn = os.path.exists(path[:-3] + "svg")
        print("%s: %s" % (os.path.relpath(path, TOP), "as the table" if same else "OLD: make diagrams"))
        good, bad = good + (same and drawn), bad + (not (same and drawn))
    return good, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gen", default="./states_gen")
    parser.add_argument("--work", default="model")
    parser.add_argument("-j", dest="jobs", type=int, default=2)
    parser.add_argument("what", choices=("check", "mutants", "moves", "diagrams", "list", "trace"))
    parser.add_argument("runs", nargs="*")
    args = parser.parse_args()
    args.gen, args.work = os.path.abspath(args.gen), os.path.abspath(args.work)
    if args.what == "list":
        for name, bounds in RUNS.items():
            print(name, *flags(bounds))
        return 0
    if args.what == "trace":
        print(trace(os.path.join(args.work, args.runs[0]), RUNS[args.runs[0]]))
        return 0
    good, bad = {"check": check, "mutants": mutants, "moves": moves, "diagrams": diagrams}[args.what](args)
    print("%d passed, %d failed" % (good, bad))
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
