"""Run the changes of ablation.yaml one at a time and write the table: `python src/ablation.py` (or `make ablation`).

With --presets: the presets that ablation.yaml names, whole, and their table in docs/results.md (or `make presets`).
"""

import argparse
import datetime

from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.experiments import ablation, runner
from lstm_lm.experiments.ablation import Results
from lstm_lm.ui import console, markdown

FILE = "ablation.yaml"
RESULTS = "reports/ablation.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", action="store_true", help="the presets, not the changes")
    parser.add_argument("--only", help="names to run; the table has the others too, as far as they were run before")
    parser.add_argument("--seeds", help="in place of those of ablation.yaml, as '1 2 3'")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table of what was run")
    chosen = parser.parse_args()
    values = loading.read("params.yaml")
    loading.check(values)
    plan = ablation.load(FILE, values)
    seeds = plan.seeds
    if chosen.seeds:
        seeds = ablation.check_seeds("SEEDS", [keys.parse_value(part) for part in chosen.seeds.split()])
    results = Results(RESULTS)
    entries = ablation.preset_entries(plan.presets) if chosen.presets else plan.entries
    names = [entry.name for entry in entries]
    wanted = chosen.only.split() if chosen.only else names
    if unknown := [name for name in wanted if name not in names]:
        raise UserError(f"ONLY={unknown[0]}: {FILE} has no such name; there are: {', '.join(names)}")

    digests = {}
    runs = []
    for seed in seeds:  # the first seed of all, then the second: a table of a part is one of whole columns
        for entry in entries:
            changes = {**({} if chosen.presets else plan.common), **entry.changes, "train.seed": seed}
            label = f"preset {entry.name}" if chosen.presets else entry.name
            digests[label, seed] = ablation.key_of(keys.with_changes(values, changes))
            known = results.get(label, seed)
            if entry.name in wanted and not chosen.table and (known is None or known["key"] != digests[label, seed]):
                runs.append((label, seed, changes))
    for number, (label, seed, changes) in enumerate(runs, 1):
        print(f"\n{number} of {len(runs)}: {label}, seed {seed}", flush=True)
        kind = "" if chosen.presets else "ablation-"
        experiment, _ = runner.run(changes, f"{kind}{label.replace(' ', '-')}-seed{seed}")
        results.put(label, seed, ablation.facts_of(experiment, digests[label, seed]))
        write(chosen.presets, plan, entries, seeds, results, digests)  # after each: a stop leaves the table of what is there
    write(chosen.presets, plan, entries, seeds, results, digests)
    print(f"\n{len(runs)} run; the table is in {page_of(chosen.presets)}, its figures in {RESULTS}")


def page_of(presets):
    return "docs/results.md" if presets else "docs/ablation.md"


def write(presets, plan, entries, seeds, results, digests):
    if presets:
        text = ablation.preset_table(entries, seeds, results, digests, markdown.table)
    else:
        text = ablation.ablation_table(plan, seeds, results, digests, markdown.table)
    try:
        markdown.write(page_of(presets), "presets" if presets else "ablation", f"{text}\n\nWritten {datetime.date.today()}.")
    except ValueError as error:
        raise UserError(f"docs/{error}") from None


if __name__ == "__main__":
    console.run(main)
