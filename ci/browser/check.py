"""Opens the pages in a folder with a browser and checks them: check.py BROWSER FOLDER.

The checks of each subject are in a module of their own: `static` for what holds without script, `walk` for
what the script adds."""

import sys
import time
from pathlib import Path

import static
import walk
from playwright.sync_api import sync_playwright
from support import NARROW, THEMES, WIDE, Found

# The most bytes of each page. The long ones are looked at in fewer views.
EVERY = [(theme, width) for theme in THEMES for width in (WIDE, NARROW)]
FEW = [("light", WIDE), ("dark", NARROW)]
PAGES = {
    "passed.html": (150_000, EVERY),
    "failed.html": (150_000, EVERY),
    "folder.html": (500_000, FEW),
    "logins.html": (500_000, FEW),
}
# The page of all shipped scenarios may be this long for each.
SUITE, SCENARIO_BYTES = "suite.html", 23_000
SCENARIOS = Path(__file__).resolve().parent.parent.parent / "scenarios"


def main(program, folder):
    found = Found()
    print(f"{'page':<12} {'bytes':>9} {'first view':>11} {'longest task':>13} {'checked in':>11}")

    def line(file, most, check):
        began = time.monotonic()
        size = file.stat().st_size
        found.expect(size < most, file.name, f"{size} bytes, and {most} are allowed")
        first, longest = static.timing(browser, file, found)
        check(file)
        took = time.monotonic() - began
        print(f"{file.name:<12} {size:>9} {first:>8.0f} ms {longest:>10.0f} ms {took:>9.1f} s")

    with sync_playwright() as playwright:
        # Root may not use the sandbox.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (most, views) in PAGES.items():
            line(folder / name, most, lambda file: static.check(browser, file, found, views))
        if (folder / SUITE).exists():
            files = [it for it in SCENARIOS.rglob("*.yaml") if it.parent.name not in ("parts", "exercises")]
            most = SCENARIO_BYTES * len(files)
            line(folder / SUITE, most, lambda file: static.without_script(browser, file, found))
        walk.check(browser, folder, found)
        print(f"Chromium {browser.version} saw:", ", ".join(f"{n} {what}" for what, n in found.counts.items()))
        browser.close()
    for problem in found.problems:
        print(problem, file=sys.stderr)
    return 1 if found.problems else 0


sys.exit(main(sys.argv[1], Path(sys.argv[2])))
